"""``netwright latency``: how long an exported network takes, in all runtimes there are, side by side."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from netwright.cli.codes import FAILED
from netwright.cli.text import clean, json_line, table
from netwright.errors import SpecError, unknown, wrong

if TYPE_CHECKING:
    from torch import nn

    from netwright.cli.exported import Exported, Images
    from netwright.evaluation.latency import Accuracy, Latency, LatencySpec, Unavailable

ALL = "all"
HEADERS = ("runtime", "precision", "median ms", "95 % interval", "p90 ms", "runs", "accuracy", "note")


@dataclass(frozen=True)
class Row:
    """What was found in one runtime and precision."""

    spec: LatencySpec
    found: Latency | Unavailable
    accuracy: Accuracy | None


def latency(
    path: Annotated[Path, typer.Argument(help="Folder of a run or of an exported network.", metavar="RUN_OR_MODEL")],
    runtime: Annotated[str, typer.Option(help="all, or some with commas: torch,onnxruntime.")] = ALL,
    precision: Annotated[str, typer.Option(help="float32, int8 or all.")] = "float32",
    batch: Annotated[int, typer.Option(metavar="N", help="Examples at once.")] = 1,
    threads: Annotated[int, typer.Option(metavar="N", help="Threads of the runtime.")] = 1,
    budget: Annotated[str, typer.Option(help="Most time for the repeats in one runtime.")] = "5s",
    device_command: Annotated[str | None, typer.Option(help="Measures {onnx} elsewhere, prints milliseconds.")] = None,
    device_limit: Annotated[str, typer.Option(help="Most time for one call of that command.")] = "2m",
    data: Annotated[str | None, typer.Option(help="Data of the search, for the accuracy of int8.")] = None,
    save_int8: Annotated[Path | None, typer.Option(help="Write the network in int8 as this ONNX file.")] = None,
    allow_edited: Annotated[bool, typer.Option("--allow-edited", help="Run a model.py that was edited.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Measure the latency of an exported network in several runtimes, side by side, with intervals.

    This runs model.py in this process: measure what you made or trust.
    """
    from netwright.cli.exported import images_of, loaded
    from netwright.evaluation.latency import LatencySpec
    from netwright.types import parse_seconds

    limit_s = parse_seconds("--device-limit", device_limit, "5s or 2m")
    base = LatencySpec(batch, threads, budget_s=parse_seconds("--budget", budget, "5s or 2m"), device_limit_s=limit_s)
    specs = make_specs(base, runtime, precision, device_command)
    if save_int8 is not None:
        _check_place(save_int8, data)
    with redirect_stdout(sys.stderr), loaded(path, allow_edited=allow_edited) as network:
        images = None if data is None else images_of(network, data)
        rows = [_measure(network, spec, images) for spec in specs]
        if save_int8 is not None and images is not None:
            _save(network.model, images, replace(base, runtime="onnxruntime", precision="int8"), save_int8)
    print(json_line({"results": [_as_object(row) for row in rows]}) if as_json else _as_text(rows))
    return FAILED if all(_reason(row) for row in rows) else 0


def _check_place(path: Path, data: str | None) -> None:
    """Refuse, before anything is measured, what could not be written.

    Raises:
        SpecError: there is something at the path, no folder for it, or no data to measure ranges on.
    """
    if data is None:
        cure = "give the data of the search (--data): its training images give the ranges of int8"
        raise SpecError(wrong("--save-int8", str(path), "given with --data", cure))
    if path.exists() or not path.parent.is_dir():
        raise SpecError(wrong("--save-int8", str(path), "a new file in a folder that exists", "name another"))


def _save(model: nn.Module, images: Images, spec: LatencySpec, path: Path) -> None:
    """Write the quantised network, for inputs of ``spec.batch``."""
    from netwright.evaluation.latency import require_runtime
    from netwright.evaluation.latency.int8 import onnx_of
    from netwright.evaluation.latency.measure import fitting_examples

    require_runtime(spec)
    examples = fitting_examples(images.calibration.shape[1:], spec, images.calibration)
    path.write_bytes(onnx_of(model.eval(), examples, spec))
    print(f"int8, for inputs of {(spec.batch, *images.calibration.shape[1:])}: {path}", file=sys.stderr)


def make_specs(base: LatencySpec, runtime: str, precision: str, command: str | None) -> list[LatencySpec]:
    """What to measure: each runtime in each precision that it has.

    Args:
        base: batch, threads, budget and limit of all of them.
        runtime: ``all`` or names with commas; a device is measured where there is a command for it.
        precision: ``all`` or a name.
        command: of a device elsewhere.

    Raises:
        SpecError: an unknown name, a device without a command, a command without the device, or a precision that no
            runtime named has.
    """
    from netwright.evaluation.latency import DEVICE, PRECISIONS, RUNTIMES
    from netwright.runtimes import INT8_RUNTIMES

    local = [name for name in RUNTIMES if name != DEVICE]
    names = local if runtime == ALL else [name.strip() for name in runtime.split(",")]
    names = list(dict.fromkeys([*names, DEVICE] if command is not None else names))
    for kind, name, known in [("runtime", n, RUNTIMES) for n in names] + [("precision", precision, (*PRECISIONS, ALL))]:
        if name not in known:
            raise SpecError(unknown(kind, name, (*known, ALL) if kind == "runtime" else known))
    if DEVICE in names and command is None:
        raise SpecError(wrong("--device-command", None, "given for the runtime device"))
    specs = [
        replace(base, runtime=cast(Any, n), precision=p, device_command=(command or "") if n == DEVICE else "")
        for n in names
        for p in (PRECISIONS if precision == ALL else (cast(Any, precision),))
        if p != "int8" or n in INT8_RUNTIMES
    ]
    if not specs:
        raise SpecError(wrong("--precision", precision, f"float32 in {runtime}", f"int8: {', '.join(INT8_RUNTIMES)}"))
    return specs


def _measure(network: Exported, spec: LatencySpec, images: Images | None) -> Row:
    from netwright.evaluation.latency import Latency, measure_accuracy, measure_several

    print(f"measuring {spec.runtime} {spec.precision} ...", file=sys.stderr)
    model = network.model
    examples = network.tokens(spec.batch) if images is None else images.calibration
    (found,) = measure_several(model, network.input_shape, [spec], examples=examples)
    accuracy = None
    if images is not None and isinstance(found, Latency) and (spec.runtime == "torch" or spec.precision == "int8"):
        # in float32 the outputs were compared with those in torch, and the answers are the same
        accuracy = measure_accuracy(model, images.inputs, images.labels, spec, calibration=images.calibration)
    return Row(spec, found, accuracy)


def _reason(row: Row) -> str:
    from netwright.evaluation.latency import Unavailable

    return row.found.reason if isinstance(row.found, Unavailable) else ""


def _as_object(row: Row) -> dict[str, object]:
    from netwright.evaluation.latency import Latency

    found: dict[str, object] = {"runtime": row.spec.runtime, "precision": row.spec.precision}
    if isinstance(row.found, Latency):
        found |= row.found.to_dict()
    else:
        found |= {"unavailable": row.found.reason, "not_installed": row.found.missing, "spec": asdict(row.spec)}
    if row.accuracy is not None:
        found |= {"accuracy": row.accuracy.value, "accuracy_interval": row.accuracy.interval}
        found |= {"examples": row.accuracy.examples}
    return found


def _as_text(rows: Sequence[Row]) -> str:
    from netwright.evaluation.latency import Latency

    spec = rows[0].spec
    lines = [table(HEADERS, [_cells(row) for row in rows]), f"batch {spec.batch}, {spec.threads} thread(s)"]
    measured = [row.found for row in rows if isinstance(row.found, Latency)]
    lines += [f"machine: {clean(machine)}" for machine in dict.fromkeys(str(one.machine) for one in measured[-1:])]
    for row in rows:
        name = f"{row.spec.runtime} {row.spec.precision}"
        if isinstance(row.found, Latency):
            lines += [f"{name}: noisy: {clean(row.found.timing.noise)}"] if row.found.noisy else []
        else:
            lines.append(f"{name}: {clean(row.found.reason)}")
        if row.accuracy is not None:
            low, high = row.accuracy.interval
            lines.append(
                f"{name}: accuracy {row.accuracy.value:.4f} ({low:.4f} to {high:.4f}), {row.accuracy.examples} images"
            )
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    from netwright.evaluation.latency import Latency

    name = (row.spec.runtime, row.spec.precision)
    if not isinstance(row.found, Latency):
        return (*name, "-", "-", "-", "-", "-", "not installed" if row.found.missing else "unavailable")
    low, high = row.found.interval_ms
    numbers = (f"{row.found.median_ms:.4g}", f"{low:.4g} to {high:.4g}", f"{row.found.p90_ms:.4g}")
    right = "-" if row.accuracy is None else f"{row.accuracy.value:.4f}"
    return (*name, *numbers, str(row.found.repeats), right, "noisy" if row.found.noisy else "")
