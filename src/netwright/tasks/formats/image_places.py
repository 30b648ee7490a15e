"""Where the images lie that a file of annotations or of labels names."""

from __future__ import annotations

import re
from pathlib import Path

_IMAGES = ("images", "JPEGImages", "data")


def image_folders(path: Path) -> list[Path]:
    """Where the images of a file of annotations or labels may lie, the likeliest first.

    Beside it; in ``images``, ``JPEGImages`` or ``data`` there or one up; in a folder named like a word of its name, as
    ``train2017`` is for ``annotations/instances_train2017.json`` and ``train_images`` for ``train.csv``; one up, where
    its own folder is called annotations.
    """
    folder, up = path.parent, path.parent / ".."
    places = [folder, *(top / name for top in (folder, up) for name in _IMAGES)]
    for word in filter(None, re.split(r"[\s._-]+", path.stem)):
        places += [top / name / word for top in (folder, up) for name in ("", *_IMAGES)]
        places += [top / f"{word}_images" for top in (folder, up)]
    if folder.resolve().name.lower() == "annotations":
        places.append(up)
    return [place for place in places if place.is_dir()]
