"""Weights carried from one network of a search space to another.

morphism.py   a child that computes what its parent does, where that can be; the entrance to all below
walk.py       through both networks side by side       channels.py   which channel of the child is which of the parent
layers.py, blocks.py   how paired layers take over     inserted.py   new layers that change nothing, or give zeros
items.py      a written network as layers and joins    matching.py   which of these are which
draft.py      the child's tensors in the making        report.py     what was kept and what was not
transfer.py   what two networks have in common, by the places of their layers; for what has no partner
"""

from netwright.inheritance.morphism import morph
from netwright.inheritance.report import Change, Morphism
from netwright.inheritance.transfer import Inherited, inherit

__all__ = ["Change", "Inherited", "Morphism", "inherit", "morph"]
