"""Labels in tables as Roboflow, pandas and Kaggle write them: several an image, and one class an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netwright.errors import DataError
from netwright.tasks.image_classification import ImageClassification
from netwright.tasks.image_multilabel import ImageMultilabel


def save_images(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for name in names:
        Image.fromarray(rng.integers(0, 256, (8, 6, 3), dtype=np.uint8)).save(folder / name)


def write(folder: Path, header: str, cells: list[str], name: str = "labels.csv", images: str = "") -> Path:
    """A table with a line an image, and the images."""
    save_images(folder / images, [f"{n}.png" for n in range(len(cells))])
    (folder / name).write_text("\n".join([header, *(f"{n}.png,{cell}" for n, cell in enumerate(cells))]))
    return folder / name


KINDS = ["cat", "dog", "cat|owl", "owl"] * 5


def test_the_folders_of_roboflow_are_read(tmp_path: Path) -> None:
    """A table in each of train/, valid/ and test/ gives the parts; spaces behind commas and other names are usual."""
    for part in ("train", "valid", "test"):
        cells = [f" {n % 2}, {int(n % 3 == 0)}" for n in range(6)]
        write(tmp_path / "set" / part, "filename, Cat, Dog", cells, "_classes.csv")
    task = ImageMultilabel.load(tmp_path / "set")
    assert ("Cat", "Dog") == task.class_names
    assert [6, 6, 6] == [len(part[1]) for part in (task.train(), task.validation(), task.test())]
    assert task.data_line().startswith("set: 3 x 8 x 6, 2 classes; train 6, validation 6 (given), test 6 (given)")


def test_the_first_column_of_a_data_frame_is_ignored(tmp_path: Path) -> None:
    """A data frame numbers the lines under no name, whatever the rows are that were left."""
    save_images(tmp_path, [f"{n}.png" for n in range(20)])
    lines = [f"{2 * n},{n}.png,{kinds}" for n, kinds in enumerate(KINDS)]
    (tmp_path / "t.csv").write_text("\n".join([",image,labels", *lines]))
    assert ("cat", "dog", "owl") == ImageMultilabel.load(tmp_path / "t.csv").class_names
    (tmp_path / "t.csv").write_text("\n".join([",image,labels", *(line.replace("0,", "x,", 1) for line in lines)]))
    with pytest.raises(
        DataError, match="line 1: the first column has no name, and does not number the lines; name it, or"
    ):
        ImageMultilabel.load(tmp_path / "t.csv")


@pytest.mark.parametrize("images", ["images", "train_images", "train"])
def test_images_may_lie_in_a_folder_beside_the_table(tmp_path: Path, images: str) -> None:
    """As annotations of boxes find them."""
    table = write(tmp_path, "image,labels", KINDS, "train.csv", images)
    assert 3 == ImageMultilabel.load(table).num_classes


@pytest.mark.parametrize("header", ["image,label", "filename,breed", "file_name,Class", "image_id,label"])
def test_a_table_of_one_class_an_image_is_read(tmp_path: Path, header: str) -> None:
    """One column besides the images is that of the classes, whatever its name; a bar in a name is no sign."""
    task = ImageClassification.load(write(tmp_path, header, ["cat", "a|b"] * 10))
    assert ("a|b", "cat") == task.class_names
    assert 20 == sum(len(part[1]) for part in (task.train(), task.validation(), task.test()))


def test_of_several_columns_that_of_the_label_counts(tmp_path: Path) -> None:
    """The others are named in a note; a column of parts is obeyed."""
    parts = ["train"] * 10 + ["val"] * 5 + ["test"] * 5
    cells = [f"{'cd'[n % 2]},1.5,{part}" for n, part in enumerate(parts)]
    task = ImageClassification.load(write(tmp_path, "image,label,age,split", cells))
    assert [10, 5, 5] == [len(part[1]) for part in (task.train(), task.validation(), task.test())]
    assert "columns that are ignored: ['age']" in task.notes


def test_a_column_a_class_is_read_where_each_image_has_one(tmp_path: Path) -> None:
    """Which is what Roboflow writes for one class an image, too; two classes of an image are refused by line."""
    cells = ["1,0", "0,1"] * 10
    assert ("cat", "dog") == ImageClassification.load(write(tmp_path, "image,cat,dog", cells)).class_names
    for bad, says in (("1,1", "2 classes"), ("0,0", "0 classes")):
        cells[3] = bad
        with pytest.raises(DataError, match=rf"labels\.csv, line 5: {says}; give the image one.*image-multilabel"):
            ImageClassification.load(write(tmp_path, "image,cat,dog", cells))


def test_a_table_of_classes_that_cannot_be_used_is_refused_by_line(tmp_path: Path) -> None:
    """No class, no column of images, a class that only the test part has."""
    cells = ["a", "b"] * 10
    with pytest.raises(DataError, match=r"labels\.csv, line 2: 0 classes"):
        ImageClassification.load(write(tmp_path, "image,label", ["", *cells[1:]]))
    with pytest.raises(DataError, match=r"line 1: columns are \['id', 'label'\]; give 'image' and 'label', or 'image'"):
        ImageClassification.load(write(tmp_path, "id,label", cells))
    with pytest.raises(DataError, match=r"columns are \['image;label'\]; give .* a label with commas between them"):
        ImageClassification.load(write(tmp_path, "image;label", cells))
    (tmp_path / "names.csv").write_text("image,label\n0,a\n")
    with pytest.raises(DataError, match=r"line 2: there is no image '.*0'.*; a name has its ending, such as \.jpg"):
        ImageClassification.load(tmp_path / "names.csv")
    cells = [*(f"{cell},train" for cell in cells), "c,test"]
    with pytest.raises(DataError, match=r"1 label\(s\) that the training part does not have: 'c'.*20\.png"):
        ImageClassification.load(write(tmp_path, "image,label,split", cells))


def test_columns_that_are_no_classes_say_what_to_name(tmp_path: Path) -> None:
    """Where none of several columns is called after classes, each is taken for one."""
    with pytest.raises(DataError, match=r"'width' is '640'; give 0 or 1, or call the column of classes 'label'"):
        ImageClassification.load(write(tmp_path, "image,width,species", ["640,cat", "640,dog"] * 10))


def test_tables_of_two_folders_may_not_name_one_image(tmp_path: Path) -> None:
    """The images of all parts may lie in one folder beside those of the tables; none is of two parts."""
    save_images(tmp_path / "images", [f"{n}.png" for n in range(20)])
    for part, rows in (("train", range(12)), ("test", range(11, 20))):
        (tmp_path / part).mkdir()
        lines = [f"{n}.png,{KINDS[n]}" for n in rows]
        (tmp_path / part / "t.csv").write_text("\n".join(["image,labels", *lines]))
    with pytest.raises(
        DataError, match=r"train/t\.csv, line 13: the image '11\.png' stands in test/t\.csv, line 2, too"
    ):
        ImageMultilabel.load(tmp_path)


def test_what_a_table_of_one_class_is_told_leads_somewhere(tmp_path: Path) -> None:
    """image-multilabel sends it to image-classification, which reads it."""
    table = write(tmp_path, "image,label", ["cat", "dog"] * 10)
    with pytest.raises(DataError, match="or use image-classification"):
        ImageMultilabel.load(table)
    assert 2 == ImageClassification.load(table).num_classes
