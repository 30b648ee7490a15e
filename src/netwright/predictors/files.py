"""Predictors as files: a JSON header and arrays in one npz file, without pickle, so that reading runs nothing in it.

What was learnt is kept, not how to learn it again: a predictor that was read predicts bit for bit as before on the same
machine and libraries. The space is not in the file, only its fingerprint: who reads gives the space, and the function
of label-free scores where there is one. Observations are kept too, so that `update` goes on. What a file says is
checked before anything is made of it, its sizes first.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.lib import format as npy
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from netwright.errors import DataError, StudyMismatchError, unknown
from netwright.predictors.conformal import Calibration
from netwright.predictors.inputs import Reference
from netwright.predictors.model import Arrays
from netwright.predictors.predictor import KINDS, Learnt, Predictor
from netwright.predictors.score_ranks import Scores
from netwright.predictors.target_scale import TargetScale
from netwright.predictors.whole_files import replace_file
from netwright.space.graph_statistics import MOST_OPERATIONS, Vocabulary
from netwright.types import Architecture

if TYPE_CHECKING:
    from netwright.space import SearchSpace

FORMAT = "netwright predictor 1"
HEADER = "header"
MODEL = "model."
LARGEST_BYTES = 1 << 28
"""Of all arrays together; a predictor of thousands of observations takes a tenth."""


Slope = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Header(BaseModel):
    """What is no array."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: str
    kind: str
    seed: int = Field(ge=0)
    space_fingerprint: str
    operations: list[str] = Field(max_length=MOST_OPERATIONS)
    by_label: bool
    arguments: list[tuple[str, str]]
    score_names: list[str]
    widths: list[int]
    slopes: tuple[Slope, Slope]
    floor: float = Field(ge=0, allow_inf_nan=False)
    architectures: list[str]


def save_predictor(predictor: Predictor, path: str | Path) -> None:
    """Write what a predictor learnt, whole or not at all.

    Args:
        predictor: that knows enough to predict; it is fitted if it is not yet.
        path: of the file, by custom ``*.npz``; replaced where it exists.

    Raises:
        UsageError: it has too few observations.
        DataError: the file cannot be written.
    """
    learnt, reference = predictor.learnt(), predictor.inputs.reference
    architectures, values = predictor.observations
    header = Header(
        format=FORMAT,
        kind=predictor.kind,
        seed=predictor.seed,
        space_fingerprint=predictor.space.fingerprint(),
        operations=list(reference.vocabulary.operations),
        by_label=reference.vocabulary.by_label,
        arguments=list(reference.vocabulary.arguments),
        score_names=list(reference.score_names),
        widths=list(reference.widths),
        slopes=learnt.scale.slopes,
        floor=learnt.calibration.floor,
        architectures=[architecture.to_json() for architecture in architectures],
    )
    arrays = {
        HEADER: np.frombuffer(header.model_dump_json().encode(), np.uint8),
        "reference": reference.table,
        "values": np.array(values),
        "scale.values": learnt.scale.values,
        "scale.targets": learnt.scale.targets,
        "errors": learnt.calibration.errors,
        **{MODEL + name: array for name, array in learnt.model.arrays().items()},
    }
    _write(Path(path), arrays)


def load_predictor(path: str | Path, space: SearchSpace, *, scores: Scores | None = None) -> Predictor:
    """Read a predictor.

    Args:
        path: of a file that `save_predictor` wrote.
        space: on which it learnt.
        scores: label-free scores, the ones it learnt from.

    Raises:
        DataError: the file cannot be read, is no predictor, or is damaged.
        StudyMismatchError: it learnt on another space.
        UsageError: it learnt from scores and none are given, or the other way round.
    """
    path = Path(path)
    arrays = _read(path)
    try:
        header = Header.model_validate_json(arrays[HEADER].tobytes())
        _require_known(header, space)
        vocabulary = Vocabulary(tuple(header.operations), header.by_label, tuple(header.arguments))
        table = _numbers(arrays, "reference", 2, finite=False)
        reference = Reference(vocabulary, tuple(header.score_names), table, tuple(header.widths))
        _require_fitting(reference, space)
        predictor = Predictor(space, kind=header.kind, seed=header.seed, scores=scores)
        architectures = [Architecture.from_json(text) for text in header.architectures]
        predictor.restore(
            reference, _learnt(header, arrays, table), architectures, _numbers(arrays, "values", 1).tolist()
        )
    except (ValidationError, KeyError, RecursionError) as error:
        reason = _first_of(error) if isinstance(error, ValidationError) else str(error)
        raise DataError(f"{path} is no predictor, or is damaged ({reason}); save it again") from error
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return predictor


def _learnt(header: Header, arrays: Arrays, table: np.ndarray) -> Learnt:
    values, targets = _numbers(arrays, "scale.values", 1), _numbers(arrays, "scale.targets", 1)
    errors = _numbers(arrays, "errors", 1)
    steps = (np.diff(values) > 0).all() and (np.diff(targets) > 0).all()
    if not len(values) or values.shape != targets.shape or not steps or not (np.diff(errors, prepend=0) >= 0).all():
        raise DataError("the scale of values or the errors are not in order; save the predictor again")
    num_columns = int((table[-1] > table[0]).sum())
    model = {name.removeprefix(MODEL): array for name, array in arrays.items() if name.startswith(MODEL)}
    learnt = KINDS[header.kind].read(model, num_columns)
    return Learnt(TargetScale(values, targets, header.slopes), learnt, Calibration(errors, header.floor))


def _require_known(header: Header, space: SearchSpace) -> None:
    if header.format != FORMAT:
        raise DataError(f"unknown format {header.format[:40]!r}, known is {FORMAT!r}; take the version that wrote it")
    if header.kind not in KINDS:
        raise DataError(unknown("kind of predictor", header.kind, KINDS))
    if header.space_fingerprint != space.fingerprint():
        raise StudyMismatchError(
            f"the predictor learnt on the space {header.space_fingerprint[:16]!r}, given is {space.fingerprint()!r}; "
            "give the space it learnt on, or fit a new one"
        )


def _require_fitting(reference: Reference, space: SearchSpace) -> None:
    """Check that rows of the space have the columns that the file speaks of."""
    decisions = sum(len(space.encode(space.sample(np.random.default_rng(0)), kind)) for kind in ("one-hot", "ordinal"))
    graph = 0 if space.root is None else len(reference.vocabulary.names)
    wanted = (graph, decisions, len(reference.score_names))
    table = reference.table
    sorted_columns = len(table) > 0 and not np.isnan(table).any() and (table[1:] >= table[:-1]).all()
    if reference.widths != wanted or table.shape[1] != sum(wanted) or not sorted_columns:
        raise DataError("the columns of a predictor are not those of the space; save it again")


def _first_of(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])[:80]}: {first['msg'][:120]}"


def _numbers(arrays: Arrays, name: str, ndim: int, *, finite: bool = True) -> np.ndarray:
    array = arrays[name]
    if array.dtype != np.float64 or array.ndim != ndim or (finite and not np.isfinite(array).all()):
        raise DataError(f"{name} is no array of finite float64 with {ndim} axes; save the predictor again")
    return array


def _write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    try:
        stored = io.BytesIO()
        np.savez(stored, allow_pickle=False, **{n: np.ascontiguousarray(a) for n, a in arrays.items()})
        replace_file(path, stored.getvalue())
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error}; give another path") from error


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = [entry.file_size for entry in archive.infolist()]
            if sum(sizes) > LARGEST_BYTES:
                raise DataError(f"{path} holds {sum(sizes)} bytes, more than a predictor ({LARGEST_BYTES}); it is none")
            return {name.removesuffix(".npy"): _array(archive.read(name)) for name in archive.namelist()}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"{path} cannot be read as a predictor: {reason}; give a file of save_predictor") from error


def _array(data: bytes) -> np.ndarray:
    """An array of the bytes of an npy file, with as many numbers as it says it has.

    Raises:
        ValueError: it is none, holds objects, or is cut off.
    """
    stream = io.BytesIO(data)
    if npy.read_magic(stream) != (1, 0):
        raise ValueError("an array has an unknown format")
    shape, by_column, dtype = npy.read_array_header_1_0(stream)
    if dtype.hasobject or dtype.kind not in "fiu" or by_column:
        raise ValueError(f"an array of {dtype} is not what a predictor is made of")
    return np.frombuffer(data[stream.tell() :], dtype).reshape(shape)
