"""Weights that all networks of a space share, and what is done with them.

bank.py       the shared tensors, by place          supernet.py   all networks of a space on one bank
sampling.py   which networks a training step runs
"""

from netwright.supernet.bank import Bank
from netwright.supernet.sampling import Fair, Sampler, Sandwich, Uniform
from netwright.supernet.supernet import Subnet, Supernet

__all__ = ["Bank", "Fair", "Sampler", "Sandwich", "Subnet", "Supernet", "Uniform"]
