"""From the images people have to (N, C, H, W) arrays: axes, value range, type.

Stored are ``uint8`` (0 to 255) where nothing is lost by it, else ``float32``. A network sees stored values
divided by `PixelFormat.scale`.

* ``uint8``: kept. Booleans: 0 and 255.
* Floats within 0 to 1 are stored as n / 255 in ``uint8`` where each is within 1e-3 of such a step, else as they are.
* Other numbers within 0 to 255: stored as they are, scale 255 (``uint8`` where all are whole).
* Anything else: ``float32``, scale 65535 (whole numbers up to that) or the largest magnitude in the training part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError
from netwright.tasks.formats.array_files import ArrayFiles
from netwright.tasks.formats.parts import Array, Layout

_CHANNELS = (1, 2, 3, 4)
_CHUNK_BYTES = 1 << 24
_STEP = 1e-3
_FAR = 50
_LARGEST = float(np.finfo(np.float32).max)


class Shape(NamedTuple):
    """Channels, height and width of an image, and where the channels stand in the source."""

    channels: int
    height: int
    width: int
    channels_last: bool


def image_shape(shape: tuple[int, ...], layout: Layout, where: str) -> Shape:
    """Find out what the axes of an image array are.

    Args:
        shape: of the array: (N, H, W), (N, H, W, C) or (N, C, H, W).
        layout: ``HWC``, ``CHW``, or ``auto``: the channels are the axis with at most 4 entries.
        where: name of the array, for messages.

    Raises:
        DataError: another number of axes, no examples, or an order that cannot be told from the shape.

    Example:
        >>> image_shape((100, 32, 32, 3), "auto", "x")
        Shape(channels=3, height=32, width=32, channels_last=True)
    """
    if len(shape) not in (3, 4):
        hint = "; reshape rows of pixels to (N, H, W)" if len(shape) == 2 else ""
        raise DataError(f"{where} has shape {shape}; images are (N, H, W), (N, H, W, C) or (N, C, H, W){hint}")
    if not all(shape):
        raise DataError(f"{where} is empty: shape {shape}; give at least one image of each class")
    if len(shape) == 3:
        return Shape(1, shape[1], shape[2], channels_last=True)
    first, last = shape[1] in _CHANNELS, shape[3] in _CHANNELS
    if layout == "auto" and first == last:
        what = "both could be" if first else "neither looks like"
        raise DataError(
            f"{where} has shape {shape}: the second and the last axis, {what} the channels; "
            "say layout='HWC' or layout='CHW' (--task-option layout=HWC), or save images larger than 4 x 4 with "
            "1 to 4 channels"
        )
    if layout == "HWC" or (layout == "auto" and last):
        return Shape(shape[3], shape[1], shape[2], channels_last=True)
    return Shape(shape[1], shape[2], shape[3], channels_last=False)


@dataclass(frozen=True)
class PixelFormat:
    """How source values become stored ones.

    Args:
        factor: stored value = source value * factor.
        scale: network input = stored value / scale.
        whole: whether stored values are whole numbers 0 to 255, kept as ``uint8``.
        peak: largest magnitude in the source's training part.
        value_range: lowest and highest network input: (0, 1), but for unusual sources what the training part has.
    """

    factor: float
    scale: float
    whole: bool
    peak: float
    value_range: tuple[float, float] = (0.0, 1.0)

    @classmethod
    def learn(cls, parts: Sequence[tuple[Array, str]]) -> PixelFormat:
        """Choose the format from the training part (first) and the validation part.

        Args:
            parts: arrays of images, each with its name for messages.

        Raises:
            DataError: NaN or infinite values (how many, and where the first is), values that are no real numbers, or
                all values equal.
        """
        images, where = parts[0]
        low, high = _range(images, where)
        for other, name in parts[1:]:
            _range(other, name)
        if _float32(low) == _float32(high):
            about = "" if low == high else "about "
            raise DataError(
                f"{where}: every value is {about}{low:g}, there is nothing to learn from; check how it was made"
            )
        peak = max(abs(low), abs(high))
        kind = images.dtype.kind
        if images.dtype == np.uint8:
            return cls(1.0, 255.0, whole=True, peak=peak)
        if low >= 0 and (kind == "b" or (kind == "f" and high <= 1 + _STEP)):
            whole = round(255 * low) < round(255 * high) and all(_is_whole(x, 255.0) for x, _ in parts)
            return cls(255.0, 255.0, True, peak) if whole else cls(1.0, 1.0, False, peak)
        if low >= 0 and high <= 255:
            whole = round(low) < round(high) and all(_is_whole(x, 1.0) for x, _ in parts)
            return cls(1.0, 255.0, whole, peak)
        scale = 65535.0 if kind in "iu" and low >= 0 and high <= 65535 else max(peak, 1.0)
        return cls(1.0, scale, False, peak, (0.0, 1.0) if scale == 65535.0 else (low / scale, high / scale))

    def encode(self, images: Array, shape: Shape, where: str, cache: ArrayFiles | None = None) -> Array:
        """Bring images to the stored form.

        Args:
            images: source array.
            shape: what its axes are.
            where: its name, for messages.
            cache: where the stored form is kept instead of memory.

        Returns:
            (N, C, H, W), ``uint8`` or ``float32``. Without ``cache`` a contiguous copy; with it mapped from a file,
            which is that of the source where that is what is stored.

        Raises:
            DataError: NaN, values beyond float32, or of quite another range than the training part's.
        """
        low, high = _range(images, where)
        peak = max(abs(low), abs(high))
        if peak > 4 * self.peak or peak * _FAR < self.peak:
            raise DataError(
                f"{where}: values reach {peak:g}, those of the training part reach {self.peak:g}; "
                "bring both to the same range, such as 0 to 255"
            )
        if peak * self.factor > _LARGEST:
            raise DataError(f"{where}: values reach {peak:g}, and float32 holds up to {_LARGEST:g}; divide them")
        whole = self.whole and _is_whole(images, self.factor) and low >= 0 and high * self.factor <= 255.5
        size = (len(images), shape.channels, shape.height, shape.width)
        dtype = np.dtype(np.uint8 if whole else np.float32)
        if cache is not None and isinstance(images, np.memmap) and images.dtype == dtype == np.uint8:
            return _channels_first(images, shape)

        def fill(stored: Array) -> None:
            for rows, chunk in chunks(images):
                moved = _channels_first(chunk, shape)
                stored[rows] = moved if images.dtype == np.uint8 else _scaled(moved, self.factor, whole)

        if cache is not None:
            return cache.array(f"{content_digest(images)} {shape} {self.factor}", size, dtype, fill)
        stored = np.empty(size, dtype)
        fill(stored)
        return stored


def moments(images: Array, scale: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel.

    Args:
        images: (N, C, H, W) stored values.
        scale: what they are divided by.

    Returns:
        Means and deviations, each (C,), of the scaled values; accumulated in float64, chunk by chunk. A constant
        channel gets deviation 1.
    """
    count = images.size / images.shape[1]
    mean = np.sum([_sums(chunk) for _, chunk in chunks(images)], axis=0) / count
    centred = (chunk - mean[:, None, None] for _, chunk in chunks(images))
    variance = np.sum([_sums(np.square(chunk)) for chunk in centred], axis=0) / count
    std = np.sqrt(variance) / scale
    return tuple((mean / scale).tolist()), tuple(np.where(std > 0, std, 1.0).tolist())


def content_digest(array: Array) -> str:
    """Digest of an array's numbers in C order, some megabytes at a time."""
    state = hashlib.blake2b(digest_size=16)
    update_digest(state, array)
    return state.hexdigest()


def update_digest(state: hashlib.blake2b, array: Array) -> None:
    """Add an array's numbers in C order to a digest."""
    for _, chunk in chunks(array):
        state.update(np.ascontiguousarray(chunk).data)


def _channels_first(images: Array, shape: Shape) -> Array:
    """(N, H, W) or four axes in any order as (N, C, H, W); a view."""
    four = images.reshape((*images.shape, 1)) if images.ndim == 3 else images
    return four.transpose(0, 3, 1, 2) if shape.channels_last else four


def _sums(chunk: Array) -> NDArray[np.float64]:
    return np.asarray(chunk.sum(axis=(0, 2, 3), dtype=np.float64))


def _scaled(values: Array, factor: float, whole: bool) -> Array:
    stored = values.astype(np.float64) * factor
    return np.rint(stored) if whole else stored


def chunks(images: Array) -> Iterator[tuple[slice, Array]]:
    """Go over the examples, some megabytes at a time, so that no second copy in a wider type is ever whole."""
    step = max(1, _CHUNK_BYTES // max(1, images[:1].size * 8))
    for start in range(0, len(images), step):
        yield slice(start, start + step), images[start : start + step]


def _range(images: Array, where: str) -> tuple[float, float]:
    """Lowest and highest value; values that are no finite real numbers are refused."""
    if images.dtype.kind not in "biuf":
        raise DataError(f"{where} has values of type {images.dtype}; images are real numbers, best uint8")
    if images.dtype.kind == "f":
        _refuse_nan(images, where)
    return float(images.min()), float(images.max())


def _float32(value: float) -> float:
    """The nearest number that is stored."""
    return float(np.float32(min(max(value, -_LARGEST), _LARGEST)))


def _refuse_nan(images: Array, where: str) -> None:
    count, first = 0, ""
    for rows, chunk in chunks(images):
        bad = ~np.isfinite(chunk)
        if bad.any():
            index = np.argwhere(bad)[0]
            first = first or str((int(index[0]) + rows.start, *(int(i) for i in index[1:])))
            count += int(bad.sum())
    if count:
        raise DataError(
            f"{where}: {count} of {images.size} values are NaN or infinite, the first at index {first}; "
            "remove or repair these images"
        )


def _is_whole(images: Array, factor: float) -> bool:
    """Whether every value times ``factor`` is within 1e-3 of a whole number."""
    if images.dtype.kind in "biu":
        return True
    for _, chunk in chunks(images):
        values = chunk.astype(np.float64) * factor
        if np.abs(values - np.rint(values)).max() > _STEP:
            return False
    return True
