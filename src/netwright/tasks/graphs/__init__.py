"""Node classification on one graph: data, spaces, reference networks.

All nodes are known while training; only labels are not (transductive learning).
"""

from netwright.tasks.graphs.task import NodeClassification

__all__ = ["NodeClassification"]
