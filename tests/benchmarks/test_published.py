"""The published benchmarks say what is published about them."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from netwright.benchmarks import BENCHMARKS, Benchmark, Table, load_benchmark
from netwright.benchmarks.macro import BLOCKS
from netwright.errors import DataError
from netwright.types import Architecture, Fidelity


def load(name: str, folder: Path) -> Table:
    table = load_benchmark(name, folder)
    assert isinstance(table, Table)
    return table


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_keeps_the_protocol(shared_data: Path, name: str) -> None:
    """Samples and their neighbours can be asked for at every fidelity; optima are over all of them."""
    table = load(name, shared_data)
    assert isinstance(table, Benchmark)
    assert name == table.name
    assert table.default_metric in table.metrics
    assert table.cost is None or table.cost in table.metrics
    rng = np.random.default_rng(0)
    for _ in range(5):
        arch = table.space.sample(rng)
        near = table.space.mutate(arch, rng)
        for asked in (arch, near, next(table.space.neighbours(near)), table.space.crossover(arch, near, rng)):
            for fidelity in (*table.fidelities[:2], table.fidelities[-1]):
                metrics = table.query(asked, fidelity)
                assert set(metrics) <= set(table.metrics)
                best = table.optimum(table.default_metric, fidelity)
                sign = 1 if table.metrics[table.default_metric].direction == "max" else -1
                assert best is not None
                assert sign * metrics[table.default_metric] <= sign * best
    assert set(table.query(arch)) == set(table.metrics)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("nasbench201-cifar10", 15_625),
        ("spikenas-cifar10", 15_625),
        ("nasbench-macro", 6_561),
        ("channel-bench-resnet", 16_384),
        ("channel-bench-mobilenet", 16_384),
        ("accel-nasbench", 5_125),
        ("hwgpt-s", 20_000),
    ],
)
def test_counts(shared_data: Path, name: str, count: int) -> None:
    """As many architectures as published (Accel-NASBench: 5,138 rows of which 13 repeat others)."""
    table = load(name, shared_data)
    assert count == table.space.count() == len(table)


@pytest.mark.parametrize(
    ("dataset", "test", "val"),
    [("cifar10", 0.9437, 0.9161), ("cifar100", 0.7351, 0.7349), ("imagenet16-120", 0.4731, 0.4673)],
)
def test_nasbench201_optima(shared_data: Path, dataset: str, test: float, val: float) -> None:
    """The best accuracies after 200 epochs (NATS-Bench 1.0; validation: release 1.0)."""
    table = load(f"nasbench201-{dataset}", shared_data)
    assert test == pytest.approx(table.optimum("test_accuracy"), abs=5e-5)
    assert val == pytest.approx(table.optimum("val_accuracy"), abs=5e-5)


def test_nasbench201_architecture_by_its_string(shared_data: Path) -> None:
    """The best network on CIFAR-10, index 6111, has its edges where the string has them."""
    with np.load(shared_data / "nasbench201" / "nasbench201.npz", allow_pickle=False) as arrays:
        text, flops, params = (arrays[name][6111] for name in ("arch_str", "cifar10__flops_M", "cifar10__params_M"))
    nodes = [part.strip("|").split("|") for part in str(text).split("+")]
    decisions = {f"edge{e.split('~')[1]}-{j}": e.split("~")[0] for j, part in enumerate(nodes, 1) for e in part}
    table = load("nasbench201-cifar10", shared_data)
    metrics = table.query(Architecture(decisions))
    assert 0.9437 == pytest.approx(metrics["test_accuracy"], abs=5e-5)
    assert (1e6 * flops, 1e6 * params) == pytest.approx((metrics["macs"], metrics["params"]))
    assert 27 == sum(metric.startswith("latency_ms_") for metric in metrics)


def test_nasbench201_is_the_space_that_can_be_built(shared_data: Path) -> None:
    """The names are those of `netwright.nn.nas_bench_201`: what is found on the table is a network there."""
    from netwright.nn.spaces import nas_bench_201

    table = load("nasbench201-cifar10", shared_data)
    rng = np.random.default_rng(0)
    assert all(nas_bench_201().contains(table.space.sample(rng)) for _ in range(20))


def test_nasbench201_isomorphic_cells_share_an_id(shared_data: Path) -> None:
    """A cell whose first node is skipped over is the cell without it."""
    table = load("nasbench201-cifar10", shared_data)
    edges = ("0-1", "0-2", "1-2", "0-3", "1-3", "2-3")
    same = [
        ("none", "none", "none", "nor_conv_3x3", "none", "none"),
        ("skip_connect", "none", "none", "none", "nor_conv_3x3", "none"),
        ("none", "skip_connect", "none", "none", "none", "nor_conv_3x3"),
    ]
    archs = [Architecture({f"edge{e}": o for e, o in zip(edges, ops, strict=True)}) for ops in same]
    assert 1 == len({table.space.canonical_id(arch) for arch in archs})


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100", "imagenet16-120"])
def test_nasbench201_training_times(shared_data: Path, dataset: str) -> None:
    """Measured for 1,000 architectures, else estimated: the estimates explain most of the measurements."""
    table = load(f"nasbench201-{dataset}", shared_data)
    short, full = (table.column("train_time_s", f) for f in table.fidelities)
    assert (short > 0).all()
    assert (full > short).all()
    ratio = np.median(full / short)
    assert 200 / 12 == pytest.approx(ratio, rel=0.15)


def test_nasbench201_fidelities(shared_data: Path) -> None:
    """12 epochs and 200, ranked alike to the degree that is known (Spearman .77 of val_12 to test_200)."""
    table = load("nasbench201-cifar10", shared_data)
    assert (Fidelity(epochs=12), Fidelity(epochs=200)) == table.fidelities
    ranks = [np.argsort(np.argsort(table.column(*c))) for c in (("val_accuracy", Fidelity(12)), ("test_accuracy",))]
    assert 0.77 == pytest.approx(np.corrcoef(ranks)[0, 1], abs=0.01)


def test_nasbench_macro_optimum(shared_data: Path) -> None:
    """93.13 at 22212202, as published."""
    table = load("nasbench-macro", shared_data)
    best = Architecture({f"layer{i}": BLOCKS[int(digit)] for i, digit in enumerate("22212202")})
    assert 0.9313 == pytest.approx(table.query(best)["test_accuracy"], abs=5e-5)
    assert table.optimum("test_accuracy") == table.query(best)["test_accuracy"]


def test_nasbench_macro_has_3969_networks(shared_data: Path) -> None:
    """Strings that an identity makes equal share an id exactly where they share a training, as Su et al. count them."""
    table = load("nasbench-macro", shared_data)
    with np.load(shared_data / "nasbench_macro" / "nasbench_macro.npz", allow_pickle=False) as arrays:
        codes, runs = arrays["arch"].tolist(), [tuple(run) for run in arrays["test_acc_runs"].tolist()]
    archs = [Architecture({f"layer{i}": BLOCKS[code] for i, code in enumerate(row)}) for row in codes]
    pairs = {(table.space.canonical_id(arch), run) for arch, run in zip(archs, runs, strict=True)}
    assert 3_969 == len(pairs) == len({i for i, _ in pairs}) == len({run for _, run in pairs})


@pytest.mark.parametrize(("design", "code", "best"), [("resnet", "4344424", 0.9389), ("mobilenet", "4444342", 0.9189)])
def test_channel_bench_optimum(shared_data: Path, design: str, code: str, best: float) -> None:
    """93.89 at 4344424 and 91.89 at 4444342."""
    table = load(f"channel-bench-{design}", shared_data)
    arch = Architecture({f"width{i}": int(digit) for i, digit in enumerate(code)})
    assert best == pytest.approx(table.query(arch)["test_accuracy"], abs=5e-5)
    assert table.optimum("test_accuracy") == table.query(arch)["test_accuracy"]


def test_spikenas_published_example(shared_data: Path) -> None:
    """Id 14862 has 21,607,908 parameters, 88.64 on validation and 88.50 on test; the best test is 89.30."""
    with np.load(shared_data / "spikenas_curves" / "spikenas_cifar10.npz", allow_pickle=False) as arrays:
        edges, names, ops = (arrays[name].tolist() for name in ("edges", "op_names", "ops"))
        seconds = float(arrays["elapsed_s"][14862]) / int(arrays["n_epochs"][14862])
    decisions = {f"edge{s}-{t}": names[op] for (s, t), op in zip(edges, ops[14862], strict=True)}
    table = load("spikenas-cifar10", shared_data)
    metrics = table.query(Architecture(decisions))
    assert 21_607_908 == metrics["params"]
    assert (0.8864, 0.885) == pytest.approx((metrics["val_accuracy"], metrics["test_accuracy"]), abs=5e-5)
    assert 0.893 == pytest.approx(table.optimum("test_accuracy"), abs=5e-5)
    early = table.query(Architecture(decisions), Fidelity(epochs=10))
    assert 10 * seconds == pytest.approx(early["train_time_s"])
    assert "test_accuracy" not in early
    assert 100 == len(table.fidelities)


def test_accel_nasbench_averages_repeats(shared_data: Path) -> None:
    """The number of an architecture that was trained twice is the mean of both."""
    with np.load(shared_data / "accel_nasbench" / "accel_nasbench.npz", allow_pickle=False) as arrays:
        codes = np.concatenate([arrays[f"arch_{letter}"] for letter in ("e", "k", "l", "se")], axis=1)
        accuracy = arrays["val_top1"]
    _, group, counts = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    twice = codes[group.reshape(-1) == np.argmax(counts)][0]
    mean = accuracy[group.reshape(-1) == np.argmax(counts)].mean() / 100
    names = ("expansion", "kernel", "layers", "squeeze")
    arch = Architecture({f"{name}{b}": int(twice[7 * i + b]) for i, name in enumerate(names) for b in range(7)})
    assert mean == pytest.approx(load("accel-nasbench", shared_data).query(arch)["val_accuracy"])


def test_hwgpt_statistics(shared_data: Path) -> None:
    """Perplexities are from 21.9 to 42.0, 32.4 on average; an architecture has the decisions of its layers only."""
    table = load("hwgpt-s", shared_data)
    column = table.column("perplexity")
    assert (21.9, 32.4, 42.0) == pytest.approx((column.min(), column.mean(), column.max()), abs=0.06)
    assert column.min() == table.optimum("perplexity")
    arch = table.space.sample(np.random.default_rng(0))
    assert arch["n_layer"] == sum(name.startswith("n_head") for name in arch)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_missing_file_says_where_the_data_come_from(tmp_path: Path, name: str) -> None:
    """Without a folder, or with an empty one, the path that is expected is named, and the source."""
    with pytest.raises(DataError, match=f"benchmark '{name}' is read from files; give data=FOLDER"):
        load_benchmark(name)
    with pytest.raises(DataError, match=r"\.npz does not exist; give as data the folder that holds .* made from \w+"):
        load_benchmark(name, tmp_path)


def test_another_version_of_a_file(tmp_path: Path) -> None:
    """An array that is not there is named, with those that are."""
    np.savez(tmp_path / "nasbench_macro.npz", arch=np.zeros((1, 8), np.int8), accuracy=np.zeros(1))
    with pytest.raises(DataError, match=r"unknown array 'mean_acc'.*; known: accuracy, arch; is it another version"):
        load_benchmark("nasbench-macro", tmp_path)


def test_folder_of_the_file_itself(shared_data: Path, tmp_path: Path) -> None:
    """The folder that holds the file is enough."""
    shutil.copy(shared_data / "nasbench_macro" / "nasbench_macro.npz", tmp_path)
    assert 6_561 == len(load("nasbench-macro", tmp_path))


@pytest.mark.parametrize("name", ["nasbench201-cifar10", "hwgpt-s", "spikenas-cifar10"])
def test_a_query_takes_microseconds(shared_data: Path, name: str) -> None:
    """Below 50 us of processor time on a busy machine, most of it the dictionary of forty metrics."""
    table = load(name, shared_data)
    rng = np.random.default_rng(0)
    archs = [table.space.sample(rng) for _ in range(1_000)]
    table.query(archs[0])
    seconds = []
    for _ in range(5):
        begin = time.process_time()
        for arch in archs:
            table.query(arch)
        seconds.append((time.process_time() - begin) / len(archs))
    assert min(seconds) < 5e-5
