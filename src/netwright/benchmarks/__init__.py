"""netwright.benchmarks"""
