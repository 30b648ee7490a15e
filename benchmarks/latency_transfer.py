"""T10: how well latency on a device that was never seen is ranked after a few measurements on it.

    python benchmarks/latency_transfer.py --data FOLDER [--seeds 50] [--sample 2000] [--counts 10 20 50] [--jobs 1]
        [--space nasbench201 fbnet] [--left-out chip kind help] [--write docs/figures/latency_transfer.md]

FOLDER holds ``nasbench201/latency.npz``, ``nasbench201/nasbench201.npz`` and ``fbnet_latency/fbnet_latency.npz``. Other
devices are those that are not of the same chip (``chip``), not of the same kind of machine (``kind``: GPUs, servers,
phones and boards, accelerators), or the nine that HELP learns from (``help``; its test devices, six or three, and its
held-out architectures, without the fastest and the slowest tenth). For each seed other candidates are drawn, of which
ten, twenty or fifty are measured. Printed: Spearman's correlation of prediction and measurement on architectures that
were not measured, means over seeds with 95 % intervals, and the share of measurements inside 90 % intervals.

What can be reached: ``twins`` is the root of the rank correlation between networks that are the same up to the numbers
of nodes (1,500 pairs of NAS-Bench-201): the correlation that the true latency would have with one noisy measurement,
were all networks as noisy. ``all`` is what an additive model of this project reaches when it learns from 4,000
measurements, or half of the table, at most (a lower bound of what can be reached). ``whole`` is how far rounding to
whole milliseconds, as phones tell them, lowers the correlation by itself: that of the additive model's latencies with
themselves rounded; what is missing beyond it is noise of the device, or what is no sum.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from fbnet_space import fbnet_sizes, fbnet_space
from forked import in_processes
from scipy.stats import spearmanr, t

from netwright.benchmarks import load_benchmark
from netwright.predictors.latency import Knowledge, LatencyPredictor, LatencyTable, choose_to_measure
from netwright.predictors.latency.devices import robust_ridge, with_constant
from netwright.types import Architecture

TARGETS = {10: 0.97, 20: 0.98, 50: 0.99}
HOWS = ("transfer, chosen", "transfer, random", "alone, chosen")
TABLE = 1000
"""Measurements of each other device."""

LIMITS = ("MACs", "twins", "whole", "all")
"""Columns of the baseline, and of what can be reached; NaN where a device does not tell it."""

HELP_LEARNS = ("1080ti_1", "1080ti_32", "1080ti_256", "1080ti_64", "silver_4114", "silver_4210r", "samsung_a50")
HELP_LEARNS += ("pixel3", "essential_ph_1", "samsung_s7")
HELP_TESTS = {
    "nasbench201": ("titan_rtx_256", "gold_6226", "fpga", "pixel2", "raspi4", "eyeriss"),
    "fbnet": ("fpga", "raspi4", "eyeriss"),
}


@dataclass(frozen=True)
class Latencies:
    """What was measured: architectures in the order of the arrays, latencies by device, and the ceilings."""

    name: str
    knowledge: Knowledge
    architectures: list[Architecture]
    values: dict[str, np.ndarray]
    macs: np.ndarray
    twins: np.ndarray


def nasbench201(data: Path) -> Latencies:
    """Cells of NAS-Bench-201 on 27 devices."""
    space = load_benchmark("nasbench201-cifar10", data).space
    with np.load(data / "nasbench201" / "nasbench201.npz") as arrays:
        names, rows = [str(name) for name in arrays["op_names"]], arrays["ops"].tolist()
        macs, params = arrays["cifar10__flops_M"].astype(float), arrays["cifar10__params_M"].astype(float)
    edges = ("edge0-1", "edge0-2", "edge1-2", "edge0-3", "edge1-3", "edge2-3")
    cells = [Architecture(dict(zip(edges, (names[op] for op in row), strict=True))) for row in rows]
    told = {cell: {"macs": m, "params": p} for cell, m, p in zip(cells, macs.tolist(), params.tolist(), strict=True)}
    places = {tuple(row): place for place, row in enumerate(rows)}
    none = names.index("none")
    swapped = [(places[tuple(r)], places[r[1], r[0], none, r[3], r[5], r[4]]) for r in rows if r[2] == none]
    twins = np.array([(a, b) for a, b in swapped if a < b])
    values = read_latencies(data / "nasbench201" / "latency.npz")
    return Latencies("nasbench201", known(space, cells, values, told.__getitem__), cells, values, macs, twins)


def fbnet(data: Path) -> Latencies:
    """Chains of FBNet on 27 settings of devices."""
    with np.load(data / "fbnet_latency" / "fbnet_latency.npz") as arrays:
        names, rows = [str(name) for name in arrays["op_names"]], arrays["op_idx"].tolist()
    chains = [Architecture({f"block{i}": names[op] for i, op in enumerate(row)}) for row in rows]
    values = read_latencies(data / "fbnet_latency" / "fbnet_latency.npz")
    macs = np.array([fbnet_sizes(chain)["macs"] for chain in chains])
    knowledge = known(fbnet_space(names), chains, values, fbnet_sizes)
    return Latencies("fbnet", knowledge, chains, values, macs, np.zeros((0, 2), dtype=np.intp))


SPACES: dict[str, Callable[[Path], Latencies]] = {"nasbench201": nasbench201, "fbnet": fbnet}


def read_latencies(path: Path) -> dict[str, np.ndarray]:
    """Milliseconds by device."""
    with np.load(path) as arrays:
        return {n.removeprefix("lat_ms__"): arrays[n].astype(float) for n in arrays.files if n.startswith("lat_ms__")}


def known(space, architectures, values, sizes) -> Knowledge:  # type: ignore[no-untyped-def]
    """What all devices teach, each by the same `TABLE` random measurements."""
    used = np.random.default_rng(0).permutation(len(architectures))[:TABLE].tolist()
    shown = [architectures[place] for place in used]
    return Knowledge(space, [LatencyTable.of(d, shown, v[used].tolist()) for d, v in values.items()], sizes)


def chip(device: str) -> str:
    """The chip of a setting such as ``1080ti_32``."""
    head, _, batch = device.rpartition("_")
    return head if batch.isdigit() and kind(device) == "gpu" else device


def kind(device: str) -> str:
    """The kind of machine."""
    kinds = {"1080": "gpu", "2080": "gpu", "titan": "gpu", "gold": "cpu", "silver": "cpu"}
    kinds |= {"fpga": "accelerator", "eyeriss": "accelerator"}
    return next((of for begin, of in kinds.items() if device.startswith(begin)), "phone or board")


def left_out(rule: str, device: str, devices: Sequence[str]) -> list[str]:
    """Devices that nothing may be learnt from."""
    if rule == "help":
        return [other for other in devices if other not in HELP_LEARNS]
    same = chip if rule == "chip" else kind
    return [other for other in devices if same(other) == same(device)]


def measure(latencies: Latencies, rule: str, counts: Sequence[int], sample: int, task: tuple[str, int]) -> np.ndarray:
    """Correlation and coverage of a device and a seed, shape (ways, counts, 2)."""
    device, seed = task
    rng = np.random.default_rng([seed, 1])
    order = rng.permutation(len(latencies.architectures))
    pool, others = order[: len(order) // 2], order[len(order) // 2 :][:sample]
    values = latencies.values[device]
    if rule == "help":
        others = others[np.argsort(values[others])[len(others) // 10 : -(len(others) // 10)]]
    asked = [latencies.architectures[place] for place in others.tolist()]
    candidates = [latencies.architectures[place] for place in pool.tolist()]
    places = dict(zip(candidates, pool.tolist(), strict=True))
    transfer = latencies.knowledge.without(left_out(rule, device, list(latencies.values)))
    alone = transfer.without(transfer.devices)
    found = np.zeros((len(HOWS), len(counts), 2))
    for row, how in enumerate(HOWS):
        knowledge = transfer if how.startswith("transfer") else alone
        chosen = candidates[: max(counts)]
        if how.endswith("chosen"):
            chosen = choose_to_measure(knowledge, max(counts), np.random.default_rng(seed), candidates)
        for column, count in enumerate(counts):
            measured = [float(values[places[architecture]]) for architecture in chosen[:count]]
            told = LatencyPredictor.fit(knowledge, LatencyTable.of(device, chosen[:count], measured)).predict(asked)
            inside = (told.low_ms <= values[others]) & (values[others] <= told.high_ms)
            found[row, column] = spearmanr(told.latencies_ms, values[others]).statistic, inside.mean()
    return found


def ceilings(latencies: Latencies, device: str) -> np.ndarray:
    """Correlations of the multiply-adds, of twins, of rounding and of a model of half of the table, as in `LIMITS`."""
    values, descriptors = latencies.values[device], latencies.knowledge.descriptors
    order = np.random.default_rng(0).permutation(len(values))
    half, rest = order[: min(4000, len(order) // 2)], order[len(order) // 2 :]
    rows = [descriptors.rows([latencies.architectures[i] for i in part.tolist()]) for part in (half, rest)]
    additive = with_constant(rows[1]) @ robust_ridge(rows[0], values[half])
    twins = whole = np.nan
    if len(latencies.twins):
        pairs = values[np.concatenate([latencies.twins, latencies.twins[:, ::-1]])]
        twins = float(np.sqrt(spearmanr(pairs[:, 0], pairs[:, 1]).statistic))
    if (values == np.round(values)).all():
        whole = float(spearmanr(additive, np.round(additive)).statistic)
    reached = spearmanr(additive, values[rest]).statistic
    return np.array([spearmanr(latencies.macs[rest], values[rest]).statistic, twins, whole, reached])


def with_interval(of_seeds: np.ndarray) -> str:
    """Mean and half of its 95 % interval over seeds."""
    count = len(of_seeds)
    half = t.ppf(0.975, count - 1) * of_seeds.std(ddof=1) / np.sqrt(count) if count > 1 else np.nan
    return f"{of_seeds.mean():.3f} ±{half:.3f}"


def table(rule: str, counts: Sequence[int], found: np.ndarray, limits: dict[str, np.ndarray]) -> list[str]:
    """Lines of markdown; ``found`` has the shape (devices, seeds, ways, counts, 2)."""
    heads = [*LIMITS, *(f"{how} @{count}" for how in HOWS for count in counts), "coverage"]
    lines = ["| device | " + " | ".join(heads) + " |", "|---" * (1 + len(heads)) + "|"]
    rows = [(device, limits[device], found[place]) for place, device in enumerate(limits)]
    rows.append(("**mean**", np.mean(list(limits.values()), axis=0), found.mean(axis=0)))
    for device, limit, of_seeds in rows:
        cells = [f"{value:.3f}" if np.isfinite(value) else "-" for value in limit]
        cells += [with_interval(of_seeds[:, i, j, 0]) for i in range(len(HOWS)) for j in range(len(counts))]
        lines.append(f"| {device} | {' | '.join(cells)} | {with_interval(of_seeds[:, 0, :, 1].mean(axis=1))} |")
    wanted = " / ".join(f"{TARGETS[count]:.2f} @{count}" for count in counts if count in TARGETS)
    return [f"### Left out: {rule}", "", *lines, "", f"Target (T10): {wanted}.", ""]


def main() -> None:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--sample", type=int, default=2000, help="held-out architectures a seed")
    parser.add_argument("--counts", type=int, nargs="+", default=list(TARGETS))
    parser.add_argument("--space", nargs="+", choices=SPACES, default=list(SPACES))
    parser.add_argument("--left-out", nargs="+", choices=("chip", "kind", "help"), default=["chip", "kind", "help"])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", type=Path, help="a markdown file")
    args = parser.parse_args()
    versions = ", ".join(f"{name} {version(name)}" for name in ("netwright", "numpy", "scipy"))
    lines = ["# Latency of an unseen device from few measurements (T10)", "", TEXT.format(table=TABLE), ""]
    lines += [f"{versions}; seeds 0 to {args.seeds - 1}; {args.sample} held-out architectures a seed.", ""]
    print("\n".join(lines), flush=True)
    for name in args.space:
        latencies = SPACES[name](args.data)
        latencies.knowledge.descriptors.rows(latencies.architectures)  # encoded once, before workers are forked
        limits = {device: ceilings(latencies, device) for device in latencies.values}
        lines += (head := [f"## {name}", ""])
        print("\n".join(head))
        for rule in args.left_out:
            devices = HELP_TESTS[name] if rule == "help" else tuple(latencies.values)
            tasks = [(device, seed) for device in devices for seed in range(args.seeds)]
            run = partial(measure, latencies, rule, args.counts, args.sample)
            rows = in_processes(run, tasks, args.jobs)
            found = np.stack(rows).reshape(len(devices), args.seeds, len(HOWS), len(args.counts), 2)
            lines += (of_rule := table(rule, args.counts, found, {device: limits[device] for device in devices}))
            print("\n".join(of_rule), flush=True)
    if args.write:
        args.write.write_text("\n".join(lines), encoding="utf-8")


TEXT = """Spearman's correlation between predicted and measured latency over architectures that were not measured, mean
over seeds with its 95 % interval. Of every other device {table} measurements are known. `chip`: devices of the same
chip are left out, `kind`: all of its kind of machine, `help`: the devices, and the trimmed held-out architectures, of
HELP (mean .932 on NAS-Bench-201 and .910 on FBNet after 10 measurements, published). `twins`, `whole` and `all` say
what can be reached, see `benchmarks/latency_transfer.py`; `coverage` is of 90 % intervals, transfer and chosen."""


if __name__ == "__main__":
    main()
