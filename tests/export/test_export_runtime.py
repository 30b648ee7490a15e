"""What model.py does around the network: reading weights and images, with torch alone."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from export_networks import NAMES, Exported
from safetensors.torch import save

from netwright.errors import ExportError
from netwright.export import runtime
from netwright.export.weights import check_weights, read_weights, write_weights

DTYPES = (
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
)


def file_of(header: object, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def test_weights_are_read_as_the_safetensors_package_writes_them() -> None:
    """Every dtype, scalars and empty tensors come back bit for bit."""
    weights = {f"t{i}": (torch.arange(6) - 2).to(dtype).reshape(2, 3) for i, dtype in enumerate(DTYPES)}
    weights |= {"scalar": torch.tensor(3), "empty": torch.zeros(0, 4)}
    read = runtime.parse_weights(save(weights, {"some": "metadata"}), "w")
    assert sorted(read) == sorted(weights)
    assert all(torch.equal(read[n], w) and read[n].dtype == w.dtype for n, w in weights.items())


def test_written_weights_do_not_depend_on_the_order_of_the_dictionary() -> None:
    """The same tensors give the same file; a view is written as what it shows."""
    a, b = torch.arange(6.0).reshape(2, 3), torch.ones(2)
    assert write_weights({"a": a.T, "b": b}) == write_weights({"b": b, "a": a.T.contiguous()})
    assert torch.equal(check_weights(write_weights({"a": a.T}))["a"], a.T)


F4 = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no safetensors file"),
        (struct.pack("<Q", 2**63) + b"{}", "header would have 9223372036854775808 bytes"),
        (file_of({"a": F4}, b"1234")[:-1], "does not fit"),
        (file_of({"a": F4, "b": F4}, b"1234"), "'b' does not fit"),
        (file_of({"a": F4, "b": {**F4, "data_offsets": [2, 6]}}, b"123456"), "'b' does not fit"),
        (file_of({"a": {**F4, "data_offsets": [4, 8]}}, b"12345678"), "'a' does not fit"),
        (file_of({"a": F4}, b"12345678"), "4 bytes belong to no tensor"),
        (file_of({"a": {**F4, "shape": [2]}}, b"1234"), "'a' does not fit"),
        (file_of({"a": {**F4, "shape": [-1, -1]}}, b"1234"), "'a' does not fit"),
        (file_of({"a": {**F4, "shape": ["1"]}}, b"1234"), "header is wrong"),
        (file_of({"a": {**F4, "shape": [2**70, 0], "data_offsets": [0, 0]}}), "header is wrong"),
        (file_of({"a": {**F4, "shape": [2**62, 4, 0.5]}}, b"1234"), "'a' does not fit"),
        (file_of({"a": {**F4, "dtype": "PICKLE"}}, b"1234"), "header is wrong: 'PICKLE'"),
        (file_of({"a": {**F4, "data_offsets": [0, 4, 8]}}, b"1234"), "header is wrong"),
        (file_of({"a": {**F4, "data_offsets": ["0", "4"]}}, b"1234"), "header is wrong"),
        (file_of({"a": {**F4, "dtype": ["F32"]}}, b"1234"), "header is wrong"),
        (file_of({"a": 1}), "header is wrong"),
        (file_of([1]), "header is wrong"),
        (file_of(b"\xff{"), "header is wrong"),
        (file_of(b"[" * 100_000), "header is wrong"),
        (b"\x80\x04\x95" + b"x" * 60, "no safetensors file"),
    ],
)
def test_files_that_are_no_weights_are_refused(data: bytes, message: str) -> None:
    """Headers that lie, overlaps, gaps, and other formats end in one error, before anything is made of them."""
    with pytest.raises(ValueError, match=message):
        runtime.parse_weights(data, "w")
    with pytest.raises(ExportError, match=message):
        check_weights(data)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(bad: float, tmp_path: Path) -> None:
    """A diverged network is refused on writing and on reading, with the tensor's name and the count."""
    weights = {"fine": torch.ones(2), "broken": torch.tensor([1.0, bad, bad])}
    with pytest.raises(ExportError, match=r"weights\['broken'\] has 2 NaN or infinite of 3"):
        write_weights(weights)
    (tmp_path / "w").write_bytes(save(weights))
    with pytest.raises(ExportError, match=r"weights\['broken'\] has 2 NaN or infinite of 3"):
        read_weights(tmp_path / "w")


@pytest.fixture
def grey(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network for grey images of 4 x 6 with values up to 16."""
    monkeypatch.setattr(runtime, "INPUT_SHAPE", (1, 4, 6))
    monkeypatch.setattr(runtime, "SCALE", 16.0)


@pytest.fixture
def colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network for colour images of 4 x 6 whose inputs go from -1 to 1."""
    monkeypatch.setattr(runtime, "INPUT_SHAPE", (3, 4, 6))
    monkeypatch.setattr(runtime, "VALUE_RANGE", (-1.0, 1.0))


def png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, array)
    return file.getvalue()


NOISE = np.random.default_rng(0).integers(0, 256, (400, 400)).astype(np.uint8)
PIXELS = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10


@pytest.mark.usefixtures("grey")
def test_one_image_gives_the_same_input_from_every_format(tmp_path: Path) -> None:
    """PGM, PNG and numpy arrays of the same image give the same tensor."""
    from PIL import Image

    (tmp_path / "a.pgm").write_bytes(b"P5\n# a comment 1 2 3\n6 4\n255\n" + PIXELS.tobytes())
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    np.save(tmp_path / "a.npy", PIXELS / 255 * 16)
    expected = torch.from_numpy(PIXELS).float()[None, None] / 255
    for name in ("a.pgm", "a.png"):
        assert torch.equal(runtime.read_image(tmp_path / name), expected)
    torch.testing.assert_close(runtime.read_image(tmp_path / "a.npy"), expected)


@pytest.mark.usefixtures("grey")
@pytest.mark.parametrize("kind", ["jpg", "tiff"])
def test_a_photo_with_odd_exif_is_turned(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow cannot write the tags of some phones again; where its decoder turns pixels itself, that is enough."""
    from PIL import Image, ImageOps

    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.tile(np.uint8([[0, 255]]), (8, 8)).repeat(2, 1)).save(tmp_path / f"a.{kind}", exif=exif)
    wanted = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO((tmp_path / f"a.{kind}").read_bytes()))))
    if kind == "jpg":
        monkeypatch.setattr(Image.Exif, "tobytes", lambda *_: struct.pack("I", "no number"))
    found = runtime.read_with_pillow(tmp_path / f"a.{kind}")
    assert torch.equal(found, torch.from_numpy(np.array(wanted)).float()[None, None] / 255)


@pytest.mark.usefixtures("colour")
def test_grey_becomes_colour_and_white_becomes_the_upper_bound(tmp_path: Path) -> None:
    """Channels are repeated, and 0 to 255 is mapped to the range of the training data."""
    (tmp_path / "a.pgm").write_bytes(b"P5 6 4 255\n" + bytes([255] * 12 + [0] * 12))
    image = runtime.read_image(tmp_path / "a.pgm")
    assert torch.equal(image, torch.tensor([1.0, 1.0, -1.0, -1.0]).view(1, 1, 4, 1).expand(1, 3, 4, 6))


@pytest.mark.usefixtures("grey")
def test_colour_becomes_grey_and_sizes_are_fitted(tmp_path: Path) -> None:
    """A red image of another size has the brightness of red, everywhere."""
    (tmp_path / "a.ppm").write_bytes(b"P6 3 5 255\n" + bytes([255, 0, 0]) * 15)
    torch.testing.assert_close(runtime.read_image(tmp_path / "a.ppm"), torch.full((1, 1, 4, 6), 0.299))


@pytest.mark.usefixtures("grey")
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.pgm", b"P5 6 4 255\n123", "6 x 4 pixels"),
        ("a.pgm", b"P5 999999 999999 255\n123", "999999 x 999999 pixels"),
        ("a.pgm", b"\x80\x04\x95", "no binary PGM or PPM"),
        ("a.png", b"\x80\x04\x95", "no image of the formats PNG, JPEG"),
        ("a.txt", b"Dear diary,\ntoday", "no image of the formats PNG, JPEG"),
        ("a.png", b"", "no image of the formats PNG, JPEG"),
        ("a.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image of the formats PNG, JPEG"),
        ("a.png", png(NOISE)[:-300], "a damaged image: image file is truncated"),
        ("a.png", b"\x99\xa8\xbdc".join(png(NOISE).rsplit(b"IDAT", 1)), "a damaged image: broken PNG"),
        ("a.bmp", b"BM" + bytes(12) + struct.pack("<IIIHH", 40, 60_000, 60_000, 1, 24) + bytes(24), "damaged.*bomb"),
        ("a.npy", b"\x80\x04\x95", "no numpy array.*(pickled data|allow_pickle)"),
        ("a.npy", b"", "no numpy array of an image: .*[Nn]o data left"),
        ("a.npy", npy(np.zeros((4, 6)))[:-8], "no numpy array of an image: "),
        ("a.npy", npz(np.zeros((4, 6))), "one numpy array of finite numbers"),
        ("a.npy", npy(np.array([["a", "b"]])), "one numpy array of finite numbers"),
        ("a.npy", npy(np.full((4, 6), np.nan)), "one numpy array of finite numbers"),
        ("a.npy", npy(np.zeros((4, 6), complex)), "one numpy array of finite numbers"),
        ("a.npy", npy(np.zeros((0, 6))), r"this array has shape \(0, 6\)"),
        ("a.npy", npy(np.zeros((1, 1, 4, 6))), r"this array has shape \(1, 1, 4, 6\)"),
        ("a.npy", npy(np.zeros((2, 4, 6))), r"must have 1 channel\(s\), it has 2"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_files_that_are_no_images_are_clean_errors(
    name: str,
    content: bytes,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line on standard error and exit code 2; a pickle is not loaded, and no other program is started."""
    (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(runtime, "load", torch.nn.Flatten)
    assert runtime.main([str(tmp_path / name)]) == 2
    shown = capsys.readouterr()
    assert re.search(message, shown.err)
    assert (shown.out, shown.err.count("\n")) == ("", 1)


@pytest.mark.usefixtures("grey")
@pytest.mark.parametrize("package", ["numpy", "PIL"])
def test_a_package_that_is_not_there_is_named(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays need numpy and most images pillow; the error names it and a way around it."""
    name = {"numpy": "a.npy", "PIL": "a.png"}[package]
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match=r"needs the package (numpy|pillow) \(pip install .*or make it a .ppm file"):
        runtime.read_image(tmp_path / name)


def test_wrong_arguments_show_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Without an image, usage and exit code 2."""
    assert runtime.main([]) == 2
    assert capsys.readouterr().err == "usage: python model.py IMAGE\n"


@pytest.fixture
def model(exported: Exported, tmp_path: Path) -> ModuleType:
    """The module of an export for grey images of 8 x 8, in a folder of its own."""
    folder = shutil.copytree(exported.folder, tmp_path / "exported")
    spec = importlib.util.spec_from_file_location("exported_model", folder / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 8, 8), (1, 31, 5), (1, 1, 1), (3, 8, 8), (4, 20, 9)])
def test_an_export_takes_images_of_any_size_and_colour(
    channels: int,
    height: int,
    width: int,
    model: ModuleType,
    exported: Exported,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever its size and colours, an image is fitted to the network, and all classes get a probability."""
    from PIL import Image

    pixels = np.full((height, width, channels), 128, np.uint8)
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(tmp_path / "image.png")
    assert model.main([str(tmp_path / "image.png")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sorted(line.split("\t")[0] for line in lines) == sorted(NAMES)
    with torch.inference_mode():
        expected = model.load()(torch.full((1, 1, 8, 8), 128 / 255)).softmax(1)[0].max()
    assert float(lines[0].split("\t")[1]) == pytest.approx(float(expected), abs=2e-4)


def test_an_export_names_a_file_that_is_not_there(model: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """One line with the file and the reason, for images of every kind and for weights."""
    for name in ("no such.png", "no such.npy", "no such.ppm", "no such"):
        assert model.main([name]) == 2
        assert capsys.readouterr().err == f"{name}: No such file or directory\n"
    weights = Path(str(model.__file__)).with_name("weights.safetensors")
    weights.unlink()
    assert model.main(["x.png"]) == 2
    assert capsys.readouterr().err == f"{weights}: No such file or directory\n"


def test_an_export_says_that_weights_are_not_its_own(model: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """Weights of another network are one line, which names what is missing."""
    weights = Path(str(model.__file__)).with_name("weights.safetensors")
    weights.write_bytes(save({"other": torch.ones(2)}))
    assert model.main(["x.png"]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"{weights}: not the weights of this network: ")
    assert "conv.weight" in shown
    assert shown.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "encoding", "shown"),
    [
        ("cat", "utf-8", "cat"),
        ("trois é", "utf-8", "trois é"),
        ("trois é", "ascii", "trois \\xe9"),
        ("a\nb\x1b[31m", "utf-8", "a\\nb\\x1b[31m"),
    ],
)
def test_class_names_are_printed_in_any_terminal(
    name: str, encoding: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control characters, and letters the terminal does not know, are written as escapes."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert runtime.printable(name) == shown


def test_a_reader_that_goes_away_is_no_error(model: ModuleType, exported: Exported, tmp_path: Path) -> None:
    """``python model.py IMAGE | head -1`` ends well."""
    (tmp_path / "image.pgm").write_bytes(b"P5 2 2 255\n" + bytes(4))
    command = f"set -o pipefail; '{sys.executable}' '{model.__file__}' image.pgm | sleep 0"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path)
    assert (0, "", "") == (done.returncode, done.stderr, done.stdout)
