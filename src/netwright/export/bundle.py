"""Writes a trained network as files that stand alone: source, weights, ONNX and the card, verified before they appear.

The network of the search gives the outputs that everything else is compared with; then the files are run where
netwright cannot be imported, and only what passes is put in its place. Knows nothing of strategies and stores.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from netwright.errors import ExportError, VerificationError, shorten
from netwright.export.card import Card, Export, FileName, InputRecord, Probe
from netwright.export.check import Check
from netwright.export.files import Bundle, check_out, record, write_bundle
from netwright.export.info import output_shape
from netwright.export.onnx_file import check_onnx, missing_package
from netwright.export.own_class import PACKAGES
from netwright.export.probe import outputs_digest, probe_inputs
from netwright.export.process import Outcome
from netwright.export.source import model_source, own_classes
from netwright.export.verify import Examples, Scoring, judge, run_bundle
from netwright.export.weights import read_weights, write_weights
from netwright.space.terms import Term
from netwright.tasks.base import ExportInfo

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)

EXPORTERS = ("trace", "dynamo")
"""How ONNX is made, the first that works: torch's tracing exporter (0.7 s), then the newer one (9 to 30 s)."""

PROBE_BATCH = 4
MAX_PROBE_VALUES = 4096


@dataclass(frozen=True, slots=True)
class _Made:
    """The files with their card, and the check of them."""

    bundle: Bundle
    check: Check


def export_network(
    term: Term,
    weights: Mapping[str, torch.Tensor] | Path,
    *,
    info: ExportInfo,
    out: Path | str,
    card: Card,
    onnx: bool = True,
    examples: Mapping[str, Examples] | None = None,
    scoring: Scoring | None = None,
) -> Path:
    """Write OUT/{model.py, weights.safetensors, model.onnx, card.json}, all or nothing.

    Args:
        term: the network as it was trained (see `ImageClassification.network`).
        weights: its state dictionary, or a safetensors file with it; data that the term gives to the network, such as
            a graph, may be missing.
        info: of the task.
        out: folder that does not exist, is empty, or holds an earlier export, which is replaced.
        card: what is known of the network; ``class_names``, missing ``versions``, ``export`` and ``check`` are
            filled in.
        onnx: whether to write model.onnx too. Where that is impossible (a package is missing, an operation cannot be
            written in ONNX) the card says why, and the rest is exported.
        examples: data by split, such as ``{"test": task.test()}``, to measure the card's metrics on again.
        scoring: how outputs are scored where they are no classes.

    Returns:
        ``out``.

    Raises:
        ExportError: the network cannot be written, or ``out`` is something else.
        VerificationError: what would be written does not do what the network of the search does; nothing is written.
    """
    out = Path(out)
    check_out(out)
    if len(info.class_names) != len(set(info.class_names)):
        _log.warning("several classes have the same name: %s", shorten(info.class_names))
    given = read_weights(weights) if isinstance(weights, Path) else weights
    source = model_source(term, info).encode("utf-8", "strict")
    tensors = _whole(term, given, info)
    files = {"model.py": source, "weights.safetensors": write_weights(tensors)}
    probe = probe_of(term, tensors, info)
    inputs = InputRecord(tuple(info.input_shape), info.input_dtype, info.scale, tuple(info.mean), tuple(info.std))
    details = Export(inputs, {}, probe)
    card = replace(
        card, class_names=tuple(info.class_names), versions={**_versions(), **card.versions}, export=details, check=None
    )
    homes = {cls.__module__.split(".", maxsplit=1)[0] for cls in own_classes(term)} - PACKAGES - {"__main__"}
    made = _make(Bundle(card, files), examples or {}, onnx, tuple(sorted(homes)), scoring)
    if not made.check.passed:
        raise VerificationError(
            f"{out} was not written, since it would not do what it did in the search: {'; '.join(made.check.failures)}"
        )
    return write_bundle(made.bundle, out)


def _make(
    bundle: Bundle, examples: Mapping[str, Examples], onnx: bool, homes: tuple[str, ...], scoring: Scoring | None
) -> _Made:
    """Add model.onnx, if it can be had, and check all where ``homes`` cannot be imported; the check may have failed."""
    reasons = [] if onnx else ["it was not asked for"]
    for exporter in EXPORTERS if onnx else ():
        missing = missing_package(("onnxscript",) if exporter == "dynamo" else ())
        if missing is not None:
            reasons.append(str(missing))
            break
        try:
            outcome = run_bundle(bundle, examples, export=exporter, blocked=homes)
            check_onnx(outcome.onnx or b"")
        except ExportError as error:
            reasons.append(f"exporter {exporter!r}: {error}")
            continue
        torch_only = {key: value for key, value in outcome.outputs.items() if key[0] == "torch"}
        source_alone = _finish(
            bundle, replace(outcome, outputs=torch_only, onnx=None, opset=None), examples, "", scoring
        )
        if not source_alone.check.passed:
            return source_alone
        made = _finish(bundle, outcome, examples, "", scoring)
        if made.check.passed:
            return made
        reasons.append(f"exporter {exporter!r}: {'; '.join(made.check.failures)}")
    note = f"there is no model.onnx: {'; '.join(reasons)}"
    if onnx:
        _log.warning("%s", note)
    return _finish(bundle, run_bundle(bundle, examples, blocked=homes), examples, note, scoring)


def _finish(
    bundle: Bundle, outcome: Outcome, examples: Mapping[str, Examples], note: str, scoring: Scoring | None
) -> _Made:
    """Judge a run, and complete the card by it."""
    card, files = bundle.card, dict(bundle.files)
    assert card.export is not None
    if outcome.onnx is not None:
        files["model.onnx"] = outcome.onnx
    records = {cast(FileName, name): record(content) for name, content in files.items()}
    details = replace(card.export, files=records, opset=outcome.opset, onnx_note=note)
    check = judge(card, outcome, examples, scoring=scoring)
    return _Made(Bundle(replace(card, export=details, check=check), files), check)


def _whole(term: Term, weights: Mapping[str, torch.Tensor], info: ExportInfo) -> dict[str, torch.Tensor]:
    """Weights with the data that the term gives to the network."""
    from netwright import nn
    from netwright.nn.building import whole_state

    model = nn.build(term, input_shape=info.input_shape, seed=0, input_dtype=info.input_dtype)
    return whole_state(model, weights)


def probe_of(term: Term, weights: Mapping[str, torch.Tensor], info: ExportInfo) -> Probe:
    """Outputs of the network as the search builds it, on fixed inputs.

    Raises:
        ExportError: the weights are not those of the network, or its outputs are NaN, infinite, or not one a class.
    """
    import torch

    from netwright import nn

    model = nn.build(term, input_shape=info.input_shape, seed=0, input_dtype=info.input_dtype)
    try:
        model.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise ExportError(f"weights do not fit the network: {' '.join(str(error).split())[:400]}") from error
    model.eval()
    inputs = probe_inputs(
        tuple(info.input_shape), batch=PROBE_BATCH, dtype=info.input_dtype, num_values=info.num_values
    )
    with torch.inference_mode():
        outputs = model(torch.from_numpy(inputs))
    wanted = output_shape(info)
    if tuple(outputs.shape) != (PROBE_BATCH, *wanted):
        what = f"one output for each of {wanted[0]} classes" if info.class_names else f"outputs of shape {wanted}"
        raise ExportError(
            f"the network must have {what}, got outputs of shape {tuple(outputs.shape)} for {PROBE_BATCH} inputs"
        )
    numbers = outputs.to(torch.float64).numpy()
    if not np.isfinite(numbers).all():
        raise ExportError("the network gives NaN or infinite outputs on inputs in [-2, 2); export another trial")
    return Probe(
        seed=0,
        batch=PROBE_BATCH,
        num_values=info.num_values,
        threads=torch.get_num_threads(),
        shape=numbers.shape,
        sha256=outputs_digest(numbers),
        values=tuple(numbers.ravel()[:MAX_PROBE_VALUES].tolist()),
    )


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {"python": platform.python_version(), **{name: version(name) for name in ("netwright", "torch", "numpy")}}
