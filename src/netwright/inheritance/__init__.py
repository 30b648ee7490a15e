"""netwright.inheritance"""
