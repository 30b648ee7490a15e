"""Models that learn from evaluated architectures what others would score: features, and models over them.

Strategies (as surrogates) and performance estimation (as predictors) share them. Knows no torch, no strategy and no
trial.
"""
