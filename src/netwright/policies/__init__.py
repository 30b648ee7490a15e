"""Policies over the decisions of any space, which learn from rewards. No torch; strategies and supernets use them.

controller.py   a recurrent policy, its samples and gradients     controller_questions.py   any space as questions
adam.py         how it learns                                     baseline.py               what rewards are measured by
"""
