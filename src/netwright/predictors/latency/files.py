"""A latency predictor as a folder of two files.

``latency.json`` says what was measured and which model is in use, ``latency.npz`` holds functions of other devices and
fitted numbers. Nothing is pickled; other devices' tables themselves are not stored. Each file is replaced at once, the
description last and with a digest of the other, so that two that do not belong together are found.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile
from zlib import error as DeflateError

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from netwright.errors import DataError, wrong
from netwright.predictors.latency.descriptors import Sizes
from netwright.predictors.latency.knowledge import Knowledge
from netwright.predictors.latency.predictor import LatencyPredictor, relative
from netwright.predictors.latency.process import Posterior
from netwright.predictors.latency.tables import LatencyTable
from netwright.predictors.whole_files import replace_file
from netwright.types import Architecture, to_json_value

if TYPE_CHECKING:
    from netwright.space import SearchSpace

FORMAT = 2
DESCRIPTION, ARRAYS = "latency.json", "latency.npz"
CURE = "save the predictor again"

LARGEST = 1e100
"""Size of a stored number, whose square is to be one, too."""


class _Description(BaseModel):
    """What ``latency.json`` holds."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: int
    space: str
    sizes: list[str]
    seed: int = Field(ge=0)
    devices: list[str]
    device: str
    architectures: list[dict[str, JsonValue]]
    latencies_ms: list[float]
    model: str
    left_out_errors: dict[str, float]
    arrays: str


def save_latency_predictor(predictor: LatencyPredictor, folder: str | Path) -> None:
    """Write a predictor into a folder, which is made where it is missing.

    Args:
        predictor: to be stored.
        folder: for the two files; older ones there are replaced.

    Raises:
        DataError: they cannot be written.
    """
    folder = Path(folder)
    knowledge, table, posterior = predictor.knowledge, predictor.table, predictor.posterior
    stored = io.BytesIO()
    np.savez(stored, functions=knowledge.functions, logs=posterior.logs, local=posterior.local)
    description = _Description(
        format=FORMAT,
        space=knowledge.descriptors.space.fingerprint(),
        sizes=list(knowledge.descriptors.size_names),
        seed=knowledge.seed,
        devices=list(knowledge.devices),
        device=table.device,
        architectures=[_decisions(architecture) for architecture in table.architectures],
        latencies_ms=list(table.latencies_ms),
        model=predictor.model,
        left_out_errors=dict(predictor.left_out_errors),
        arrays=_digest(stored.getvalue()),
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / ARRAYS, stored.getvalue())
        replace_file(folder / DESCRIPTION, (description.model_dump_json(indent=1) + "\n").encode())
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error}; give another folder") from error


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def load_latency_predictor(folder: str | Path, space: SearchSpace, sizes: Sizes | None = None) -> LatencyPredictor:
    """Read what `save_latency_predictor` wrote.

    Args:
        folder: that holds the two files.
        space: of the predictor.
        sizes: as the predictor was made with.

    Raises:
        DataError: a file is missing or damaged, or is of another space or of other sizes.
    """
    folder = Path(folder)
    told = _description(folder / DESCRIPTION)
    arrays = _arrays(folder / ARRAYS, told.arrays)
    if told.space != space.fingerprint():
        raise DataError(wrong(f"space of {folder}", told.space, f"the given one ({space.fingerprint()})"))
    knowledge = Knowledge(space, sizes=sizes, seed=told.seed)
    names = list(knowledge.descriptors.size_names)
    if told.sizes != names:
        raise DataError(wrong(f"sizes of {folder}", told.sizes, f"those given ({names})", "give the same sizes"))
    width = knowledge.descriptors.reference.shape[1] + 1
    _require_shape(folder, "functions", arrays, (width, len(told.devices)))
    knowledge.restore(told.devices, arrays["functions"])
    if told.model not in knowledge.models():
        raise DataError(wrong(f"model in {folder / DESCRIPTION}", told.model, f"one of {knowledge.models()}", CURE))
    table = LatencyTable.of(told.device, [Architecture(a) for a in told.architectures], told.latencies_ms)
    scale_ms, targets = relative(knowledge, table)
    rows = knowledge.rows(table.architectures)
    kernels = knowledge.kernels(told.model, rows, rows)
    _require_shape(folder, "logs", arrays, (len(kernels) + 1,))
    _require_shape(folder, "local", arrays, (len(targets),))
    posterior = Posterior(kernels, targets, arrays["logs"], arrays["local"])
    predictor = LatencyPredictor(knowledge, table, told.model, scale_ms, posterior, told.left_out_errors)
    _require_working(folder, predictor)
    return predictor


def _require_working(folder: Path, predictor: LatencyPredictor) -> None:
    """Let it predict what it rests on: numbers that were edited may have the right shape and no meaning."""
    try:
        with np.errstate(all="ignore"):
            told = predictor.predict(predictor.table.architectures)
        numbers = np.concatenate([told.latencies_ms, told.low_ms, told.high_ms])
    except (np.linalg.LinAlgError, ValueError):
        numbers = np.array([np.nan])
    if not np.isfinite(numbers).all():
        raise DataError(f"the numbers in {folder / ARRAYS} give no latencies; {CURE}")


def _decisions(architecture: Architecture) -> dict[str, JsonValue]:
    return {name: to_json_value(value) for name, value in architecture.items()}


def _description(path: Path) -> _Description:
    try:
        told = _Description.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; give the folder that a latency predictor was saved in") from error
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        reason = str(error).replace("\n", " ")
        raise DataError(f"{path} is not what was saved: {reason}; {CURE}") from error
    if told.format != FORMAT:
        raise DataError(wrong(f"format of {path}", told.format, str(FORMAT), CURE))
    return told


def _arrays(path: Path, digest: str) -> dict[str, np.ndarray]:
    try:
        data = path.read_bytes()
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            found = {name: stored[name] for name in ("functions", "logs", "local")}
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; it stands beside {DESCRIPTION}; {CURE}") from error
    except (OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile, DeflateError, RuntimeError) as error:
        # NotImplementedError (a RuntimeError) is a damaged way of compression
        raise DataError(f"{path} cannot be read ({error}); {CURE}") from error
    if _digest(data) != digest:
        raise DataError(f"{path} is not the file that {DESCRIPTION} was written with; {CURE}")
    return found


def _require_shape(folder: Path, name: str, arrays: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> None:
    found = arrays[name]
    if found.dtype.kind != "f" or found.shape != shape or not (np.abs(found) < LARGEST).all():
        got = f"{found.dtype} of shape {found.shape}"
        raise DataError(
            wrong(f"{name!r} in {folder / ARRAYS}", got, f"fractions below {LARGEST:g} of shape {shape}", CURE)
        )
