"""Performance estimation: how good an architecture is, at a fidelity.

Importing this loads no torch; the training loop is imported when something is trained.
"""

from netwright.evaluation.base import Evaluator
from netwright.evaluation.latency import Latency, LatencySpec, measure_latency
from netwright.evaluation.machine import Machine, describe_machine
from netwright.evaluation.recipe import Recipe, Schedule
from netwright.evaluation.trainer import TrainerOptions, TrainingEvaluator

__all__ = [
    "Evaluator",
    "Latency",
    "LatencySpec",
    "Machine",
    "Recipe",
    "Schedule",
    "TrainerOptions",
    "TrainingEvaluator",
    "describe_machine",
    "measure_latency",
]
