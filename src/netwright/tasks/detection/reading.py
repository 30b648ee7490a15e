"""Find out which format of annotations data has, and read it.

| data                                                                | format     |
|---------------------------------------------------------------------|------------|
| ``FILE.csv``, or a folder with one, or with train.csv, val.csv, ... | CSV        |
| ``FILE.json``, a folder with such files, or with them in            | COCO       |
| ``annotations/`` or in ``train/``, ``valid/``, ``test/``            |            |
| a folder of ``.xml`` files, or with ``Annotations/``, or with       | Pascal VOC |
| ``train/``, ``valid/``, ``test/`` of them                           |            |

Folders of parts may have ``annotations/`` in them, and names in capitals. Hidden files are ignored: archives made on a
Mac have one for each file. Of several .json files those named ``instances_...`` are read, where
there are such: beside them COCO has key points and captions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from netwright.errors import DataError, shorten
from netwright.tasks.detection.annotations import JOINED, SPLITS, Annotated, Repairs
from netwright.tasks.detection.coco import read_coco
from netwright.tasks.detection.csv_boxes import read_csv
from netwright.tasks.detection.voc import read_voc

KINDS = "a .csv of boxes, a COCO .json, or a folder with one of them or with Pascal VOC's .xml files"


def read_annotations(data: str | Path, repairs: Repairs) -> list[Annotated]:
    """Read images and boxes from whatever ``data`` names.

    Args:
        data: a file or a folder, see above.
        repairs: counts what is joined or left out.

    Returns:
        Each image file once.

    Raises:
        DataError: nothing is there, it is of no known kind, it cannot be used, or an image is in two parts.
    """
    path = Path(data)
    if not str(data) or "\0" in str(data) or not path.exists():
        raise DataError(f"data {shorten(str(data))} does not exist; give {KINDS}")

    def coco(file: Path, split: str = "") -> list[Annotated]:
        return read_coco(file, repairs, split)

    if path.is_file():
        read = {".csv": read_csv, ".json": coco}.get(path.suffix.lower())
        if read is None:
            raise DataError(f"data {shorten(str(path))} is a file of no known kind; give {KINDS}")
        return _joined(read(path), repairs)
    for suffix, one in ((".csv", read_csv), (".json", coco)):
        files = _files(path, suffix)
        if files:
            return _joined(_several(path, files, one), repairs)
    images = _voc(path, repairs)
    if not images:
        raise DataError(f"the folder {shorten(str(path))} holds no annotations; give {KINDS}")
    return _joined(images, repairs)


def _joined(images: Iterable[Annotated], repairs: Repairs) -> list[Annotated]:
    """Images whose file is the same, whatever it is called, as one; refused where they are in two parts."""
    found: dict[Path, Annotated] = {}
    for image in images:
        file = image.file.resolve()
        first = found.setdefault(file, image)
        if first is image:
            continue
        if first.split != image.split:
            raise DataError(
                f"{image.where}: the image {shorten(image.file.name)} is in the {image.split} part here and in the "
                f"{first.split} part in {first.where}; leave it in one"
            )
        if None not in (first.size, image.size) and first.size != image.size:
            raise DataError(f"{image.where}: {shorten(image.file.name)} has another size than in {first.where}")
        repairs.add(JOINED, image.where)
        boxes, crowds = (*first.boxes, *image.boxes), (*first.crowds, *image.crowds)
        found[file] = replace(first, boxes=boxes, crowds=crowds, size=first.size or image.size)
    return list(found.values())


def _several(folder: Path, files: list[Path], read: Callable[[Path, str], list[Annotated]]) -> list[Annotated]:
    """One file, or one for each part."""
    if len(files) == 1:
        return read(files[0], "")
    by_split: dict[str, Path] = {}
    for file in files:
        words = re.split(r"[^a-z]+", str(file.relative_to(folder).with_suffix("")).lower())
        split = next((SPLITS[word] for word in words if word in SPLITS), None)
        if split is None or split in by_split:
            raise DataError(
                f"{str(folder)!r} holds several files of annotations ({', '.join(f.name for f in files[:5])}); give "
                "one, or one for each part with train, val and test in their names"
            )
        by_split[split] = file
    if "train" not in by_split:
        raise DataError(f"{str(folder)!r} holds {', '.join(by_split)}, but no training part")
    return [image for split, file in by_split.items() for image in read(file, split)]


def _files(folder: Path, suffix: str) -> list[Path]:
    """Files of that kind in the folder, or in the folders of the parts."""
    found = _beside(folder, suffix) or [file for part, _ in _parts(folder) for file in _beside(part, suffix)]
    return [file for file in found if file.stem.startswith("instances_")] or found


def _beside(folder: Path, suffix: str) -> list[Path]:
    """Files of that kind in a folder, else in ``annotations/`` there."""
    for place in (folder, folder / "Annotations", folder / "annotations"):
        entries = sorted(place.iterdir()) if place.is_dir() else []
        found = [file for file in entries if file.suffix.lower() == suffix and not file.name.startswith(".")]
        if found:
            return found
    return []


def _parts(folder: Path) -> list[tuple[Path, str]]:
    """The folders of parts, each with the part that it is."""
    inside = {entry.name.lower(): entry for entry in sorted(folder.iterdir()) if entry.is_dir()}
    return [(inside[name], split) for name, split in SPLITS.items() if name in inside]


def _voc(folder: Path, repairs: Repairs) -> list[Annotated]:
    files = _beside(folder, ".xml")
    if files:
        return read_voc(folder, files, repairs)
    found = []
    for part, split in _parts(folder):
        files = _beside(part, ".xml")
        found += read_voc(folder, files, repairs, split) if files else []
    return found
