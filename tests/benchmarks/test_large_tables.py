"""A million architectures are a table like any other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = """
import resource, sys, time
import numpy as np
from netwright.benchmarks import read_table
begin = time.process_time()
table = read_table(sys.argv[1], metrics={"accuracy": "max", "latency_ms": "min"})
opened = time.process_time() - begin
space, rng = table.space, np.random.default_rng(0)
archs = [space.sample(rng) for _ in range(1_000)]
table.query(archs[0])
begin = time.process_time()
for arch in archs:
    table.query(arch)
query = (time.process_time() - begin) / 1_000
begin = time.process_time()
near = list(space.neighbours(archs[0]))
first = time.process_time() - begin
begin = time.process_time()
for arch in archs[1:21]:
    space.mutate(space.crossover(arch, archs[0], rng), rng)
move = (time.process_time() - begin) / 20
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(space.count(), opened, query, first, move, memory, len(near))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sparse", "complete"])
def test_a_million_rows(tmp_path: Path, kind: str) -> None:
    """It opens in 30 s of processor time and 1.5 GB; answers, neighbours and moves are quick."""
    rng = np.random.default_rng(0)
    decisions = 10
    if kind == "complete":
        codes = np.stack(np.unravel_index(rng.permutation(4**decisions)[: 4**decisions], (4,) * decisions), axis=1)
    else:
        codes = np.unique(rng.integers(0, 8, size=(1_010_000, decisions)), axis=0)[:1_000_000]
        codes = codes[rng.permutation(len(codes))]
    path = tmp_path / "million.csv"
    with path.open("w") as stream:
        stream.write(",".join([*(f"layer{i}" for i in range(decisions)), "accuracy", "latency_ms"]) + "\n")
        for row in codes.tolist():
            stream.write(",".join(map(str, row)) + f",{sum(row) / 100},{row[0] + 0.5}\n")
    printed = subprocess.run([sys.executable, "-c", PROGRAM, path], capture_output=True, text=True, check=True).stdout
    count, opened, query, first, move, memory, near = map(float, printed.split())
    print(printed)
    assert len(codes) == count
    assert opened < 30
    assert memory < 1.5e9
    assert query < 1e-4
    assert first < 30
    assert move < 2
    assert near >= 16
