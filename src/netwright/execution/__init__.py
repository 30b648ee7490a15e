"""Running evaluations: in this process, or isolated in processes of their own; when failures end a search."""

from netwright.execution.base import Executor, Job, Limits, Outcome
from netwright.execution.failures import FailurePolicy
from netwright.execution.in_process import InProcessExecutor
from netwright.execution.isolated import IsolatedExecutor
from netwright.execution.outcomes import require

__all__ = [
    "Executor",
    "FailurePolicy",
    "InProcessExecutor",
    "IsolatedExecutor",
    "Job",
    "Limits",
    "Outcome",
    "require",
]
