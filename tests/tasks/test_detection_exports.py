"""Boxes as tools export them: augmented copies, sizes in CSV files, archives of a Mac, capital folders, stale names."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netwright.errors import DataError
from netwright.tasks.detection.annotations import Annotated, Box, Repairs
from netwright.tasks.detection.reading import read_annotations
from netwright.tasks.detection.splitting import split_images
from netwright.tasks.detection.task import ObjectDetection
from netwright.tasks.splits import SplitOptions

pytest.importorskip("faster_coco_eval")


def save(path: Path, height: int = 60, width: int = 80) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width, 3), 30, np.uint8)).save(path)


def xml(named: str, left: int, label: str = "a") -> str:
    box = f"<xmin>{left}</xmin><ymin>5</ymin><xmax>{left + 20}</xmax><ymax>25</ymax>"
    found = f"<object><name>{label}</name><bndbox>{box}</bndbox></object>"
    return f"<annotation><filename>{named}</filename>{found}</annotation>"


def read(folder: Path) -> tuple[list[Annotated], tuple[str, ...]]:
    repairs = Repairs()
    return read_annotations(folder, repairs), repairs.notes()


def test_a_copied_xml_file_is_that_of_its_own_image(tmp_path: Path) -> None:
    """Who mirrors an image and copies its XML file leaves the first name in it; boxes stay with their own image."""
    for name, left in (("0", 5), ("0_flip", 55)):
        save(tmp_path / f"{name}.jpg")
        (tmp_path / f"{name}.xml").write_text(xml("0.jpg", left))
    images, notes = read(tmp_path)
    assert [("0.jpg", [5.0]), ("0_flip.jpg", [55.0])] == [
        (image.file.name, [box.corners[0] for box in image.boxes]) for image in images
    ]
    assert () == notes


def test_of_two_images_of_an_xml_files_name_the_named_one_is_meant(tmp_path: Path) -> None:
    """The ending that the file tells decides."""
    for ending in ("jpg", "png"):
        save(tmp_path / f"0.{ending}")
    (tmp_path / "0.xml").write_text(xml("0.png", 5))
    assert ["0.png"] == [image.file.name for image in read(tmp_path)[0]]


def test_lists_of_parts_count_where_the_annotations_are_given(tmp_path: Path) -> None:
    """VOC/Annotations has the parts of VOC: its test images are not trained on."""
    for number in range(6):
        save(tmp_path / "JPEGImages" / f"{number}.jpg")
        (tmp_path / "Annotations").mkdir(exist_ok=True)
        (tmp_path / "Annotations" / f"{number}.xml").write_text(xml(f"{number}.jpg", 5))
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("0\n1\n2\n")
    (lists / "test.txt").write_text("3\n4\n5\n")
    for folder in (tmp_path, tmp_path / "Annotations"):
        assert ["train"] * 3 + ["test"] * 3 == [image.split for image in read(folder)[0]]


def test_hidden_files_of_an_archive_are_ignored(tmp_path: Path) -> None:
    """Archives made on a Mac hold a file ._NAME for each file, which is no XML and no CSV."""
    for number in range(2):
        save(tmp_path / "xml" / f"{number}.jpg")
        (tmp_path / "xml" / f"{number}.xml").write_text(xml(f"{number}.jpg", 5))
    (tmp_path / "xml" / "._0.xml").write_bytes(b"\0\5\26\7Mac OS X")
    assert 2 == len(read(tmp_path / "xml")[0])
    save(tmp_path / "csv" / "0.jpg")
    (tmp_path / "csv" / "boxes.csv").write_text("image,xmin,ymin,xmax,ymax,label\n0.jpg,1,1,9,9,a\n")
    (tmp_path / "csv" / "._boxes.csv").write_bytes(b"\0\5\26\7Mac OS X")
    assert 1 == len(read(tmp_path / "csv")[0])


def test_folders_of_parts_may_be_in_capitals(tmp_path: Path) -> None:
    """Train/, Valid/ and Test/ are the parts, in XML and in CSV."""
    for part in ("Train", "Valid", "Test"):
        save(tmp_path / "xml" / part / f"{part}.jpg")
        (tmp_path / "xml" / part / f"{part}.xml").write_text(xml(f"{part}.jpg", 5))
        save(tmp_path / "csv" / part / f"{part}.jpg")
        text = f"image,xmin,ymin,xmax,ymax,label\n{part}.jpg,1,1,9,9,a\n"
        (tmp_path / "csv" / part / "_annotations.csv").write_text(text)
    for form in ("xml", "csv"):
        found = {image.file.name: image.split for image in read(tmp_path / form)[0]}
        assert {"Train.jpg": "train", "Valid.jpg": "val", "Test.jpg": "test"} == found


def of_roboflow(name: str, copy: int = 0) -> str:
    return f"{name}_jpg.rf.{hashlib.sha256(f'{name} {copy}'.encode()).hexdigest()[:32]}.jpg"


def annotated(names: list[str]) -> list[Annotated]:
    return [
        Annotated(Path("set") / name, name, (Box("ab"[n % 5 == 0], (0.0, 0.0, 9.0, 9.0), name),))
        for n, name in enumerate(names)
    ]


def test_copies_of_one_picture_belong_to_one_part() -> None:
    """Of ten pictures with three augmented copies each none is trained on and scored by."""
    names = [of_roboflow(f"img{number}", copy) for number in range(10) for copy in range(3)]
    images = annotated(names)
    parts, _ = split_images(images, SplitOptions(seed=0))
    pictures = {part: {images[row].file.name.split("_jpg")[0] for row in rows} for part, rows in parts.items()}
    assert 30 == sum(map(len, parts.values()))
    assert all(pictures.values())
    assert 10 == sum(map(len, pictures.values()))


def test_pictures_without_copies_are_split_as_if_none_could_be() -> None:
    """A name says nothing where it occurs once."""
    plain, named = annotated([f"{n}.jpg" for n in range(40)]), annotated([of_roboflow(f"i{n}") for n in range(40)])
    found = [split_images(images, SplitOptions(seed=1))[0] for images in (plain, named)]
    assert all(np.array_equal(found[0][part], found[1][part]) for part in ("train", "val", "test"))


def test_copies_of_too_few_pictures_are_refused() -> None:
    """Two pictures cannot be three parts, however many copies there are."""
    names = [of_roboflow(name, copy) for name in "ab" for copy in range(6)]
    with pytest.raises(DataError, match=r"2 training image\(s\) of 12 are too few \(copies of one count once\)"):
        split_images(annotated(names), SplitOptions())


def write_csv(folder: Path, lines: list[str], header: str = "filename,width,height,class,xmin,ymin,xmax,ymax") -> Path:
    for number in range(12):
        save(folder / f"{number}.jpg")
    (folder / "_annotations.csv").write_text("\n".join([header, *lines]))
    return folder


def test_the_sizes_of_images_that_a_csv_file_declares_are_compared(tmp_path: Path) -> None:
    """Boxes of images before they were made smaller are refused, as those of COCO and Pascal VOC are."""
    right = [f"{n}.jpg,80,60,a,50,5,75,25" for n in range(12)]
    assert 1 == ObjectDetection.load(write_csv(tmp_path, right), image_size=64).num_classes
    larger = [f"{n}.jpg,160,120,a,20,10,70,50" for n in range(12)]
    with pytest.raises(
        DataError, match=r"_annotations\.csv line 2: the annotations are for 160 x 120 pixels, but '0\.jpg'"
    ):
        ObjectDetection.load(write_csv(tmp_path, larger), image_size=64)
    empty = ["0.jpg,,,,,,,"]
    with pytest.raises(DataError, match=r"line 3: the annotations are for 160 x 120 pixels, but '1\.jpg'"):
        ObjectDetection.load(write_csv(tmp_path, [*empty, *larger[1:]]), image_size=64)
    turned = Image.Exif()
    turned[0x0112] = 6
    write_csv(tmp_path, right)
    for number in range(12):
        Image.fromarray(np.full((60, 80, 3), 30, np.uint8)).save(tmp_path / f"{number}.jpg", exif=turned)
    with pytest.raises(DataError, match="files are turned as their EXIF tag says"):
        ObjectDetection.load(tmp_path, image_size=64)


@pytest.mark.parametrize("sizes", ["25,20", "wide,high", ",", "nan,inf", "0,0"])
def test_columns_of_width_and_height_may_tell_of_something_else(tmp_path: Path, sizes: str) -> None:
    """Those of boxes, words and nothing at all are ignored, as other columns are."""
    lines = [f"{n}.jpg,{sizes},a,50,5,75,25" for n in range(12)]
    assert 12 == sum(map(len, parts_of(ObjectDetection.load(write_csv(tmp_path, lines), image_size=64))))


def test_sizes_that_differ_between_lines_of_an_image_tell_of_boxes(tmp_path: Path) -> None:
    """An image has one size; boxes at its corner would lie within what is said."""
    lines = [f"{n}.jpg,{size},{size},a,0,0,{size},{size}" for n in range(12) for size in (20, 30)]
    assert 12 == sum(map(len, parts_of(ObjectDetection.load(write_csv(tmp_path, lines), image_size=64))))


def parts_of(task: ObjectDetection) -> list[np.ndarray]:
    return [task.train()[1], task.validation()[1], task.test()[1]]


def test_two_categories_of_one_id_are_refused(tmp_path: Path) -> None:
    """Otherwise all cats would be dogs; the same category twice is nothing to complain of."""
    for number in range(3):
        save(tmp_path / f"{number}.jpg")
    found = {
        "images": [{"id": n, "file_name": f"{n}.jpg"} for n in range(3)],
        "categories": [{"id": 1, "name": "cat"}, {"id": 1, "name": "cat"}],
        "annotations": [{"image_id": n, "category_id": 1, "bbox": [1, 1, 20, 20]} for n in range(3)],
    }
    (tmp_path / "x.json").write_text(json.dumps(found))
    assert {"cat"} == {box.label for image in read(tmp_path)[0] for box in image.boxes}
    (tmp_path / "x.json").write_text(
        json.dumps({**found, "categories": [*found["categories"], {"id": 1, "name": "dog"}]})
    )
    with pytest.raises(DataError, match=r"x\.json categories\[2\]: the id 1 is that of 'cat', too; give each"):
        read(tmp_path)
