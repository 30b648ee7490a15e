"""netwright.dashboard"""
