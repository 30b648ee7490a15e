"""What an exported ``model.py`` does around the network: read the weights, read an image, name the class.

What stands below the lines marked *copied* is written into every exported ``model.py`` as it stands here, after the
generated network and the constants of the task. It therefore uses the standard library and torch alone, and knows
nothing of netwright. Above the first line stand only the names it finds there.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

INPUT_SHAPE: tuple[int, ...] = (1, 28, 28)
CLASS_NAMES: tuple[str, ...] = ()
SCALE: float = 255.0
VALUE_RANGE: tuple[float, float] = (0.0, 1.0)


def build() -> nn.Module:
    """Stand for the generated network's ``build``."""
    raise NotImplementedError


# ---------------------------------------------------------------- copied into every model.py

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a safetensors file."""
    return parse_weights(Path(path).read_bytes(), str(path))


def parse_weights(data: bytes, path: str) -> dict[str, torch.Tensor]:
    """Take a safetensors file apart: 8 bytes of header length, a JSON header, then the tensors without gaps."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > len(data) - 8:
        raise ValueError(f"{path}: no safetensors file: its header would have {length} bytes, it has {len(data)}")
    tensors: dict[str, torch.Tensor] = {}
    body, end = data[8 + length :], 0
    try:
        header = json.loads(data[8 : 8 + length])
        header.pop("__metadata__", None)
        for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            dtype, shape, (start, stop) = DTYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
            size = math.prod(shape) * dtype.itemsize
            if min(shape, default=0) < 0 or start != end or stop - start != size or stop > len(body):
                raise ValueError(f"tensor {name[:80]!r} does not fit into the file: {str(entry)[:200]}")
            raw = bytearray(body[start:stop])
            tensors[name] = (torch.frombuffer(raw, dtype=dtype) if raw else torch.empty(0, dtype=dtype)).reshape(shape)
            end = stop
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, OverflowError) as error:
        raise ValueError(f"{path}: no safetensors file: its header is wrong: {error}") from None
    if end != len(body):
        raise ValueError(f"{path}: {len(body) - end} bytes belong to no tensor")
    return tensors


def load(folder: str | Path | None = None) -> nn.Module:
    """Build the network with the weights that lie in ``folder`` (default: beside this file), ready for inference."""
    model = build()
    path = (Path(__file__).resolve().parent if folder is None else Path(folder)) / "weights.safetensors"
    try:
        model.load_state_dict(read_weights(path), strict=True)
    except RuntimeError as error:
        raise ValueError(f"{path}: not the weights of this network: {one_line(error)}") from None
    return model.eval()


def one_line(error: Exception) -> str:
    """What an error says, on one line."""
    said = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
    return " ".join(said.split()) or type(error).__name__


# ---------------------------------------------------------------- copied where answers are printed


def printable(name: str) -> str:
    """A class name as the terminal can show it: without control characters, and in its encoding."""
    plain, encoding = name if name.isprintable() else repr(name)[1:-1], sys.stdout.encoding or "utf-8"
    return plain.encode(encoding, "backslashreplace").decode(encoding)


def say(lines: Iterable[str], encoding: str = "") -> None:
    """Write lines to the standard output, in its own encoding or another one, until its reader has seen enough."""
    if encoding and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding=encoding, newline="\n")
    try:
        for line in lines:
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except BrokenPipeError:  # nothing is left to be written at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# ---------------------------------------------------------------- copied where the network takes images (C, H, W)

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
TURNS = {  # by the orientation that EXIF tells
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


def prepare(images: torch.Tensor) -> torch.Tensor:
    """Scale stored values (N, C, H, W) to the network's input, as in training."""
    return images.to(torch.float32) / SCALE


def with_channels(images: torch.Tensor) -> torch.Tensor:
    """Give images (N, C, H, W) the network's channels, by luma or by repeating grey."""
    channels = INPUT_SHAPE[0]
    if images.shape[1] == 3 and channels == 1:
        images = (images * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    if images.shape[1] == 1 and channels > 1:
        images = images.expand(-1, channels, -1, -1)
    if images.shape[1] != channels:
        raise ValueError(f"the image must have {channels} channel(s), it has {images.shape[1]}")
    return images


def read_values(path: str | Path) -> torch.Tensor:
    """Read one image (1, C, H, W) of any size, with values as the network takes them.

    ``.npy`` holds values as the network was trained on, (H, W), (C, H, W) or (H, W, C), and needs numpy; binary
    ``.pgm`` and ``.ppm`` need nothing; anything else needs the package pillow.
    """
    if Path(path).suffix.lower() == ".npy":
        return prepare(read_array(path))
    read = read_netpbm if Path(path).suffix.lower() in (".pgm", ".ppm") else read_with_pillow
    low, high = VALUE_RANGE
    return read(path) * (high - low) + low


def read_array(path: str | Path) -> torch.Tensor:
    """Read a numpy array of one image as (1, C, H, W)."""
    try:
        import numpy as np
    except ImportError:
        raise ValueError(f"{path}: needs the package numpy (pip install numpy), or make it a .ppm file") from None
    try:
        stored = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, MemoryError) as error:
        raise ValueError(f"{path}: no numpy array of an image: {one_line(error)}") from None
    if not isinstance(stored, np.ndarray) or stored.dtype.kind not in "buif" or not np.isfinite(stored).all():
        raise ValueError(f"{path}: an image is one numpy array of finite numbers")
    array = torch.from_numpy(stored.astype("float32"))
    if array.ndim not in (2, 3) or array.numel() == 0:
        raise ValueError(f"{path}: an image has 2 or 3 dimensions, this array has shape {tuple(array.shape)}")
    if array.ndim == 2:
        array = array[None]
    elif array.shape[0] != INPUT_SHAPE[0] and array.shape[2] in (1, 3, INPUT_SHAPE[0]):
        array = array.permute(2, 0, 1)
    return array[None]


def read_netpbm(path: str | Path) -> torch.Tensor:
    """Read a binary PGM (P5) or PPM (P6) of one byte a value as (1, C, H, W), white being 1."""
    data, gap = Path(path).read_bytes(), rb"(?:\s|#[^\n]*\n)+"
    match = re.match(rb"P([56])" + (gap + rb"(\d{1,6})") * 3 + rb"\s", data)
    if match is None:
        raise ValueError(f"{path}: no binary PGM or PPM image")
    channels, width, height, white = 1 if match[1] == b"5" else 3, *(int(match[i]) for i in (2, 3, 4))
    count = width * height * channels
    if not 0 < white < 256 or count == 0 or len(data) - match.end() < count:
        raise ValueError(f"{path}: {width} x {height} pixels with values up to {white} are not what the file holds")
    pixels = torch.frombuffer(bytearray(data[match.end() : match.end() + count]), dtype=torch.uint8)
    return pixels.reshape(1, height, width, channels).permute(0, 3, 1, 2).to(torch.float32) / white


def read_with_pillow(path: str | Path) -> torch.Tensor:
    """Read an image file of one of the ``FORMATS`` as (1, C, H, W), white being 1."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise ValueError(f"{path}: needs the package pillow (pip install pillow), or make it a .ppm file") from None
    content = io.BytesIO(Path(path).read_bytes())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(content, formats=FORMATS)
            image.load()
            turn = TURNS.get(image.getexif().get(0x0112, 1))
            upright = image if turn is None else image.transpose(Image.Transpose[turn])
        width, height = upright.size
        if upright.mode.startswith("I"):  # 16 bits a pixel
            values = torch.frombuffer(bytearray(upright.convert("I").tobytes()), dtype=torch.int32)
            values = values.clamp(0, 65535) >> 8
        else:
            plain = upright.convert("L" if INPUT_SHAPE[0] == 1 else "RGB")
            values = torch.frombuffer(bytearray(plain.tobytes()), dtype=torch.uint8)
    except UnidentifiedImageError:
        raise ValueError(f"{path}: no image of the formats {', '.join(FORMATS)}") from None
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: a damaged image: {one_line(error)}") from None
    return values.reshape(1, height, width, -1).permute(0, 3, 1, 2).to(torch.float32) / 255


# ---------------------------------------------------------------- copied where images are classified


def fit(images: torch.Tensor) -> torch.Tensor:
    """Give images (N, C, H, W) the network's channels, and its size."""
    images = with_channels(images)
    if tuple(images.shape[2:]) != tuple(INPUT_SHAPE[1:]):
        size = (INPUT_SHAPE[1], INPUT_SHAPE[2])
        images = F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
    return images


def read_image(path: str | Path) -> torch.Tensor:
    """Read one image (1, C, H, W) as input of the network, see ``read_values``."""
    return fit(read_values(path))


def main(arguments: list[str]) -> int:
    """Print the five most probable classes of an image file, the most probable first."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python model.py IMAGE\n")
        return 2
    try:
        with torch.inference_mode():
            probabilities = load()(read_image(arguments[0])).softmax(1)[0]
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{one_line(error)}\n")
        return 2
    first = probabilities.argsort(descending=True)[:5].tolist()
    say(f"{printable(CLASS_NAMES[index])}\t{probabilities[index]:.4f}" for index in first)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
