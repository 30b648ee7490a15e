"""Does an exported network do what it did in the search? Run it without netwright, compare, and measure again.

``model.py`` is code, and verifying it runs it (in a process of its own, but with the rights of the user). It is run
only if it is, by its SHA-256, the file that the card says was exported; verify exports that you made or trust. All
other files are data and are checked before they are loaded.

What is compared, and how closely:

* the outputs of ``model.py`` with ``weights.safetensors``, and of ``model.onnx`` (four inputs together, and each
  alone), on fixed inputs (`probe_inputs`), with the outputs recorded when the network of the search was exported:
  the largest absolute difference is at most `TOLERANCE` x max(1, largest absolute output). On the machine of the
  export the outputs of ``model.py`` are equal bit for bit; another processor or torch may sum in another order;
* right answers on the examples given, through both files, with the card's ``SPLIT_accuracy``: at most
  1 + examples // 2000 may differ, which borderline examples do when sums are rounded otherwise; where a task does not
  count right answers its own metrics are computed again (`Scoring`);
* the number of parameters and the names of the classes, with the card's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from netwright.errors import ExportError, VerificationError, shorten, wrong
from netwright.export.card import Card, Export
from netwright.export.check import Check, Comparison, Remeasured, Rescored, Runtime
from netwright.export.files import Bundle, read_bundle, record
from netwright.export.onnx_file import check_onnx, missing_package
from netwright.export.probe import outputs_digest, probe_inputs
from netwright.export.process import TIMEOUT_S, Array, Outcome, Run, run_isolated
from netwright.export.weights import check_weights
from netwright.tasks.base import Task

TOLERANCE: Mapping[Runtime, float] = {"torch": 1e-5, "onnxruntime": 1e-4}
"""Largest difference, relative to the largest output (at least 1), for float32."""

Examples = tuple[Array, Array]
"""Stored values (N, *input shape), as a task gives them, and targets (N, ...): class numbers without a `Scoring`."""

NOT_MEASURED = (
    "the metric was not measured again, only outputs were compared; to measure it, give the data of the search "
    "(--data DATA on the command line, examples=... in Python)"
)
"""The note of a check that got no examples."""

_SCORED_VALUES = 1 << 22
"""Of the outputs that a task scores at once: a loss may need many times their memory."""


@dataclass(frozen=True)
class Scoring:
    """How outputs are scored where they are no classes.

    Args:
        scores: of outputs (N, ...) float64 and targets (N, ...): metrics by name.
        ranges: least and greatest value of each metric.
        spans: by how much the answer to all examples changes a metric, where its range has no end: 1 for an error rate.
    """

    scores: Callable[[Array, Array], Mapping[str, float]]
    ranges: Mapping[str, tuple[float, float]]
    spans: Mapping[str, float] = field(default_factory=dict)

    def tolerance(self, metric: str, value: float, examples: int) -> float:
        """By how much a metric may differ: what one example in a thousand, at least one, can make."""
        low, high = self.ranges.get(metric, (-np.inf, np.inf))
        share = (1 + examples // 1000) / examples
        span = self.spans.get(metric, high - low)
        return float(max(1e-3 * abs(value), (span if np.isfinite(span) else abs(value)) * share, 1e-6))


def scoring_of(task: Task) -> Scoring | None:
    """How a task scores outputs; None for one that counts right answers."""
    if task.classifies:
        return None

    own: int | None = getattr(task, "scored_at_once", None)
    at_once = own or max(1, _SCORED_VALUES // max(1, math.prod(task.output_shape)))

    def scores(outputs: Array, targets: Array) -> Mapping[str, float]:
        import torch

        parts = (slice(start, start + at_once) for start in range(0, len(outputs), at_once))
        found = task.scores(
            (torch.from_numpy(outputs[part]).float(), torch.from_numpy(np.array(targets[part]))) for part in parts
        )
        return {name: value for name, value in found.items() if name != "loss"}

    return Scoring(scores, task.metric_ranges, getattr(task, "tolerance_spans", {}))


@dataclass
class _Findings:
    """What an examination has found so far."""

    comparisons: list[Comparison] = field(default_factory=list)
    remeasured: list[Remeasured] = field(default_factory=list)
    rescored: list[Rescored] = field(default_factory=list)
    scoring: Scoring | None = None
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def check(self, outcome: Outcome | None = None) -> Check:
        """The findings as they stand."""
        return Check(
            passed=not self.failures,
            comparisons=tuple(self.comparisons),
            remeasured=tuple(self.remeasured),
            failures=tuple(self.failures),
            notes=tuple(self.notes),
            params=None if outcome is None else outcome.params,
            versions=() if outcome is None else outcome.versions,
            rescored=tuple(self.rescored),
        )


def verify(
    folder: Path | str,
    *,
    examples: Mapping[str, Examples] | None = None,
    class_names: Sequence[str] | None = None,
    allow_edited: bool = False,
    timeout_s: float = TIMEOUT_S,
    scoring: Scoring | None = None,
) -> Check:
    """Verify an export, loudly.

    Args:
        folder: what `export_network` wrote. Its ``model.py`` is run.
        examples: data by split, such as ``{"test": task.test()}``, to measure the accuracy on again. Without it only
            outputs are compared, which a note of the result says.
        class_names: the classes' names in the order of the labels in ``examples``, compared with the model's.
        allow_edited: run a ``model.py`` that was edited since the export, too, and only note that it was.
        timeout_s: seconds without progress, such as another batch done, after which the network is taken to hang.
        scoring: how outputs are scored where they are no classes.

    Returns:
        What was compared; ``passed`` is true.

    Raises:
        VerificationError: something differs; all failures with their numbers.
        SpecError: the folder is no export.
    """
    check = examine(
        folder,
        examples=examples,
        class_names=class_names,
        allow_edited=allow_edited,
        timeout_s=timeout_s,
        scoring=scoring,
    )
    if not check.passed:
        raise VerificationError(f"{folder} does not do what it did in the search: {'; '.join(check.failures)}")
    return check


def examine(
    folder: Path | str,
    *,
    examples: Mapping[str, Examples] | None = None,
    class_names: Sequence[str] | None = None,
    allow_edited: bool = False,
    timeout_s: float = TIMEOUT_S,
    scoring: Scoring | None = None,
) -> Check:
    """As `verify`, but failures are returned in the `Check`.

    Raises:
        SpecError: the folder is no export.
    """
    bundle = read_bundle(Path(folder))
    check = _examine(bundle, examples or {}, class_names, allow_edited, timeout_s, _Findings(scoring=scoring))
    return check if examples else replace(check, notes=(*check.notes, NOT_MEASURED))


def _examine(
    bundle: Bundle,
    examples: Mapping[str, Examples],
    class_names: Sequence[str] | None,
    allow_edited: bool,
    timeout_s: float,
    found: _Findings,
) -> Check:
    may_run = _check_files(bundle, allow_edited, found)
    for name, content in bundle.files.items():
        if name != "model.py" and not _check_data(name, content, found):
            may_run = False
    if not may_run:
        return found.check()
    files = dict(bundle.files)
    missing = missing_package() if "model.onnx" in files else None
    if missing is not None:
        found.notes.append(f"model.onnx was not checked: {missing}")
        del files["model.onnx"]
    if class_names is not None and tuple(class_names) != bundle.card.class_names:
        found.failures.append(_differ("class names of the data", tuple(class_names), bundle.card.class_names))
    try:
        outcome = run_bundle(Bundle(bundle.card, files), examples, timeout_s=timeout_s)
    except ExportError as error:
        found.failures.append(str(error))
        return found.check()
    return judge(bundle.card, outcome, examples, found)


def run_bundle(
    bundle: Bundle,
    examples: Mapping[str, Examples],
    *,
    export: str = "",
    timeout_s: float = TIMEOUT_S,
    blocked: tuple[str, ...] = (),
) -> Outcome:
    """Run the files of an export on the probe and on examples.

    Args:
        bundle: what to run; its card has its `Export`.
        examples: by split.
        export: exporter that is to write model.onnx first; empty for none.
        timeout_s: as of `Run`.
        blocked: packages it must do without.

    Raises:
        ExportError: it fails.
        VerificationError: examples do not fit the network.
    """
    details = _details(bundle.card)
    probe = details.probe
    inputs: dict[str, Array] = {
        "probe": probe_inputs(
            details.input.shape,
            seed=probe.seed,
            batch=probe.batch,
            dtype=details.input.dtype,
            num_values=probe.num_values,
        )
    }
    for number, (split, (x, y)) in enumerate(examples.items()):
        if len(x) != len(y) or len(x) == 0 or x.shape[1:] != details.input.shape:
            allowed = f"arrays (N, {', '.join(map(str, details.input.shape))}) and (N,), N > 0"
            raise VerificationError(wrong(f"examples[{split!r}]", (x.shape, y.shape), allowed))
        inputs[f"split{number}"] = x
    targets = {f"split{number}": np.asarray(y) for number, (_, y) in enumerate(examples.values())}
    return run_isolated(Run(bundle.files, inputs, probe.batch, probe.threads, export, timeout_s, blocked, targets))


def judge(
    card: Card,
    outcome: Outcome,
    examples: Mapping[str, Examples],
    found: _Findings | None = None,
    *,
    scoring: Scoring | None = None,
) -> Check:
    """Compare what a run gave with what the card says."""
    found = found or _Findings(scoring=scoring)
    if outcome.class_names != card.class_names:
        found.failures.append(_differ("class names in model.py", outcome.class_names, card.class_names))
    params = card.metrics.get("params")
    if params is not None and params != outcome.params:
        found.failures.append(f"model.py has {outcome.params} parameters, the card says {params:g}")
    for (runtime, key), outputs in outcome.outputs.items():
        if key in ("probe", "alone"):
            batch = 1 if key == "alone" else _details(card).probe.batch
            _compare(card, "torch" if runtime == "torch" else "onnxruntime", batch, outputs, found)
    for number, (split, (_, labels)) in enumerate(examples.items()):
        for runtime in TOLERANCE:
            if (runtime, f"split{number}") in outcome.outputs:
                again = _remeasure if found.scoring is None else _rescore
                again(card, split, runtime, outcome.outputs[runtime, f"split{number}"], labels, found)
    return found.check(outcome)


def _check_files(bundle: Bundle, allow_edited: bool, found: _Findings) -> bool:
    """Compare the files with the card's list; whether model.py may be run."""
    recorded = _details(bundle.card).files
    may_run = True
    for name in ("model.py", "weights.safetensors", "model.onnx"):
        wanted = recorded.get(name)
        content = bundle.files.get(name)
        if content is None:
            if wanted is not None or name != "model.onnx":
                found.failures.append(f"{name} is missing")
                may_run = may_run and name == "model.onnx"
            continue
        digest = record(content).sha256
        if wanted is not None and wanted.sha256 == digest:
            continue
        what = f"{name} is not the file that was exported (SHA-256 {digest[:12]}, the card says "
        what += f"{'nothing' if wanted is None else wanted.sha256[:12]})"
        if name == "model.py" and allow_edited:
            found.notes.append(f"{what}; run all the same, as allowed")
            continue
        if name == "model.py":
            what += "; it was not run; allow edited files (--allow-edited) to run it"
            may_run = False
        found.failures.append(what)
    return may_run


def _check_data(name: str, content: bytes, found: _Findings) -> bool:
    """Look at weights or ONNX before anything loads them; whether it may be loaded."""
    try:
        if name == "weights.safetensors":
            check_weights(content)
        elif missing_package() is None:
            check_onnx(content)
    except ExportError as error:
        found.failures.append(str(error))
        return False
    return True


def _compare(card: Card, runtime: Runtime, batch: int, outputs: Array, found: _Findings) -> None:
    probe = _details(card).probe
    if outputs.shape != probe.shape:
        found.failures.append(_differ(f"shape of the outputs ({runtime})", outputs.shape, probe.shape))
        return
    reference = np.asarray(probe.values)
    now = outputs.astype(np.float64).ravel()[: len(reference)]
    tolerance = TOLERANCE[runtime] * max(1.0, float(np.abs(reference).max(initial=0.0)))
    difference = float(np.abs(now - reference).max(initial=0.0))
    shown = difference if np.isfinite(difference) else float(np.finfo(np.float64).max)
    found.comparisons.append(Comparison(runtime, batch, shown, tolerance, outputs_digest(outputs) == probe.sha256))
    if not difference <= tolerance:
        where = int(np.argmax(np.abs(now - reference)))
        found.failures.append(
            f"outputs ({runtime}, batch of {batch}) differ from those of the search by {difference:.3g}, "
            f"allowed {tolerance:.3g} (output {where}: {now[where]:.6g} instead of {reference[where]:.6g})"
        )


def _remeasure(card: Card, split: str, runtime: Runtime, outputs: Array, labels: Array, found: _Findings) -> None:
    examples = len(labels)
    correct = int((outputs.argmax(axis=1) == labels).sum())
    accuracy = card.metrics.get(f"{split}_accuracy")
    tolerance = 1 + examples // 2000
    recorded = None if accuracy is None else round(accuracy * examples, 6)
    found.remeasured.append(Remeasured(split, runtime, examples, correct, recorded, tolerance))
    if recorded is None or accuracy is None:
        found.notes.append(f"the card has no {split}_accuracy to compare {correct / examples:.4f} ({runtime}) with")
    elif not abs(recorded - correct) <= tolerance:
        found.failures.append(
            f"{split}_accuracy ({runtime}) is {correct / examples:.4f} ({correct} of {examples} right), the card says "
            f"{accuracy:.4f} ({recorded:g}), at most {tolerance} may differ"
        )


def _rescore(card: Card, split: str, runtime: Runtime, outputs: Array, targets: Array, found: _Findings) -> None:
    assert found.scoring is not None
    for metric, value in found.scoring.scores(outputs, targets).items():
        recorded = card.metrics.get(f"{split}_{metric}")
        tolerance = found.scoring.tolerance(metric, value, len(targets))
        again = Rescored(split, runtime, len(targets), metric, value, recorded, tolerance)
        found.rescored.append(again)
        if recorded is None:
            found.notes.append(f"the card has no {split}_{metric} to compare {value:.4g} ({runtime}) with")
        elif not again.is_kept:
            found.failures.append(
                f"{split}_{metric} ({runtime}) is {value:.6g} on {len(targets)} examples, the card says "
                f"{recorded:.6g}, they may differ by {tolerance:.2g}"
            )


def _details(card: Card) -> Export:
    assert card.export is not None, "cards of a bundle have it"
    return card.export


def _differ(what: str, now: object, recorded: object) -> str:
    return f"{what}: {shorten(now)}, the card says {shorten(recorded)}"
