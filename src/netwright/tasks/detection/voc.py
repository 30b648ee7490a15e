"""Boxes in Pascal VOC's XML: a file an image, ``object`` with ``name`` and ``bndbox``.

For where images are looked for, see `image_folders`; ``ImageSets/Main/train.txt`` and so on divide them
(``trainval.txt`` where there is no ``train.txt``), also where ``Annotations/`` beside it is given. Corners are taken as
they stand, and objects marked as difficult or truncated as all others. Files with a document type are refused, since
entities could be declared there.

References:
    Everingham et al. (2010), The Pascal Visual Object Classes Challenge; annotations as in its development kit.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from netwright.errors import DataError, shorten
from netwright.tasks.detection.annotations import (
    SPLITS,
    UNLISTED,
    Annotated,
    Box,
    Repairs,
    corner,
    declared_size,
    image_path,
)
from netwright.tasks.formats.image_files import SUFFIXES
from netwright.tasks.formats.image_places import image_folders
from netwright.tasks.formats.parts import file_error

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_LARGEST_BYTES = 16 << 20


def read_voc(folder: Path, files: list[Path], repairs: Repairs, split: str = "") -> list[Annotated]:
    """Read the XML files of a set.

    Args:
        folder: of the set, or its ``Annotations/``.
        files: its XML files.
        repairs: counts images that no list names.
        split: of all images; where it is empty ``ImageSets/Main`` is asked.

    Raises:
        DataError: no XML of that form, an image that is not there, a box that is none; names the file.
    """
    splits = {} if split else _splits(folder)
    images = [_read(file, split or splits.get(file.stem, "")) for file in files]
    if splits:
        known = {file.stem for file in files}
        missing = next((name for name in splits if name not in known), None)
        if missing is not None:
            raise DataError(f"ImageSets/Main names {shorten(missing)}, of which there is no XML file")
        for image in images:
            if not image.split:
                repairs.add(UNLISTED, image.where)
        images = [image for image in images if image.split]
    return images


def _read(path: Path, split: str) -> Annotated:
    root = _parse(path)
    name = (root.findtext("filename") or "").strip()
    boxes = []
    for number, entry in enumerate(root.iter("object")):
        where = f"{path.name} object {number + 1}"
        label, bndbox = (entry.findtext("name") or "").strip(), entry.find("bndbox")
        if not label or bndbox is None:
            raise DataError(f"{where} has no {'bndbox' if label else 'name'}")
        left, top, right, bottom = (corner(bndbox.findtext(c), c, where) for c in _CORNERS)
        boxes.append(Box(label, (left, top, right, bottom), where))
    size = declared_size(root.findtext("size/height"), root.findtext("size/width"), path.name)
    return Annotated(_image(path, name), path.name, tuple(boxes), split, size)


def _image(path: Path, name: str) -> Path:
    """The image an XML file means: that of its own name, else the one it names: copies keep the name of the first."""
    folders, named = image_folders(path), Path(name).name
    own = [f"{path.stem}{end}" for suffix in SUFFIXES for end in (suffix, suffix.upper())]
    if Path(named).stem == path.stem:
        own.insert(0, named)
    found = next((place / one for one in own for place in folders if (place / one).is_file()), None)
    return found or image_path(folders, named or f"{path.stem}.jpg", path.name)


def _parse(path: Path) -> ElementTree.Element:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise DataError(f"{str(path)!r} is too large for annotations of an image")
        parser = ElementTree.XMLParser(target=_Untyped(path))  # noqa: S314 - no document type, so no entities
        root = ElementTree.fromstring(path.read_bytes(), parser)  # noqa: S314
    except ElementTree.ParseError as error:
        raise DataError(f"{path.name} line {error.position[0]}: no XML: {error}") from error
    except (ValueError, LookupError) as error:
        raise DataError(f"{str(path)!r} is in an encoding that cannot be read ({error}); save it as UTF-8") from error
    except OSError as error:
        raise file_error(path, error) from error
    if root.tag != "annotation":
        raise DataError(f"{path.name}: its root is {shorten(root.tag)}, not 'annotation' as in Pascal VOC")
    return root


class _Untyped(ElementTree.TreeBuilder):
    """Builds the tree of a file, and refuses a document type when it begins, whatever the file is encoded in."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def doctype(self, *_: object) -> None:
        """Refuse it."""
        raise DataError(f"{str(self.path)!r} has a document type; annotations need none: remove it")


def _splits(folder: Path) -> dict[str, str]:
    """Part of each image by its name; where only trainval is listed, what is not in val is trained on."""
    inside = folder.resolve().name.lower() == "annotations" and not (folder / "ImageSets").is_dir()
    lists = (folder.resolve().parent if inside else folder) / "ImageSets" / "Main"
    given = [name for name in ("train", "val", "test") if (lists / f"{name}.txt").is_file()]
    if "train" not in given and (lists / "trainval.txt").is_file():
        given.append("trainval")
    elif given and "train" not in given:
        raise DataError(f"{str(lists)!r} lists {', '.join(given)}, but no training part; add train.txt or trainval.txt")
    found: dict[str, str] = {}
    for name in given:
        for where, image in _listed(lists / f"{name}.txt"):
            part = found.setdefault(image, SPLITS[name])
            if part != SPLITS[name] and (name, part) != ("trainval", "val"):
                raise DataError(f"{where}: {shorten(image)} is in {part}, too")
    return found


def _listed(path: Path) -> Iterator[tuple[str, str]]:
    """The names of images in a list, with where they stand."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{str(path)!r} is no UTF-8 text: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise file_error(path, error) from error
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if words:
            yield f"{path.name} line {number}", words[0]
