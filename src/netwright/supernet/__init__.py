"""Weights that all networks of a space share, and what is done with them.

networks.py   plain networks and the places of their tensors     bank.py   the shared tensors, by place
supernet.py   all networks of a space on one bank
"""

from netwright.supernet.bank import Bank
from netwright.supernet.networks import Network, Networks
from netwright.supernet.supernet import Subnet, Supernet

__all__ = ["Bank", "Network", "Networks", "Subnet", "Supernet"]
