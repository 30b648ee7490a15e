"""What the columns of a table of labels mean: the image, its part, and its labels or its one class.

Columns are known by their names; see `netwright.tasks.formats.label_table`. Knows no files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netwright.errors import DataError, shorten

IMAGE, LABELS, SPLIT = "image", "labels", "split"
IMAGES = (IMAGE, "filename", "file_name", "image_name", "image_id", "file", "image_path", "path")
"""What the column of images may be called; the first that is there counts."""

CLASSES = ("label", "class", "class_name", "category", LABELS)
"""What the column of an image's one class may be called, where there are other columns, which are ignored then."""

BETWEEN = "|"
"""Between labels in one cell."""

_CELLS = ("0", "1", "0.0", "1.0")


@dataclass(frozen=True)
class Form:
    """How the labels of a table are written.

    Args:
        columns: the labels that have a column each; none where one column has them.
        listed: that column.
        ignored: further columns.
        single: whether each image has one class.
    """

    columns: tuple[str, ...] = ()
    listed: str = LABELS
    ignored: tuple[str, ...] = ()
    single: bool = False


def header_of(fields: Sequence[str]) -> list[str]:
    """Names of the columns; those of images and parts have one name here."""
    names = [text.strip() for text in fields]
    lower = [name.lower() for name in names]
    for ours, known in ((IMAGE, IMAGES), (SPLIT, (SPLIT,))):
        found = next((name for name in known if name in lower), None)
        if found is not None:
            names[lower.index(found)] = ours
    return names


def number_lines(cells: Sequence[str]) -> bool:
    """Whether cells are what pandas writes in front of each line: another whole number in each."""
    return all(cell.isdecimal() for cell in cells) and len(set(cells)) == len(cells)


def _others(header: Sequence[str], name: str, cure: str) -> list[str]:
    """The columns but those of images and parts.

    Raises:
        DataError: there are none, none of images, or two of one name.
    """
    if len(set(header)) != len(header) or not all(header):
        raise DataError(f"{name}, line 1: columns without a name, or of one name: {shorten(list(header))}")
    others = [column for column in header if column not in (IMAGE, SPLIT)]
    if IMAGE not in header or not others:
        alone = "".join(header) if len(header) == 1 else ""
        signs = " with commas between them" if any(sign in alone for sign in ";\t|") else ""
        raise DataError(
            f"{name}, line 1: columns are {shorten(list(header))}; give {IMAGE!r} and {cure}, or {IMAGE!r} and a "
            f"column of 0 and 1 a label{signs}"
        )
    return others


def labels_form(header: Sequence[str], name: str) -> Form:
    """The labels that have a column each, or the column that lists them.

    Args:
        header: as of `header_of`.
        name: of the file.

    Raises:
        DataError: the columns are neither, or both.
    """
    others = _others(header, name, f"{LABELS!r} (with {BETWEEN!r} between labels)")
    if LABELS in others and len(others) > 1:
        extra = [column for column in others if column != LABELS]
        raise DataError(f"{name}, line 1: both {LABELS!r} and columns of their own: {shorten(extra)}; keep one form")
    if others == [LABELS]:
        return Form()
    if len(others) == 1:
        raise DataError(
            f"{name}, line 1: one column besides {IMAGE!r}: {others[0]!r}; call it {LABELS!r} if it lists labels, "
            "or use image-classification"
        )
    return Form(tuple(others))


def class_form(header: Sequence[str], name: str) -> Form:
    """The column of classes, or a column of 0 and 1 for each."""
    others = _others(header, name, repr(CLASSES[0]))
    called = [column for known in CLASSES for column in others if column.lower() == known]
    called += others if len(others) == 1 else []
    if not called:
        return Form(tuple(others), single=True)
    return Form((), called[0], tuple(column for column in others if column != called[0]), single=True)


def labels_of(fields: Mapping[str, str], form: Form, where: str) -> tuple[str, ...]:
    """The labels of an image."""
    if form.columns:
        strange = [(column, fields[column]) for column in form.columns if fields[column] not in _CELLS]
        if strange:
            column, value = strange[0]
            cure = f", or call the column of classes {CLASSES[0]!r}" if form.single else ""
            raise DataError(f"{where}: column {shorten(column)} is {shorten(value)}; give 0 or 1{cure}")
        return tuple(column for column in form.columns if fields[column].startswith("1"))
    listed = fields[form.listed]
    parts = [listed] if form.single else [label.strip() for label in listed.split(BETWEEN)]
    labels = tuple(filter(None, parts))
    if len(set(labels)) != len(labels):
        raise DataError(f"{where}: a label occurs twice in {shorten(listed)}; name each once")
    return labels
