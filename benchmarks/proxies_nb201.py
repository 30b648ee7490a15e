"""T5, T6: how zero-cost proxies, and the default ensemble, rank the networks of published tables.

    python benchmarks/proxies_nb201.py --data FOLDER [--table nasbench201] [--sample 1000] [--seed 0] [--proxies all]
        [--batch 64] [--jobs 1] [--seconds 1800] [--scores FILE.jsonl] [--write docs/figures/proxy_correlations.md]

Architectures are drawn uniformly, each name once, and built with 10 classes: NAS-Bench-201's from the nas_bench_201
space, NAS-Bench-Macro's from a space that is declared here and whose sizes are checked against the table's; images are
from cifar10_jpeg's training set. Each finished architecture is one line of the file of scores; a second run with the
same options goes on where the first stopped. The scores of CIFAR-10 are compared with the mean test accuracies (200
epochs) of all sets of images. Of each score: Spearman and Kendall over all, and inside the best tenth by
accuracy; nDCG@10 % (gain: the accuracy's place between the lowest and the highest); regret@10 in points (the best of
the sample less the best of the ten that the score likes best); 95 % intervals by bootstrap over architectures.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau, spearmanr

from netwright.benchmarks.data_files import Arrays
from netwright.benchmarks.macro import BLOCKS, STAGE_STARTS
from netwright.benchmarks.nasbench201 import cell_edges
from netwright.evaluation.proxies import PROXIES
from netwright.evaluation.proxies.ensemble import DEFAULT, aggregate, num_not_finite
from netwright.nn.blocks import conv_norm_act, mbconv
from netwright.nn.layers import global_pool, identity, linear
from netwright.nn.spaces import nas_bench_201
from netwright.nn.structures import one_of, seq
from netwright.space import SearchSpace
from netwright.space.nodes import Node

SIZES = ("params", "macs", "depth")
SETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "ImageNet16_120": "ImageNet16-120"}
PUBLISHED = {
    "params": 0.72,
    "macs": 0.69,
    "naswot": 0.77,
    "jacob_cov": 0.75,
    "synflow": 0.73,
    "zen": 0.35,
    "snip": 0.58,
    "grad_norm": 0.58,
    "grasp": 0.51,
    "fisher": 0.50,
}
DIFFERENCES = """Published: NAS-Bench-Suite-Zero, Spearman to the validation accuracy of CIFAR-10 over its sample. Here:
test accuracy; JPEG copies of the images; weights as torch draws them; evaluation mode but for BatchNorm, which uses the
statistics of the batch; every weight of two dimensions or more, where some implementations count convolutions and
linear layers only; architectures without a path from the input to the output are in the sample and rank last where a
score is not a number."""
TARGETS = "Targets (T5): ensemble .93 / .93 / .92, inside the best tenth >= .45; (T6) <= 1 s an architecture and core."
CLASSES = 10


@cache
def images(data: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first images of the training set, as many of each class as can be, standardised, and their classes."""
    from PIL import Image

    with np.load(data / "cifar10_jpeg" / "train.npz", allow_pickle=False) as z:
        joined, offsets, labels = z["jpeg"], z["offsets"], z["labels"].astype(np.int64)
    turns = np.zeros(len(labels), dtype=np.int64)
    for label in range(CLASSES):
        turns[labels == label] = np.arange((labels == label).sum())
    chosen = np.lexsort((np.arange(len(labels)), turns))[:count]
    files = (io.BytesIO(joined[offsets[i] : offsets[i + 1]].tobytes()) for i in chosen)
    pixels = np.stack([np.asarray(Image.open(file)) for file in files]).transpose(0, 3, 1, 2) / 255.0
    mean, std = pixels.mean((0, 2, 3), keepdims=True), pixels.std((0, 2, 3), keepdims=True)
    return ((pixels - mean) / std).astype(np.float32), labels[chosen]


@dataclass(frozen=True)
class Networks:
    """A table whose networks can be built: decisions, parameters and accuracies (points, by images) of each row."""

    space: SearchSpace
    decisions: list[dict[str, str]]
    params: np.ndarray
    accuracies: dict[str, np.ndarray]
    published: dict[str, float]
    note: str


@cache
def networks(table: str, data: Path) -> Networks:
    """A table by its name."""
    return {"nasbench201": nasbench201, "nasbench-macro": nasbench_macro}[table](data)


def nasbench201(data: Path) -> Networks:
    """NAS-Bench-201, with three sets of images."""
    path = data / "nasbench201" / "nasbench201.npz"
    with np.load(path, allow_pickle=False) as z:
        arrays = Arrays(path, {name: z[name] for name in z.files})
    names, edges = arrays.names("op_names"), list(cell_edges(arrays))
    decisions = [{edge: names[code] for edge, code in zip(edges, row, strict=True)} for row in arrays["ops"].tolist()]
    accuracies = {title: arrays[f"{key}__test_200"].astype(float) for key, title in SETS.items()}
    params = 1e6 * arrays["cifar10__params_M"].astype(float)
    return Networks(nas_bench_201((3, 32, 32), CLASSES), decisions, params, accuracies, PUBLISHED, DIFFERENCES)


def nasbench_macro(data: Path) -> Networks:
    """NAS-Bench-Macro: a stem of 32 channels, eight layers that end with 256, a head of 1,280."""
    with np.load(data / "nasbench_macro" / "nasbench_macro.npz", allow_pickle=False) as z:
        rows, accuracy, params = z["arch"].astype(int).tolist(), z["mean_acc"].astype(float), z["params"].astype(float)
    layers: list[Node] = []
    for place in range(len(rows[0])):
        new = place in STAGE_STARTS
        channels, stride = 64 * 2 ** (sum(start <= place for start in STAGE_STARTS) - 1), 2 if new else 1
        skip = conv_norm_act(channels, 1, stride, activation="identity") if new else identity()
        made = (mbconv(channels, k, stride, expand=e, activation="relu") for k, e in ((3, 3), (5, 6)))
        layers.append(one_of(f"layer{place}", dict(zip(BLOCKS, (skip, *made), strict=True))))
    ends = (conv_norm_act(32), seq(conv_norm_act(1280, kernel=1), global_pool(), linear(CLASSES)))
    decisions = [{f"layer{place}": BLOCKS[code] for place, code in enumerate(row)} for row in rows]
    space = SearchSpace(seq(ends[0], *layers, ends[1]))
    return Networks(space, decisions, params, {"CIFAR-10": accuracy}, {}, "The mean of three trainings.")


def measure(args: argparse.Namespace, names: Sequence[str], row: int) -> dict[str, object]:
    """Scores and sizes of one row of the table, and seconds of the processor; shared passes are the first asker's."""
    import torch

    from netwright.errors import CapabilityError
    from netwright.evaluation.proxies.probe import Probe
    from netwright.nn.building import build
    from netwright.nn.profiling import profile

    torch.set_num_threads(1)
    known = networks(args.table, args.data)
    term = known.space.resolve(known.space.architecture(known.decisions[row]))
    size = profile(term, input_shape=(3, 32, 32))
    assert abs(size.params - known.params[row]) <= 1, (
        size.params,
        known.params[row],
    )  # the table's networks, no others
    values: dict[str, float] = {"params": size.params, "macs": size.macs, "depth": size.depth}
    inputs, labels = (torch.from_numpy(part) for part in images(args.data, args.batch))
    seconds: dict[str, float] = {}
    begin_s = time.process_time()
    model = build(term, input_shape=(3, 32, 32), seed=args.seed)
    seconds["build"] = time.process_time() - begin_s
    with Probe(model, inputs, labels, seed=args.seed) as probe:
        for name in names:
            begin_s = time.process_time()
            try:
                lacks = PROXIES[name].why_not(probe)
                values[name] = math.nan if lacks else float(PROXIES[name].score(probe))
            except CapabilityError:
                values[name] = math.nan
            seconds[name] = time.process_time() - begin_s
    return {"row": row, "values": {name: repr(float(value)) for name, value in values.items()}, "seconds": seconds}


def read(path: Path, conditions: dict[str, object]) -> dict[int, dict]:
    """What an earlier run found, by row; a torn last line is left out.

    Raises:
        SystemExit: it was made under other conditions.
    """
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    if lines and json.loads(lines[0]) != conditions:
        raise SystemExit(f"{path} was made with {lines[0]}, wanted {json.dumps(conditions)}; give another --scores")
    return {line["row"]: line for line in map(json.loads, lines[1:])}


def collect(args: argparse.Namespace, names: Sequence[str]) -> dict[int, dict]:
    """Score the sample, or as much of it as there is time for; each result is written when it is there."""
    rows = len(networks(args.table, args.data).decisions)
    wanted = np.random.default_rng(args.seed).permutation(rows)[: args.sample].tolist()
    conditions = {"table": args.table, "proxies": list(names), "batch": args.batch, "seed": args.seed}
    conditions["torch"] = version("torch")
    known = read(args.scores, conditions)
    end_s = time.monotonic() + args.seconds
    if not known:
        args.scores.parent.mkdir(parents=True, exist_ok=True)
        args.scores.write_text(json.dumps(conditions) + "\n", encoding="utf-8")
    text = args.scores.read_text(encoding="utf-8")
    args.scores.write_text(text[: text.rfind("\n") + 1], encoding="utf-8")  # without a torn line
    with args.scores.open("a", encoding="utf-8") as file:
        for found in results(args, names, [row for row in wanted if row not in known], end_s):
            known[int(str(found["row"]))] = found
            file.write(json.dumps(found) + "\n")
            file.flush()
    return {row: known[row] for row in wanted if row in known}


def results(args: argparse.Namespace, names: Sequence[str], rows: list[int], end_s: float) -> Iterator[dict]:
    """Results as they come, until the time is up."""
    images(args.data, args.batch)  # decoded once, before workers fork
    if args.jobs == 1:
        for row in rows:
            if time.monotonic() >= end_s:
                return
            yield measure(args, names, row)
        return
    with ProcessPoolExecutor(args.jobs, get_context("fork")) as workers:
        for start in range(0, len(rows), 4 * args.jobs):
            if time.monotonic() >= end_s:
                return
            waiting = [workers.submit(measure, args, names, row) for row in rows[start : start + 4 * args.jobs]]
            yield from (done.result() for done in wait(waiting).done)


def last_if_not_finite(score: np.ndarray) -> np.ndarray:
    """The score; what is not finite is a little below the lowest that is."""
    finite = score[np.isfinite(score)]
    return np.where(np.isfinite(score), score, (finite.min() if len(finite) else 0.0) - 1.0)


def figures(score: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Spearman, Kendall, both inside the best tenth, nDCG@10 %, regret@10 in points."""
    best = truth >= np.quantile(truth, 0.9)
    told = []
    for where in (np.ones(len(truth), dtype=bool), best):
        told += [spearmanr(score[where], truth[where]).statistic, kendalltau(score[where], truth[where]).statistic]
    gain = (truth - truth.min()) / np.ptp(truth)
    count = min(len(truth), max(10, len(truth) // 10))
    discount = 1 / np.log2(np.arange(2, count + 2))
    liked = np.argsort(-score, kind="stable")
    ndcg = (gain[liked[:count]] * discount).sum() / (np.sort(gain)[::-1][:count] * discount).sum()
    return np.array([*told, ndcg, truth.max() - truth[liked[:10]].max()])


HEADS = ("Spearman", "Kendall", "Spearman, best tenth", "Kendall, best tenth", "nDCG@10 %", "regret@10")


def with_intervals(score: np.ndarray, truth: np.ndarray, draws: int) -> list[str]:
    """Figures with 95 % percentile intervals of a bootstrap over architectures."""
    rng = np.random.default_rng(0)
    with np.errstate(invalid="ignore"):
        samples = [figures(score[i], truth[i]) for i in (rng.integers(0, len(truth), len(truth)) for _ in range(draws))]
        ends = np.nanquantile(np.array(samples), (0.025, 0.975), axis=0).T
        return [f"{v:.3f} ({a:.3f} to {b:.3f})" for v, (a, b) in zip(figures(score, truth), ends, strict=True)]


def better_than_params(scores: dict[str, np.ndarray], truth: np.ndarray, draws: int) -> str:
    """By how much the ensemble's Spearman is above that of params, with an interval over the same draws."""
    rng, n = np.random.default_rng(0), len(truth)
    resampled = [np.arange(n), *(rng.integers(0, n, n) for _ in range(draws))]
    told = [[spearmanr(scores[name][i], truth[i]).statistic for i in resampled] for name in ("ensemble", "params")]
    more = np.subtract(*told)
    low, high = np.nanquantile(more[1:], (0.025, 0.975))
    return f"Spearman of the ensemble less that of params: {more[0]:+.3f} ({low:+.3f} to {high:+.3f})."


def columns(found: dict[int, dict]) -> dict[str, np.ndarray]:
    """Scores by name, the default ensemble last."""
    names = list(next(iter(found.values()))["values"])
    scores = {name: np.array([float(one["values"][name]) for one in found.values()]) for name in names}
    if set(DEFAULT) <= set(scores):
        scores["ensemble"] = aggregate({name: scores[name] for name in DEFAULT})
    return scores


def report(found: dict[int, dict], known: Networks, draws: int) -> list[str]:
    """All tables."""
    import warnings

    warnings.simplefilter("ignore")  # constant scores have no correlation, which the tables show as nan
    scores, rows = columns(found), list(found)
    usable = {name: last_if_not_finite(score) for name, score in scores.items()}
    truths = {title: accuracies[rows] for title, accuracies in known.accuracies.items()}
    lines = [TARGETS, "", f"Default ensemble: {', '.join(DEFAULT)}.", "", known.note, ""]
    lines += [f"{len(rows)} architectures.", ""]
    for title, truth in truths.items():
        lines += [f"## {title}", "", "| score | " + " | ".join(HEADS) + " |", "|---" * (1 + len(HEADS)) + "|"]
        for name, score in usable.items():
            lines.append(f"| {name} | " + " | ".join(with_intervals(score, truth, draws)) + " |")
        if "ensemble" in usable:
            lines += ["", better_than_params(usable, truth, draws)]
        lines.append("")
    lines += ["## Size, cost and published figures", ""]
    lines += ["| score | with params | published | ours (CIFAR-10) | not finite | s an architecture |"]
    lines += ["|---" * 6 + "|"]
    missing = num_not_finite(scores)
    for name, score in usable.items():
        ours = spearmanr(score, truths["CIFAR-10"]).statistic
        size = spearmanr(score, usable["params"]).statistic
        members = ("build", *DEFAULT) if name == "ensemble" else (name,)
        cost = np.mean([sum(one["seconds"].get(member, 0.0) for member in members) for one in found.values()])
        published = f"{known.published[name]:.2f}" if name in known.published else "-"
        lines.append(f"| {name} | {size:.3f} | {published} | {ours:.3f} | {missing[name]} | {cost:.3f} |")
    return lines


def main() -> None:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--table", choices=("nasbench201", "nasbench-macro"), default="nasbench201")
    parser.add_argument("--sample", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--proxies", default="all", help="all, default, or names separated by commas")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after so many; a second run goes on")
    parser.add_argument("--bootstrap", type=int, default=200)
    parser.add_argument("--scores", type=Path, default=Path("proxies.jsonl"))
    parser.add_argument("--write", type=Path, help="markdown file for the tables")
    args = parser.parse_args()
    asked = {"all": list(PROXIES), "default": list(DEFAULT)}.get(args.proxies, args.proxies.split(","))
    names = [name for name in asked if name not in SIZES]
    if unknown := [name for name in names if name not in PROXIES]:
        parser.error(f"unknown proxies {unknown}; known: {', '.join(PROXIES)}")
    found = collect(args, names)
    if not found:
        parser.error("no architecture was scored; give more --seconds")
    versions = ", ".join(f"{name} {version(name)}" for name in ("netwright", "torch", "numpy", "scipy"))
    options = (
        f"--table {args.table} --sample {args.sample} --seed {args.seed} --proxies {args.proxies} --batch {args.batch}"
    )
    lines = [f"# Zero-cost proxies on {args.table} (T5, T6)", "", f"{versions}; 95 % intervals by bootstrap.", ""]
    lines += [f"    python benchmarks/proxies_nb201.py --data FOLDER {options}", ""]
    lines += report(found, networks(args.table, args.data), args.bootstrap)
    print("\n".join(lines))
    if args.write:
        args.write.write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
