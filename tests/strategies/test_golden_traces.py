"""The first proposals of every strategy at seed 0 stay what they were.

A change here is a change of every search of every user: make it on purpose, and say so in the changelog. Written anew
by ``python tests/strategies/test_golden_traces.py``.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import strategy_factories as factories

from netwright.testing import Simulation, cell_space, trace_of

GOLDEN = Path(__file__).parent / "golden" / "traces.json"
NAMES = [*factories.FACTORIES, "grid"]


def trace(name: str) -> list[str]:
    """30 trials, so that evolution with its first 20 random ones is seen to evolve."""
    make = factories.FACTORIES.get(name, factories.grid)
    space = cell_space()
    simulation = Simulation(make(space, 0), space).run(30)
    return trace_of(simulation.asked)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.long
def test_the_trace_is_the_golden_one(name: str) -> None:
    """On NAS-Bench-201's cell with a made-up objective, the proposals equal the stored ones."""
    assert json.loads(GOLDEN.read_text(encoding="utf-8"))[name] == trace(name)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({name: trace(name) for name in NAMES}, indent=1) + "\n", encoding="utf-8")
