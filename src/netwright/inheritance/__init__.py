"""Weights carried from one network of a search space to another.

transfer.py   what two networks have in common, by the places of their layers
"""

from netwright.inheritance.transfer import Inherited, inherit

__all__ = ["Inherited", "inherit"]
