"""netwright.supernet"""
