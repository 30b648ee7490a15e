"""What each key of a specification may be, in words, for the messages that refuse it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from netwright.runtimes import PRECISIONS, RUNTIMES


@dataclass(frozen=True, slots=True)
class Expected:
    """What a key may be, and a cure."""

    allowed: str
    cure: str = ""


_PATH = Expected("a path of 1 to 4096 characters")
_SWITCH = Expected("true or false", "write it without quotes")
EXPECTED: Mapping[str, Expected] = MappingProxyType(
    {
        "task": Expected("the name of a task, or FILE.py:NAME"),
        "task_options": Expected("a mapping of names to texts and numbers"),
        "data": _PATH,
        "budget": Expected("a time (90s, 10m, 2h), '24 trials' or '300 epochs'", "name the unit, such as 10m"),
        "constraints": Expected("a list of limits such as params<=200k"),
        "objectives": Expected("a list of metrics such as accuracy"),
        "workers": Expected("a whole number in [1, 1024]", "use the number of cores"),
        "seed": Expected("a whole number in [0, 2**32)", "use 0"),
        "out": _PATH,
        "space": _PATH,
        "warm_start": Expected("folders of runs"),
        "strategy": Expected("a name such as auto, bayesian, evolution or local", "use auto"),
        "ladder": Expected("default, none, or some of proxies, predictor, supernet, short, long, full", "use default"),
        "teacher": _SWITCH,
        "inherit": _SWITCH,
        "halving": _SWITCH,
        "min_epochs": Expected("a number in (0, 1000000]", "leave it out"),
        "max_epochs": Expected("a number in (0, 1000000]", "leave it out"),
        "eta": Expected("a whole number in [2, 100]", "use 3"),
        "device": Expected("cpu, cuda, cuda:0 or mps"),
        "unordered": _SWITCH,
        "trial_time_limit": Expected("a time such as 90s, 5m or 1h", "name the unit"),
        "trial_memory_limit": Expected("a size such as 500M or 2Gi", "name the unit"),
        "latency_runtime": Expected(f"one of {', '.join(RUNTIMES)}"),
        "latency_batch": Expected("a whole number in [1, 65536]", "use 1"),
        "latency_threads": Expected("a whole number in [1, 1024]", "use 1"),
        "latency_device_command": Expected("a program and its arguments, such as 'bench.sh {onnx}'"),
        "latency_precision": Expected(f"one of {', '.join(PRECISIONS)}"),
    }
)
