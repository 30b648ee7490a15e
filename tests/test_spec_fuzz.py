"""Fuzzed specification files: accepted or a clean error, never a hang and never anything else."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from netwright.errors import SpecError
from netwright.spec import load_spec

SEEDS = [
    "task: image-classification\ndata: digits\nbudget: 10m\nconstraints: [params<=200k, latency_ms<=2]\nworkers: 2\n",
    "task: image-classification\ndata: 'a b'\nseed: 1\nobjectives:\n- accuracy\n- latency_ms\nmin_epochs: 0.5\n",
    '{"task": "image-classification", "data": "x", "out": "runs/y", "unordered": true, "max_epochs": 1.0e+1}\n',
]
PIECES = [
    "&a ", "*a", "!!python/object:os.system ", "!!int ", "!!timestamp ", "<<: ", "? ", "- ", "[", "]", "{", "}", ":",
    "'", "# note\n", "eta: 4\n", "device: cpu\n", "\n", " ", "2", '"',
    "|", ">", "%YAML 9.9\n", "---\n", "...\n", "\0", "\ufeff", "\u2028", "\x1b[31m", "\t", "#", "@", "`", "1e999",
    ".inf", ".nan", "1.0e+999", "0x" + "f" * 99, "9" * 5000, "1:" * 60 + "1", "null", "~", "2024-99-99", "\U0001f600",
    "data: x\n", "workers: -1\n", "budget: 0m\n", "a" * 5000, "[" * 999, "{a: " * 999, "\n" + " " * 300, "\\x", "=",
]  # fmt: skip


def mutated(rng: random.Random) -> bytes:
    text = rng.choice(SEEDS)
    for _ in range(rng.choice([1, 1, 1, 2, 6])):
        breaks = [i + 1 for i, c in enumerate(text) if c == "\n"] or [0]
        at = rng.choice([rng.randint(0, len(text)), rng.choice(breaks)])
        cut = at + rng.choice([0, 0, 0, 1, 3, 20])
        text = text[:at] + rng.choice(PIECES) * rng.choice([1, 1, 2, 30]) + text[cut:]
    raw = bytearray(text.encode("utf-8"))
    for _ in range(rng.choice([0, 0, 0, 0, 1, 5])):
        raw[rng.randrange(len(raw))] = rng.randrange(256)
    return bytes(raw)


def answer(file: Path) -> list[str]:
    """Lines of the error; none for a specification that was accepted, all of which can be used."""
    try:
        made = load_spec(file)
    except SpecError as error:
        return str(error).splitlines()
    return [] if made.spending and made.goals and made.limits is not None else ["not usable"]


def fuzz(folder: Path, count: int, seed: int) -> tuple[int, int]:
    rng = random.Random(seed)
    accepted = refused = 0
    for number in range(count):
        file = folder / "fuzz.yaml"
        file.write_bytes(mutated(rng))
        started_s = time.monotonic()
        lines = answer(file)
        accepted, refused = accepted + (not lines), refused + bool(lines)
        assert len(lines) <= 10, (number, lines)
        assert time.monotonic() - started_s < 5, (number, file.read_bytes()[:200])
    return accepted, refused


@pytest.mark.parametrize("seed", SEEDS)
def test_the_undamaged_files_are_accepted(tmp_path: Path, seed: str) -> None:
    """What the fuzzer starts from is right, so that only its damage can be refused."""
    (tmp_path / "seed.yaml").write_text(seed)
    assert answer(tmp_path / "seed.yaml") == []


def test_fuzzed_files(tmp_path: Path) -> None:
    """300 damaged files: some are still right, most are refused cleanly."""
    accepted, refused = fuzz(tmp_path, 300, seed=0)
    assert accepted + refused == 300
    assert min(accepted, refused) > 5


@pytest.mark.slow
def test_ten_thousand_fuzzed_files(tmp_path: Path) -> None:
    """10,000 damaged files: 0 failures bound the rate of anything else to 3 in 10,000 at 95 %."""
    accepted, refused = fuzz(tmp_path, 10_000, seed=1)
    assert accepted + refused == 10_000
