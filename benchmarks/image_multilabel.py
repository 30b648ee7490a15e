"""Several labels an image: a search and hand-made networks alone, in the same wall time.

    python benchmarks/image_multilabel.py --budget 5m --seeds 0 1 2 --write docs/figures/image_multilabel.md

The set: mosaics of 64 x 64 pixels of four photographs of CIFAR-10 each, whose labels are the classes that are in it
(one to four of ten); `TRAIN` mosaics of its training part, `TEST` of its test part, drawn with one seed.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from at_equal_time import Case, parser, run

REFERENCES = ("resnet", "mobilenet", "cnn")
TRAIN, TEST = 6000, 1500
SIDE = 32


def mosaics(source: Path, count: int, seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Images (N, 64, 64, 3) of four each, and their labels (N, C) of 0 and 1, with the names of the classes.

    Args:
        source: ``train.npz`` or ``test.npz`` of CIFAR-10 as JPEG.
        count: of the mosaics.
        seed: decides which images are in each.
    """
    from PIL import Image

    with np.load(source, allow_pickle=False) as arrays:
        joined, offsets, classes = arrays["jpeg"], arrays["offsets"], arrays["labels"]
        names = [str(name) for name in arrays["names"]]
    drawn = np.random.default_rng(seed).integers(0, len(classes), (count, 4))
    images = np.empty((count, 2 * SIDE, 2 * SIDE, 3), np.uint8)
    labels = np.zeros((count, len(names)), np.uint8)
    for number, four in enumerate(drawn):
        for place, i in enumerate(four):
            top, left = SIDE * (place // 2), SIDE * (place % 2)
            with Image.open(io.BytesIO(joined[offsets[i] : offsets[i + 1]].tobytes())) as image:
                images[number, top : top + SIDE, left : left + SIDE] = np.asarray(image.convert("RGB"))
            labels[number, classes[i]] = 1
    return images, labels, names


def written(source: Path, out: Path) -> Path:
    """Write the set, unless it is there."""
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        x_train, y_train, names = mosaics(source / "train.npz", TRAIN, seed=0)
        x_test, y_test, _ = mosaics(source / "test.npz", TEST, seed=1)
        beside = out.with_name(f"part-{out.name}")
        np.savez(beside, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test, classes=np.array(names))
        beside.replace(out)
    return out


def main() -> None:
    """Run what the command line asks for."""
    given = parser(__doc__, "image_multilabel").parse_args()
    data = written(given.shared / "cifar10_jpeg", given.jsonl.parent / f"mosaics-{TRAIN}-{TEST}.npz")
    metric = "test_mean_average_precision"
    run([Case("mosaics", "image-multilabel", str(data), metric, False, REFERENCES)], given, __doc__)


if __name__ == "__main__":
    main()
