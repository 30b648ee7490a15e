"""Which images are trained on, which compare detectors, and which are read at the end, where the data does not say.

Each class keeps its part of the images, as far as that can be, and none is left that the training part lacks. Augmented
copies of one picture go together. Knows no pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError
from netwright.tasks.detection.annotations import Annotated
from netwright.tasks.formats.parts import Indices
from netwright.tasks.image_copies import pictures_of
from netwright.tasks.multilabel import Targets, stratified_sets
from netwright.tasks.splits import TEST_SEED, SplitOptions

_FEWEST = 3


def split_images(images: Sequence[Annotated], options: SplitOptions) -> tuple[dict[str, Indices], list[str]]:
    """Sort images into parts; what the data does not divide is split off its training part.

    Args:
        images: all, their boxes repaired.
        options: of parts that are missing; the test part does not depend on the seed.

    Returns:
        Rows of each part, ascending, and notes for people.

    Raises:
        DataError: there are too few images, or too few of each class to give a part any.
    """
    parts = {part: np.flatnonzero([image.split == part for image in images]) for part in ("train", "val", "test")}
    rest = np.flatnonzero([not image.split for image in images])
    parts["train"] = np.sort(np.concatenate([parts["train"], rest]))
    missing = [part for part in ("test", "val") if not len(parts[part])]
    picture = pictures_of([image.file for image in images])
    count = len(np.unique(picture[parts["train"]]))
    if count < (_FEWEST if missing else 1):
        raise DataError(
            f"{count} training image(s) of {len(images)} are too few (copies of one count once); give at least "
            f"{_FEWEST}, or a part train of at least 1 beside val and test"
        )
    held, notes = _held(images), []
    for part in missing:
        share = options.test_share if part == "test" else options.share_for(len(parts["train"]))
        seed = TEST_SEED if part == "test" else options.seed
        rows = parts["train"]
        there, shown = np.unique(picture[rows], return_inverse=True)  # pictures, and which of them each image shows
        of_pictures = np.zeros((len(there), held.shape[1]), np.uint8)
        np.maximum.at(of_pictures, shown, held[rows])
        chosen, drawn = _taken(of_pictures, share, seed, part)
        taken, back = chosen[shown], np.flatnonzero(np.isin(shown, drawn))
        parts["train"], parts[part] = rows[~taken], rows[taken]
        if len(back):
            notes.append(
                f"{len(back)} image(s) drawn for the {part} part stay in the training part, which has no others of one "
                f"of their classes (first: {images[rows[back[0]]].where})"
            )
    return parts, notes


def _held(images: Sequence[Annotated]) -> Targets:
    """(N, C): 1 where an image has a box of a class."""
    names = sorted({box.label for image in images for box in image.boxes})
    numbers = {name: number for number, name in enumerate(names)}
    held = np.zeros((len(images), len(names)), np.uint8)
    for row, image in enumerate(images):
        held[row, [numbers[box.label] for box in image.boxes]] = 1
    return held


def _taken(held: Targets, share: float, seed: int, part: str) -> tuple[NDArray[np.bool_], Indices]:
    """Which pictures (N,) a part gets, and those that were drawn for it but are needed where they were.

    Raises:
        DataError: no image with a box can be spared.
    """
    kept, drawn = stratified_sets(held, share, seed)
    taken = np.zeros(len(held), np.bool_)
    taken[drawn] = True
    left = held[kept].sum(0, dtype=np.int64)
    for row in drawn:
        if (left[held[row] > 0] == 0).any():
            taken[row] = False
            left += held[row]
    if held.any() and not held[taken].any():
        fewest = {int(row): left[held[row] > 0].min() for row in np.flatnonzero(~taken & held.any(1))}
        spared = max(fewest, key=fewest.__getitem__)
        if fewest[spared] < 2:
            raise DataError(
                f"no image with a box can be split off for the {part} part: each of the {len(fewest)} has a class that "
                f"no other training image has; add images of these classes, or a part {part}"
            )
        taken[spared] = True
    return taken, drawn[~taken[drawn]]
