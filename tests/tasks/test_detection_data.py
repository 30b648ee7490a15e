"""Annotations in three formats: what they give, what is repaired with a count, and what is refused by file and line."""

from __future__ import annotations

import json
import os
import re
import threading
import warnings
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from netwright.errors import DataError, MissingDependencyError, SpecError
from netwright.tasks import load_task
from netwright.tasks.batch_size import epochs_of
from netwright.tasks.detection import letterbox
from netwright.tasks.detection.annotations import MOST_BROKEN, Annotated, Box
from netwright.tasks.detection.letterbox import CROWD, GREY, canvas_size, load_images
from netwright.tasks.detection.splitting import split_images
from netwright.tasks.detection.task import ObjectDetection
from netwright.tasks.formats.image_files import ImageForm, decode_all, read_headers
from netwright.tasks.splits import SplitOptions

pytest.importorskip("PIL")
pytest.importorskip("faster_coco_eval")

HEADER = "image,xmin,ymin,xmax,ymax,label\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve images of two sizes, a bright square in each."""
    from PIL import Image

    (tmp_path / "images").mkdir()
    for number in range(12):
        pixels = np.full((60, 80, 3) if number % 2 else (90, 50, 3), 30, np.uint8)
        pixels[10:30, 8:28] = 250
        Image.fromarray(pixels).save(tmp_path / "images" / f"{number}.png")
    return tmp_path


def rows(count: int = 12) -> str:
    return HEADER + "".join(f"{n}.png,8,10,28,30,{'ab'[n % 2]}\n" for n in range(count))


def load(folder: Path, text: str, name: str = "boxes.csv") -> ObjectDetection:
    (folder / name).write_text(text, encoding="utf-8")
    return ObjectDetection.load(folder / name, image_size=64)


def coco() -> dict[str, list[dict[str, object]]]:
    return {
        "images": [{"id": n, "file_name": f"{n}.png"} for n in range(12)],
        "categories": [{"id": 7, "name": "a"}, {"id": 9, "name": "b"}],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 7 + 2 * (n % 2), "bbox": [8, 10, 20, 20]} for n in range(12)
        ],
    }


def write_voc(folder: Path) -> Path:
    (folder / "Annotations").mkdir()
    for n in range(12):
        box = "<bndbox><xmin>8</xmin><ymin>10</ymin><xmax>28</xmax><ymax>30</ymax></bndbox>"
        text = f"<annotation><filename>{n}.png</filename><object><name>{'ab'[n % 2]}</name>{box}</object></annotation>"
        (folder / "Annotations" / f"{n}.xml").write_text(text, encoding="utf-8")
    return folder


def test_the_three_formats_give_the_same(folder: Path) -> None:
    """CSV, COCO and VOC of the same boxes make the same arrays: whole images on the canvas, boxes on the squares."""
    found = [load(folder, rows()), load(folder, json.dumps(coco()), "boxes.json")]
    (folder / "boxes.csv").unlink()
    (folder / "boxes.json").unlink()
    found.append(ObjectDetection.load(write_voc(folder), image_size=64))
    assert {task.class_names for task in found} == {("a", "b")}
    everything = [np.concatenate([task.train()[1], task.validation()[1], task.test()[1]]) for task in found]
    assert all(sorted(e.tolist()) == sorted(everything[0].tolist()) for e in everything)
    x, y = found[0].train()
    assert x.shape[1:] == (3, 64, 64)
    assert x.dtype == np.uint8
    for image, boxes in zip(x, y, strict=True):
        left, top, right, bottom, _ = boxes[0]
        inside = image[:, int(np.ceil(top)) + 1 : int(bottom) - 1, int(np.ceil(left)) + 1 : int(right) - 1]
        assert inside.min() > 240
        assert (image[:, -1, -1] == GREY).all()


def test_a_split_column_and_further_columns_are_used(folder: Path) -> None:
    """Images go to the part that is named; a column nobody knows is left alone; a line without a box is background."""
    lines = ["image,width,label,xmin,ymin,xmax,ymax,split"]
    for n in range(12):
        part = ("train", "train", "valid", "test")[n // 2 % 4]
        lines.append(f"{n}.png,1,{'' if n == 1 else 'ab'[n % 2]},{',,,' if n == 1 else '8,10,28,30'},{part}")
    task = load(folder, "\n".join(lines))
    assert [len(part[1]) for part in (task.train(), task.validation(), task.test())] == [8, 2, 2]
    assert sorted((task.train()[1][:, 0, 4] >= 0).tolist()) == [False] + [True] * 7


def test_what_is_repaired_is_counted(folder: Path) -> None:
    """Clipped, doubled, empty and outer boxes are told with a count and the first place."""
    text = rows() + "".join(f"{n}.png,30,30,50,55,a\n" for n in range(12))
    text += "0.png,40,60,70,80,a\n1.png,8,10,28,30,b\n2.png,5,5,5,9,a\n3.png,500,5,600,9,b\n"
    task = load(folder, text)
    told = " ".join(task.notes)
    assert "1 box(es) reached beyond their image and were clipped (first: boxes.csv line 26)" in told
    assert "1 duplicate annotation(s) were left out (first: boxes.csv line 27)" in told
    assert "1 box(es) without area were left out (first: boxes.csv line 28)" in told
    assert "1 box(es) outside their image were left out (first: boxes.csv line 29)" in told
    assert all(note in task.summary() for note in task.notes)


def test_one_class_is_enough(folder: Path) -> None:
    """A detector of one class has one logit a point."""
    assert load(folder, rows().replace(",b\n", ",a\n")).output_shape[1] == 5


BAD_CSV: dict[str, tuple[Callable[[str], str], str]] = {
    "empty": (lambda _: "", "line 1: no column image"),
    "header only": (lambda _: HEADER, "names no image"),
    "no label column": (lambda t: t.replace("label", "tag"), "line 1: no column label"),
    "missing image": (lambda t: t.replace("3.png", "33.png"), r"boxes.csv line 5: the image '33.png' is not there"),
    "path that leads out": (lambda t: t.replace("3.png", "../x.png"), "line 5: .*no name of an image below"),
    "absolute path": (lambda t: t.replace("3.png", "/etc/passwd"), "line 5: .*no name of an image below"),
    "no number": (lambda t: t.replace("8,10,28,30", "8,ten,28,30", 1), "line 2: ymin is 'ten', not a finite number"),
    "infinite": (lambda t: t.replace("8,10,28,30", "8,10,1e999,30", 1), "line 2: xmax is '1e999'"),
    "no label": (lambda t: t.replace("30,a", "30,", 1), "line 2: the box has no label"),
    "short line": (lambda t: t.replace("8,10,28,30", "8,10,28", 1), "line 2: 5 columns, the header has 6"),
    "no boxes": (lambda t: HEADER + "".join(f"{n}.png,,,,,\n" for n in range(12)), "none of the .* has a box"),
    "widths for corners": (lambda t: t.replace("8,10,28,30", "40,40,20,20"), "12 of 12 boxes have no area"),
    "unknown split": (lambda _: "split," + HEADER + "dev2,1.png,1,1,9,9,a\n", "line 2: unknown split 'dev2'"),
    "two images": (lambda _: rows(2), "too few"),
}


@pytest.mark.parametrize(("change", "says"), BAD_CSV.values(), ids=BAD_CSV)
def test_a_bad_csv_is_refused_by_file_and_line(folder: Path, change: Callable[[str], str], says: str) -> None:
    """The message says where and what, on one line."""
    with pytest.raises(DataError, match=says) as raised:
        load(folder, change(rows()))
    assert "\n" not in str(raised.value)


def test_an_unknown_class_in_another_part_is_refused(folder: Path) -> None:
    """A class that no training image has cannot be scored."""
    lines = [
        f"{n}.png,8,10,28,30,{'a' if n < 10 else 'zebra'},{'train' if n < 8 else 'val' if n < 10 else 'test'}"
        for n in range(12)
    ]
    with pytest.raises(DataError, match=r"boxes.csv line 12: the class 'zebra' occurs in no training image"):
        load(folder, HEADER.strip() + ",split\n" + "\n".join(lines))


def test_a_damaged_image_is_named(folder: Path) -> None:
    """What cannot be decoded is no training image."""
    (folder / "images" / "4.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"1 image file\(s\) cannot be read: .*4\.png"):
        load(folder, rows())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.pop("categories"), "no list categories"),
        (lambda c: c["annotations"][2].update(image_id=99), r"annotations\[2\]: image_id 99 is not among the 12"),
        (lambda c: c["annotations"][2].update(category_id=1), r"annotations\[2\]: category_id 1"),
        (lambda c: c["annotations"][2].update(bbox=[1, 2, 3]), r"annotations\[2\]: bbox is \[1, 2, 3\]"),
        (lambda c: c["annotations"][2].update(bbox=[1, 2, None, 3]), r"annotations\[2\]: bbox is None"),
        (lambda c: c["annotations"][2].pop("bbox"), r"annotations\[2\] has no 'bbox'"),
        (lambda c: c["images"][3].update(file_name="../../etc/x.png"), r"images\[3\]: .*no name of an image"),
        (lambda c: c["images"][3].update(id=2), r"images\[3\]: the id 2 is given twice"),
    ],
)
def test_bad_coco_is_refused(
    folder: Path, change: Callable[[dict[str, list[dict[str, object]]]], object], says: str
) -> None:
    """The number of the entry is in the message."""
    content = coco()
    change(content)
    with pytest.raises(DataError, match=says):
        load(folder, json.dumps(content), "boxes.json")


def test_crowds_are_no_boxes_and_are_kept_for_the_score(folder: Path) -> None:
    """They are counted, clipped, and marked by a number below -1; of a class that is not learned none is kept."""
    content = coco()
    content["annotations"].append({"id": 50, "image_id": 0, "category_id": 7, "bbox": [0, 0, 400, 40], "iscrowd": 1})
    content["annotations"].append({"id": 51, "image_id": 1, "category_id": 11, "bbox": [0, 0, 40, 40], "iscrowd": 1})
    content["categories"].append({"id": 11, "name": "c"})
    task = load(folder, json.dumps(content), "boxes.json")
    assert task.notes[0].startswith("2 crowd(s) were left out of training; what is found in them does not count")
    assert task.class_names == ("a", "b")
    targets = np.concatenate([part[1] for part in (task.train(), task.validation(), task.test())])
    crowds = targets[targets[..., 4] <= CROWD]
    assert (targets[..., 4] >= 0).sum() == 12
    assert crowds[:, 4].tolist() == [CROWD]
    assert crowds[0, 2] <= task.canvas[1]


@pytest.mark.parametrize("number", ["1" * 5000, "NaN, nothing"], ids=["digits", "word"])
def test_text_that_is_no_json_is_refused(folder: Path, number: str) -> None:
    """A truncated file is named with its line; a number of thousands of digits is no reason for a traceback."""
    with pytest.raises(DataError, match=r"boxes.json line 1: no JSON"):
        load(folder, json.dumps(coco())[:-9], "boxes.json")
    with pytest.raises(DataError, match=r"no JSON"):
        load(folder, '{"images": [' + number + "]}", "boxes.json")


def test_ids_that_were_written_as_real_numbers_are_read(folder: Path) -> None:
    """As pandas writes a column of whole numbers in which one was missing; 1.5 is none."""
    content = coco()
    for entry in content["annotations"]:
        entry["image_id"] = float(str(entry["image_id"]))
    assert sum(counts_of(load(folder, json.dumps(content), "boxes.json"))) == 12
    content["annotations"][3]["image_id"] = 1.5
    with pytest.raises(DataError, match=r"annotations\[3\]: image_id is 1.5, no whole number"):
        load(folder, json.dumps(content), "boxes.json")


def test_the_folders_of_coco_itself_are_read(folder: Path) -> None:
    """annotations/instances_train2017.json, images in train2017 beside it; key points and captions are left alone."""
    content = coco()
    (folder / "annotations").mkdir()
    for part, rows_ in (("train2017", slice(8)), ("val2017", slice(8, 12))):
        (folder / part).mkdir()
        for n in range(12)[rows_]:
            (folder / "images" / f"{n}.png").rename(folder / part / f"{n}.png")
        some = {**content, "images": content["images"][rows_], "annotations": content["annotations"][rows_]}
        (folder / "annotations" / f"instances_{part}.json").write_text(json.dumps(some), encoding="utf-8")
        (folder / "annotations" / f"captions_{part}.json").write_text("{}", encoding="utf-8")
    counts = counts_of(ObjectDetection.load(folder, image_size=64))
    assert (counts[1], sum(counts)) == (4, 12)


@pytest.mark.parametrize(
    ("file", "place", "named"),
    [
        ("annotations/train.json", "images/train", ""),
        ("annotations/boxes.json", "photos", "photos/"),
        ("boxes_train.csv", "train", ""),
        ("labels.json", "data", ""),
    ],
)
def test_images_are_found_where_tools_put_them(folder: Path, file: str, place: str, named: str) -> None:
    """In a folder of their part, in ``data``, and below the folder that holds ``annotations``."""
    (folder / "annotations").mkdir()
    (folder / place).mkdir(parents=True, exist_ok=True)
    content = coco()
    for n, entry in enumerate(content["images"]):
        (folder / "images" / f"{n}.png").rename(folder / place / f"{n}.png")
        entry["file_name"] = f"{named}{n}.png"
    task = load(folder, rows() if file.endswith(".csv") else json.dumps(content), file)
    assert sum(counts_of(task)) == 12


def test_parts_may_have_folders_of_annotations(folder: Path) -> None:
    """train/annotations/*.xml beside train/images, and the like."""
    write_voc(folder)
    for part, numbers in (("train", range(8)), ("valid", range(8, 10)), ("test", range(10, 12))):
        for name in ("annotations", "images"):
            (folder / part / name).mkdir(parents=True)
        for n in numbers:
            (folder / "Annotations" / f"{n}.xml").rename(folder / part / "annotations" / f"{n}.xml")
            (folder / "images" / f"{n}.png").rename(folder / part / "images" / f"{n}.png")
    (folder / "Annotations").rmdir()
    assert counts_of(ObjectDetection.load(folder, image_size=64)) == [8, 2, 2]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_cells_may_be_parted_by_other_signs(folder: Path, delimiter: str) -> None:
    """With a mark of byte order, too; the boxes are the same."""
    wanted = load(folder, rows())
    found = load(folder, "\ufeff" + rows().replace(",", delimiter))
    assert found.fingerprint() == wanted.fingerprint()


@pytest.mark.parametrize(
    "header",
    ["path,x1,y1,x2,y2,class_name", "File_Name,X_min,Y_min,X_max,Y_max,Category", "filename,xmin,ymin,xmax,ymax,class"],
)
def test_columns_may_have_the_names_of_other_tools(folder: Path, header: str) -> None:
    """In any case of letters; of two that could be meant the first known one counts, and one that is doubled none."""
    text = rows().replace(HEADER.strip(), header)
    assert sum(counts_of(load(folder, text))) == 12
    both = "\n".join(f"{line},{'nothing' if n else 'PATH'}" for n, line in enumerate(rows().splitlines()))
    assert sum(counts_of(load(folder, both.replace("image,", "filename,")))) == 12
    with pytest.raises(DataError, match="line 1: the column label stands there twice"):
        load(folder, "class,file,xmin,ymin,xmax,ymax,class\n")


def test_images_of_different_sizes_that_fit_alike_are_decoded_together(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that several threads have something to do where hardly two images have one size."""
    from PIL import Image

    Image.open(folder / "images" / "1.png").resize((160, 120), Image.Resampling.NEAREST).save(folder / "large.png")
    calls: list[int] = []

    def decode(files: list[Path], form: ImageForm, threads: int) -> np.ndarray:
        calls.append(len(files))
        return decode_all(files, form, threads)

    monkeypatch.setattr(letterbox, "decode_all", decode)
    pixels = load_images([folder / "images" / "1.png", folder / "large.png"], [(60, 80), (120, 160)], (64, 64), 3)
    assert calls == [2]
    assert np.abs(pixels[0].astype(int) - pixels[1]).mean() < 3


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("</annotation>", "", "3.xml line 1: no XML"),
        ("<annotation>", "<!DOCTYPE x [<!ENTITY a 'b'>]><annotation>", "has a document type"),
        ("<name>b</name>", "", "3.xml object 1 has no name"),
        ("<xmin>8</xmin>", "", "3.xml object 1: xmin is None"),
        ("annotation", "annotations", "not 'annotation'"),
    ],
)
def test_bad_voc_is_refused(folder: Path, old: str, new: str, says: str) -> None:
    """The file is in the message."""
    path = write_voc(folder) / "Annotations" / "3.xml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(DataError, match=says):
        ObjectDetection.load(folder)


@pytest.mark.parametrize(
    ("encoding", "declared", "says"),
    [
        ("utf-16", "utf-16", "has a document type; annotations need none"),
        ("utf-8", "gb2312", "is in an encoding that cannot be read .*; save it as UTF-8"),
        ("utf-8", "nothing", "is in an encoding that cannot be read .*; save it as UTF-8"),
    ],
)
def test_encodings_of_voc_files(folder: Path, encoding: str, declared: str, says: str) -> None:
    """A document type is seen in any of them; those that cannot be read are named."""
    path = write_voc(folder) / "Annotations" / "3.xml"
    kind = "<!DOCTYPE annotation [<!ENTITY a 'b'>]>" if encoding == "utf-16" else ""
    text = f"<?xml version='1.0' encoding='{declared}'?>{kind}{path.read_text(encoding='utf-8')}"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(DataError, match=rf"3\.xml' {says}"):
        ObjectDetection.load(folder)


def test_an_image_whose_ending_is_in_capitals_is_found(folder: Path) -> None:
    """The annotation names it in small letters."""
    (folder / "images" / "3.png").rename(folder / "images" / "3.PNG")
    assert sum(counts_of(ObjectDetection.load(write_voc(folder), image_size=64))) == 12


def test_an_image_that_no_voc_file_names_is_found_where_others_are(folder: Path) -> None:
    """By the name of the XML file, in ``data``, too."""
    path = write_voc(folder) / "Annotations" / "3.xml"
    path.write_text(path.read_text(encoding="utf-8").replace("3.png", "elsewhere.png"), encoding="utf-8")
    (folder / "data").mkdir()
    (folder / "images" / "3.png").rename(folder / "data" / "3.png")
    assert sum(counts_of(ObjectDetection.load(folder, image_size=64))) == 12


def test_voc_parts_are_those_of_its_image_sets(folder: Path) -> None:
    """ImageSets/Main divides the images; one that it does not name is left out."""
    sets = write_voc(folder) / "ImageSets" / "Main"
    sets.mkdir(parents=True)
    for name, numbers in (("train", range(6)), ("val", range(6, 8)), ("test", range(8, 11))):
        (sets / f"{name}.txt").write_text("".join(f"{n}\n" for n in numbers), encoding="utf-8")
    task = ObjectDetection.load(folder, image_size=64)
    assert [len(part[1]) for part in (task.train(), task.validation(), task.test())] == [6, 2, 3]


def write_lists(folder: Path, **lists: range) -> Path:
    """ImageSets/Main beside the XML files."""
    sets = write_voc(folder) / "ImageSets" / "Main"
    sets.mkdir(parents=True)
    for name, numbers in lists.items():
        (sets / f"{name}.txt").write_text("".join(f"{n}\n" for n in numbers), encoding="utf-8")
    return folder


def counts_of(task: ObjectDetection) -> list[int]:
    return [len(part[1]) for part in (task.train(), task.validation(), task.test())]


def test_images_that_no_list_names_are_counted(folder: Path) -> None:
    """They are left out, and that is told."""
    task = ObjectDetection.load(write_lists(folder, train=range(6), val=range(6, 8), test=range(8, 11)), image_size=64)
    assert "1 image(s) that no list in ImageSets/Main names were left out (first: 11.xml)" in task.notes


def test_trainval_is_read_where_there_is_no_train(folder: Path) -> None:
    """What is in val besides is not trained on; without a val a part of it is split off."""
    path = write_lists(folder, trainval=range(8), test=range(8, 12))
    assert counts_of(ObjectDetection.load(path, image_size=64)) == [6, 2, 4]
    (path / "ImageSets" / "Main" / "val.txt").write_text("0\n1\n2\n", encoding="utf-8")
    assert counts_of(ObjectDetection.load(path, image_size=64)) == [5, 3, 4]
    (path / "ImageSets" / "Main" / "val.txt").write_text("8\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"test.txt line 1: '8' is in val, too"):
        ObjectDetection.load(path)


def test_lists_that_cannot_be_used_are_named(folder: Path) -> None:
    """No training list, and a list that is no text."""
    path = write_lists(folder, val=range(8, 12))
    with pytest.raises(DataError, match=r"lists val, but no training part; add train.txt or trainval.txt"):
        ObjectDetection.load(path)
    (path / "ImageSets" / "Main" / "train.txt").write_bytes(b"0\n\xff\n")
    with pytest.raises(DataError, match=r"train.txt' is no UTF-8 text: invalid start byte at byte 2"):
        ObjectDetection.load(path)


def test_an_image_in_two_parts_is_refused_whatever_the_format(folder: Path) -> None:
    """Files of one part each that name the same images, and one image under two names."""
    for name in ("train", "val", "test"):
        (folder / f"{name}.csv").write_text(rows(4), encoding="utf-8")
    says = (
        r"train.csv line 2: the image '0.png' is in the train part here and in the test part in test.csv line 2; leave"
    )
    with pytest.raises(DataError, match=says):
        ObjectDetection.load(folder)
    for name in ("train", "val", "test"):
        (folder / f"{name}.csv").unlink()
        (folder / f"{name}.json").write_text(json.dumps(coco()), encoding="utf-8")
    with pytest.raises(DataError, match=r"train.json images\[0\]: .*in the test part in test.json images\[0\]"):
        ObjectDetection.load(folder)
    lines = [f"{n}.png,8,10,28,30,a,{('train', 'val', 'test')[n % 3]}\n" for n in range(12)]
    with pytest.raises(DataError, match=r"line 14: the image '0.png' is in the test part here and in the train part"):
        load(folder, HEADER.strip() + ",split\n" + "".join(lines) + "./0.png,9,9,20,20,a,test\n")


def test_an_image_that_is_named_again_in_its_part_is_one(folder: Path) -> None:
    """Its boxes are put together, and that is told."""
    task = load(folder, rows() + "./0.png,30,40,45,55,b\n")
    assert sum(counts_of(task)) == 12
    assert "1 image(s) that are named again were joined with what names them first (first: boxes.csv line 14)" in (
        task.notes
    )
    boxes = np.concatenate([part[1] for part in (task.train(), task.validation(), task.test())])
    assert sorted((boxes[..., 4] >= 0).sum(1).tolist()) == [1] * 11 + [2]
    content = coco()
    content["images"].append({"id": 50, "file_name": "3.png"})
    content["annotations"].append({"id": 50, "image_id": 50, "category_id": 7, "bbox": [30, 20, 9, 9]})
    task = load(folder, json.dumps(content), "boxes.json")
    assert sum(counts_of(task)) == 12
    assert any("named again" in note and "images[12]" in note for note in task.notes)
    content["images"][3] |= {"width": 80, "height": 60}
    content["images"][12] |= {"width": 40, "height": 30}
    with pytest.raises(DataError, match=r"images\[12\]: '3.png' has another size than in boxes.json images\[3\]"):
        load(folder, json.dumps(content), "boxes.json")


@pytest.mark.parametrize("rare", range(12))
def test_a_class_of_one_image_stays_in_the_training_part(folder: Path, rare: int) -> None:
    """Wherever it stands; the other parts do not score it."""
    lines = [f"{n}.png,8,10,28,30,{'z' if n == rare else 'a'}\n" for n in range(12)]
    task = load(folder, HEADER + "".join(lines))
    assert counts_of(task) == [8, 2, 2]
    assert [1 in part[1][..., 4] for part in (task.train(), task.validation(), task.test())] == [True, False, False]


def test_images_that_training_needs_are_moved_back_and_counted() -> None:
    """Where most images are drawn for another part, each class is still learned from, and each part has boxes."""
    classes = ["a"] * 9 + ["b", "b", "c", ""]
    images = [
        Annotated(Path(f"{n}.png"), f"line {n}", (Box(name, (1.0, 1.0, 9.0, 9.0), f"line {n}"),) if name else ())
        for n, name in enumerate(classes)
    ]
    parts, notes = split_images(images, SplitOptions(0, 0.5, 0.8))
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(13))
    assert {classes[row] for row in parts["train"]} >= {"a", "b", "c"}
    assert all(any(classes[row] for row in parts[part]) for part in ("val", "test"))
    assert re.match(
        r"\d image\(s\) drawn for the test part stay in the training part, .* \(first: line \d+\)", notes[0]
    )
    again, _ = split_images(images, SplitOptions(7, 0.5, 0.8))
    assert np.array_equal(again["test"], parts["test"])
    alone = [replace(image, boxes=(Box(f"{n}", (1, 1, 9, 9), ""),)) for n, image in enumerate(images)]
    with pytest.raises(DataError, match="split off for the test part: each of the 13 has a class that no other"):
        split_images(alone, SplitOptions())


def test_corners_as_parts_of_the_sides_are_refused(folder: Path) -> None:
    """In any format; the cure is named."""
    says = (
        r"all corners of the 12 boxes are at most about 1 \(the first: 0.1, 0.1, 0.5, 0.9\); .* multiply by width and"
    )
    with pytest.raises(DataError, match=f"boxes.csv line 2: {says}"):
        load(folder, rows().replace("8,10,28,30", "0.1,0.1,0.5,0.9"))
    content = coco()
    for entry in content["annotations"]:
        entry["bbox"] = [0.1, 0.1, 0.4, 0.8]
    with pytest.raises(DataError, match=rf"annotations\[0\]: {says}"):
        load(folder, json.dumps(content), "boxes.json")
    lines = [
        f"{n}.png,{'.1,.1,.5,.9' if n > 8 else '8,10,28,30'},a,{'test' if n > 8 else 'train'}\n" for n in range(12)
    ]
    with pytest.raises(DataError, match="line 11: all corners of the 3 boxes are at most about 1"):
        load(folder, HEADER.strip() + ",split\n" + "".join(lines))


def test_sizes_that_annotations_declare_are_compared_with_the_files(folder: Path) -> None:
    """COCO's width and height, and VOC's size; 0 and nothing mean that they are not known."""
    from PIL import Image

    content = coco()
    for n, entry in enumerate(content["images"]):
        entry.update({"width": 80, "height": 60} if n % 2 else {"width": 0, "height": None})
    task = load(folder, json.dumps(content), "boxes.json")
    assert sum(counts_of(task)) == 12
    content["images"][3].update(width=160, height=120)
    content["images"][5].update(width=160, height=120)
    with pytest.raises(
        DataError, match=r"images\[3\]: .*for 160 x 120 pixels, but .*3.png' has 80 x 60 \(2 such images"
    ):
        load(folder, json.dumps(content), "boxes.json")
    content["images"][3].update(width="wide", height=120)
    with pytest.raises(DataError, match=r"images\[3\]: width is 'wide', not a finite number"):
        load(folder, json.dumps(content), "boxes.json")
    content["images"][3].update(width=80, height=60)
    content["images"][5].update(width=80, height=60)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.open(folder / "images" / "3.png").save(folder / "images" / "3.png", exif=turned)
    with pytest.raises(
        DataError, match=r"images\[3\]: .*for 80 x 60 pixels, but '3.png' has 60 x 80; files are turned"
    ):
        load(folder, json.dumps(content), "boxes.json")
    Image.open(folder / "images" / "5.png").save(folder / "images" / "3.png")
    (folder / "boxes.json").unlink()
    path = write_voc(folder) / "Annotations" / "3.xml"
    text = path.read_text(encoding="utf-8")
    for width, height in ((0, 0), (80, 60), (60, 80)):
        size = f"<annotation><size><width>{width}</width><height>{height}</height></size>"
        path.write_text(text.replace("<annotation>", size), encoding="utf-8")
        if width <= height and width:
            with pytest.raises(
                DataError, match=r"3.xml: .*for 60 x 80 pixels, .*has 80 x 60; files are turned as their"
            ):
                ObjectDetection.load(folder, image_size=64)
        else:
            assert sum(counts_of(ObjectDetection.load(folder, image_size=64))) == 12


def test_images_of_16_bits_whose_upper_ones_are_unused_are_refused(folder: Path) -> None:
    """They would be all but black; those that use them are read."""
    from PIL import Image

    for number in range(12):
        Image.fromarray(np.full((60, 80), 3000, np.uint16)).save(folder / "images" / f"{number}.png")
    with pytest.raises(DataError, match=r"the 12 image\(s\) of 16 bits, .* reach 3000 of 65535, .* 11 of 255"):
        load(folder, rows())
    Image.fromarray(np.full((60, 80), 48_000, np.uint16)).save(folder / "images" / "0.png")
    assert load(folder, rows()).input_shape[0] == 1


def _with_exif_behind(content: bytes, exif: bytes) -> bytes:
    """A PNG file whose EXIF stands behind its pixels, as exiftool writes it."""
    chunk = b"eXIf" + exif
    end = content.rindex(b"IEND") - 4
    size, check = len(exif).to_bytes(4, "big"), zlib.crc32(chunk).to_bytes(4, "big")
    return content[:end] + size + chunk + check + content[end:]


def test_headers_of_png_files_are_read_without_their_pixels(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But where EXIF stands behind these, or where a file has no end, which is told before anything is decoded."""
    from PIL import Image, PngImagePlugin

    files = [folder / "images" / f"{n}.png" for n in range(3)]
    turned = Image.Exif()
    turned[0x0112] = 6
    files[1].write_bytes(_with_exif_behind(files[1].read_bytes(), turned.tobytes().removeprefix(b"Exif\0\0")))
    loaded: list[object] = []
    load_ = PngImagePlugin.PngImageFile.load
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda image: loaded.append(image) or load_(image))
    assert [(h.height, h.width) for h in read_headers(files)] == [(90, 50), (80, 60), (90, 50)]
    assert len(loaded) == 1
    files[2].write_bytes(files[2].read_bytes()[:-40])
    with pytest.raises(DataError, match=r"1 image file\(s\) cannot be read: .*2\.png"):
        read_headers(files)


def test_several_threads_decode_the_same_pixels_and_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings are shown as before, damaged files are named as by one, and none is alive afterwards."""
    files = sorted((folder / "images").iterdir())
    form, before, alive = ImageForm(3, 40, 30), list(warnings.filters), threading.active_count()
    assert np.array_equal(decode_all(files, form, threads=4), decode_all(files, form))
    files[3].write_bytes(b"nothing")
    for threads in (1, 4):
        with pytest.raises(DataError, match=r"1 image file\(s\) cannot be read: .*not a JPEG"):
            decode_all(files, form, threads)
    assert threading.active_count() == alive
    assert warnings.filters == before
    seen: list[int] = []
    monkeypatch.setattr(letterbox, "decode_all", lambda few, how, threads: seen.append(threads) or decode_all(few, how))
    files[3].write_bytes(files[4].read_bytes())
    load(folder, rows())
    assert set(seen) == {min(4, len(os.sched_getaffinity(0)))}


def test_the_lowest_rung_makes_a_hundred_steps(folder: Path) -> None:
    """Or all that a full training makes."""
    task = load(folder, rows())
    assert task.least_epochs == min(task.full_epochs or 0, epochs_of(100, len(task.train()[1]), 16))


def test_options_and_paths_are_checked(folder: Path) -> None:
    """A size, a way to mirror, or a path that cannot be is named."""
    with pytest.raises(SpecError, match="image_size must be pixels of the longer side"):
        canvas_size([(1, 1)], "wide")
    for size in (0, -3, True, 9999, (1, 2, 3)):
        with pytest.raises(SpecError, match="image_size"):
            canvas_size([(1, 1)], size)
    with pytest.raises(SpecError, match="flips must be one of"):
        ObjectDetection.load(folder, flips="up")
    with pytest.raises(DataError, match="does not exist"):
        ObjectDetection.load(folder / "nothing")
    with pytest.raises(DataError, match="holds no annotations"):
        ObjectDetection.load(folder / "images")
    assert 0 < MOST_BROKEN < 1


def test_what_is_not_installed_is_named_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search does not end in a missing evaluator after its first training."""
    monkeypatch.setattr("netwright.tasks.detection.scoring.find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError, match=r"faster-coco-eval.*netwright\[detection\]"):
        ObjectDetection.load("nothing")


def test_blood_cells_are_read_as_they_are_published(shared_data: Path) -> None:
    """Real annotations with a split column: 364 images, 4,886 boxes of three classes."""
    data = shared_data / "bccd"
    if not data.is_dir():
        pytest.skip("the data set bccd is not here")
    task = load_task("object-detection", data, image_size=64)
    assert task.class_names == ("Platelets", "RBC", "WBC")
    parts = [task.train()[1], task.validation()[1], task.test()[1]]
    assert [len(part) for part in parts] == [205, 87, 72]
    assert sum(int((part[..., 4] >= 0).sum()) for part in parts) + _left_out(task) == 4886


def _left_out(task: object) -> int:
    return sum(int(note.split()[0]) for note in getattr(task, "notes", ()) if "left out" in note)
