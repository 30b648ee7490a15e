"""netwright.report"""
