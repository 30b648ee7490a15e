"""A trained network as files that stand alone - source, weights, ONNX and a card - and the check that they do.

`export_network` writes them, `verify` runs them without netwright and compares; `Card` is what is said of a network.
Nothing here knows strategies, stores or processes of a search.
"""

from __future__ import annotations

from netwright.export.bundle import export_network
from netwright.export.card import Ancestor, Card, Compared, Latency, Limit
from netwright.export.check import Check, Comparison, Remeasured, Rescored
from netwright.export.source import model_source
from netwright.export.verify import Examples, Scoring, examine, scoring_of, verify
from netwright.tasks.base import ExportInfo

__all__ = [
    "Ancestor",
    "Card",
    "Check",
    "Compared",
    "Comparison",
    "Examples",
    "ExportInfo",
    "Latency",
    "Limit",
    "Remeasured",
    "Rescored",
    "Scoring",
    "examine",
    "export_network",
    "model_source",
    "scoring_of",
    "verify",
]
