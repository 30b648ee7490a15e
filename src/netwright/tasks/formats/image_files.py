"""Decode image files with Pillow: JPEG, PNG, BMP and WebP, whatever their names say, and nothing else.

Other formats of Pillow are switched off, since some of them run programs. An image of more than 64 million pixels is
refused before it is decoded. Pillow is imported when the first image is read.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import DataError, MissingDependencyError
from netwright.tasks.formats.parts import Array

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
"""Names of image files end so, in any case."""

_FORMATS = ("JPEG", "PNG", "BMP", "WEBP")
_MOST_PIXELS = 64_000_000
_SHOWN = 5
_SHALLOW = 1 << 14
_GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L")
_ORIENTATION = 0x0112
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""What brings pixels upright, by the orientation that EXIF tells."""


@dataclass(frozen=True)
class ImageHeader:
    """What is known of an image file before it is decoded. Sizes are in pixels."""

    height: int
    width: int
    grey: bool
    deep: bool = False
    """Whether a pixel has 16 bits."""


@dataclass(frozen=True)
class ImageForm:
    """What images are brought to: 1 (grey) or 3 (RGB) channels, and a size in pixels."""

    channels: int
    height: int
    width: int


def read_headers(files: Sequence[Path]) -> list[ImageHeader]:
    """Read size and kind of image files.

    Args:
        files: their paths.

    Raises:
        DataError: files that are no images, or that cannot be read; the first few are named.
        MissingDependencyError: Pillow is not installed.
    """
    headers: list[ImageHeader] = []
    bad: list[str] = []
    with _quiet():
        for file in files:
            try:
                with _opened(file) as image:
                    width, height = reversed(image.size) if _lies_on_its_side(image, file) else image.size
                    headers.append(ImageHeader(height, width, image.mode in _GREY, image.mode.startswith("I")))
            except _Unreadable as error:
                bad.append(f"{str(file)!r} ({error})")
    _refuse(bad)
    return headers


def decode_all(files: Sequence[Path], form: ImageForm, threads: int = 1) -> Array:
    """Decode image files.

    Args:
        files: N paths.
        form: channels and size; an image of another size is resized (bilinear, with antialiasing), one of another kind
            converted. The rotation that a camera recorded is applied; transparency is dropped.
        threads: that decode, >= 1; all have ended when this returns, so that processes may be forked.

    Returns:
        (N, C, H, W) ``uint8``.

    Raises:
        DataError: damaged files; how many, and the first few by name.
        MissingDependencyError: Pillow is not installed.
    """
    pixels = np.empty((len(files), form.channels, form.height, form.width), np.uint8)

    def decode(row: int) -> str:
        """Fill a row; says what is wrong with its file."""
        try:
            with _opened(files[row]) as image:
                decoded = np.asarray(_convert(image, form))
        except _Unreadable as error:
            return f"{str(files[row])!r} ({error})"
        pixels[row] = decoded[None] if decoded.ndim == 2 else decoded.transpose(2, 0, 1)
        return ""

    with _quiet():
        if threads > 1:
            with ThreadPoolExecutor(threads) as pool:
                said = list(pool.map(decode, range(len(files))))
        else:
            said = [decode(row) for row in range(len(files))]
    _refuse([text for text in said if text])
    return pixels


def require_depth(files: Sequence[Path]) -> None:
    """Refuse images of 16 bits a pixel of which the upper ones are unused: a network sees the upper 8.

    Args:
        files: images of 16 bits a pixel.

    Raises:
        DataError: all their values are below a quarter of the range, or files are damaged.
    """
    peak = 0
    bad: list[str] = []
    with _quiet():
        for file in files:
            try:
                with _opened(file) as image:
                    peak = max(peak, int(np.asarray(image).max()))
            except _Unreadable as error:
                bad.append(f"{str(file)!r} ({error})")
    _refuse(bad)
    if files and peak < _SHALLOW:
        raise DataError(
            f"the {len(files)} image(s) of 16 bits, such as {str(files[0])!r}, reach {peak} of 65535, of which "
            f"a network sees {peak >> 8} of 255; save them with 8 bits, or multiply them so that they reach 65535"
        )


def _lies_on_its_side(image: Image, file: Path) -> bool:
    """Whether EXIF says so. Pillow decodes a whole PNG file to look behind its pixels, which only some need."""
    from PIL import Image

    complete = image.format != "PNG" or _tells_behind_pixels(file)
    exif = image.getexif() if complete else Image.Image.getexif(image)
    return exif.get(_ORIENTATION, 1) in (5, 6, 7, 8)


def _tells_behind_pixels(file: Path) -> bool:
    """Whether a PNG file has EXIF or texts behind its pixels, or no end; chunks are skipped, not read."""
    behind = False
    with file.open("rb") as stream:
        stream.seek(8)
        while len(head := stream.read(8)) == 8:
            size, kind = int.from_bytes(head[:4], "big"), head[4:]
            if kind == b"IEND":
                return False
            if behind and kind in (b"eXIf", b"tEXt", b"zTXt", b"iTXt"):
                return True
            behind = behind or kind == b"IDAT"
            stream.seek(size + 4, 1)
    return True


class _Unreadable(Exception):
    """One file cannot be used; collected, so that one message names several."""


@contextmanager
def _quiet() -> Iterator[None]:
    """Show no warnings of Pillow; around all threads, since what is shown is no matter of one of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _opened(file: Path) -> Iterator[Image]:
    """Open an image; any damage found, then or while it is used, becomes `_Unreadable`."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise MissingDependencyError("pillow", "vision", "reading image files") from error
    if not file.is_file():
        raise _Unreadable("no regular file, or a broken link")
    try:
        with Image.open(file, formats=_FORMATS) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise _Unreadable(f"{image.width} x {image.height} pixels are too many")
            yield image
    except UnidentifiedImageError as error:
        raise _Unreadable(f"not a {', '.join(_FORMATS)} image") from error
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise _Unreadable(str(error) or type(error).__name__) from error


def _convert(image: Image, form: ImageForm) -> Image:
    """Decode, turn upright, convert and resize."""
    from PIL import Image

    upright = _upright(image)
    if upright.mode.startswith("I"):
        deep = np.asarray(upright).astype(np.int64)
        upright = Image.fromarray((deep.clip(0, 65535) >> 8).astype(np.uint8))
    if upright.mode == "F":
        raise _Unreadable("floating-point pixels")
    plain = upright.convert("L" if form.channels == 1 else "RGB")
    size = (form.width, form.height)
    return plain if plain.size == size else plain.resize(size, Image.Resampling.BILINEAR)


def _upright(image: Image) -> Image:
    """Turn the pixels as EXIF says. It is not written anew, as `PIL.ImageOps` does, which fails on odd tags."""
    from PIL import Image

    image.load()
    turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    return image if turn is None else image.transpose(Image.Transpose[turn])


def _refuse(bad: Sequence[str]) -> None:
    if bad:
        more = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        raise DataError(
            f"{len(bad)} image file(s) cannot be read: {', '.join(bad[:_SHOWN])}{more}; repair or remove them"
        )
