"""The part of the conformance suite that needs fresh interpreters: a search must not depend on the hash seed.

Sets of strings have another order in every process. A strategy that iterates over one is deterministic within a
process, and gives another search after a restart.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import cast

from netwright.errors import UsageError, wrong
from netwright.space.search_space import SearchSpace
from netwright.strategies.base import Strategy
from netwright.testing.simulation import Simulation
from netwright.testing.spaces import example_spaces

NUM_TRIALS = 30


def check_hash_seed(factory: Callable[[SearchSpace, int], Strategy]) -> None:
    """Two interpreters with different hash seeds give the same searches on `example_spaces`.

    Args:
        factory: importable by its module and name.

    Raises:
        AssertionError: the searches differ.
        UsageError: the factory is not importable.
    """
    module, name = factory.__module__, getattr(factory, "__qualname__", "<object>")
    if "<" in name or module == "__main__":
        allowed = "a function at the top of an importable module"
        raise UsageError(wrong("factory", f"{module}.{name}", allowed, "move it there or pass other_process=False"))
    first, second = (_traces_elsewhere(module, name, hash_seed) for hash_seed in ("1", "2"))
    for space in first:
        for place, (a, b) in enumerate(zip(first[space], second[space], strict=False)):
            assert a == b, (
                f"on the space {space!r} proposal {place} depends on PYTHONHASHSEED ({a} against {b}); "
                "sort what comes from a set, and hash nothing with hash()"
            )
        assert len(first[space]) == len(second[space]), (
            f"on {space!r} the number of proposals depends on PYTHONHASHSEED"
        )


def _traces_elsewhere(module: str, name: str, hash_seed: str) -> dict[str, list[str]]:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-c", f"from {__name__} import main; main()", module, name]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"a fresh interpreter could not run {module}.{name}: {ended.stderr[-2000:]}"
    return cast(dict[str, list[str]], json.loads(ended.stdout))


def main() -> None:
    """Run the searches of the factory named by ``sys.argv`` and write their traces as JSON."""
    module, name = sys.argv[1:]
    factory = functools.reduce(getattr, name.split("."), importlib.import_module(module))
    make = cast(Callable[[SearchSpace, int], Strategy], factory)
    traces = {
        key: Simulation(make(space, 0), space).run(NUM_TRIALS, 2).trace() for key, space in example_spaces().items()
    }
    sys.stdout.write(json.dumps(traces))
