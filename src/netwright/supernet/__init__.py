"""Weights that all networks of a space share, and what is done with them.

bank.py       the shared tensors, by place          supernet.py   all networks of a space on one bank
sampling.py   which networks a training step runs  guided.py     of which it runs some rather than others
family.py     the part of a space that lies within one of its networks
near.py       architectures that differ from one in a decision
moved.py      where weights mean different things in different networks
"""

from netwright.supernet.bank import Bank
from netwright.supernet.guided import BestUp, LargestFirst, Progressive
from netwright.supernet.sampling import Fair, PlannedSampler, Sampler, Sandwich, Uniform
from netwright.supernet.supernet import Subnet, Supernet

__all__ = [
    "Bank",
    "BestUp",
    "Fair",
    "LargestFirst",
    "PlannedSampler",
    "Progressive",
    "Sampler",
    "Sandwich",
    "Subnet",
    "Supernet",
    "Uniform",
]
