"""Reading YAML from anyone: what is plain is read, everything else is refused with the line and a reason."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from netwright.errors import SpecError
from netwright.yaml_files import MAX_BYTES, read_mapping


def read(tmp_path: Path, content: str | bytes) -> dict[str, object]:
    file = tmp_path / "spec.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_mapping(file)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", {}),
        (b"# nothing\n", {}),
        (b"\xef\xbb\xbfdata: a\r\n", {"data": "a"}),
        ("data: Жар птица/日本\n".encode(), {"data": "Жар птица/日本"}),
        (b"a: [1, 2.5, true, null, 'x']\n", {"a": [1, 2.5, True, None, "x"]}),
        (b"when: 2024-99-99\nmerge: <<\n", {"when": "2024-99-99", "merge": "<<"}),
    ],
)
def test_plain_files_are_read(tmp_path: Path, content: bytes, expected: dict[str, object]) -> None:
    """Scalars, lists and mappings, in any script, with or without a byte order mark; nothing becomes a date."""
    assert read(tmp_path, content) == expected


BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BOMB, "line 1: anchors and aliases"),
        ("a: *b\n", "line 1: anchors and aliases"),
        ("a: !!python/object/apply:os.system ['touch x']\n", "line 1: the tag .*python.* is not allowed"),
        ("a: !!binary aGk=\n", "the tag .* is not allowed"),
        ("a: ! x\n", "the tag '!' is not allowed"),
        ("a: 1\nb: 2\na: 3\n", "line 3: the key 'a' is given twice"),
        ("a: {x: 1, x: 2}\n", "the key 'x' is given twice"),
        ("a: " + "[" * 10_000 + "]" * 10_000, "nested more than 16 deep"),
        ("a: " + "{a: " * 5_000 + "1" + "}" * 5_000, "nested more than 16 deep"),
        ("\n".join(" " * i + "a:" for i in range(300)), "nested more than 16 deep"),
        ("a: 0x" + "f" * 10_000, "a number of more than 64 characters"),
        ("a: b\0c\n", "not a YAML file that can be read: unacceptable character #x0000"),
        (b"a: \xff\xfe\n", "not UTF-8 text"),
        ("a: b: c\n", "line 1: mapping values are not allowed here"),
        ("a: [1, 2\n", "line 2: "),
        ("- a\n- b\n", "must be a mapping such as 'data: digits', got \\['a', 'b'\\]"),
        ("just text", "must be a mapping"),
        ("1: a\n", "a key must be a word, got 1"),
        ("{[a]: b}: c\n", "a key must be a word"),
        ("a: 1\n---\nb: 2\n", "line 2: but found another document"),
        ("a: 1\n" * 1 + "#" * MAX_BYTES, f"larger than {MAX_BYTES} bytes"),
    ],
)
def test_everything_else_is_refused_at_once(tmp_path: Path, content: str | bytes, message: str) -> None:
    """Bombs, tags, duplicates, depth, sizes and broken text give a message with the file's name, within seconds."""
    started_s = time.monotonic()
    with pytest.raises(SpecError, match=message) as caught:
        read(tmp_path, content)
    assert time.monotonic() - started_s < 5
    assert str(caught.value).startswith(str(tmp_path / "spec.yaml"))
    assert len(str(caught.value).splitlines()) == 1
    assert not Path("x").exists()


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    """100 MB are refused without being loaded."""
    file = tmp_path / "big.yaml"
    with file.open("wb") as out:
        out.truncate(100 << 20)
    with pytest.raises(SpecError, match="larger than"):
        read_mapping(file)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """Folders, pipes (which would block), devices, and names no file can have."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(SpecError, match="not a regular file"):
            read_mapping(path)
    for name, message in (("x" * 300, "File name too long"), ("a\0b", "null byte")):
        with pytest.raises(SpecError, match=message):
            read_mapping(tmp_path / name)


def test_a_misspelt_file_names_the_nearest(tmp_path: Path) -> None:
    """A wrong path is answered with the file that was probably meant, or with those that are there."""
    (tmp_path / "search.yaml").touch()
    with pytest.raises(SpecError, match=f"No such file or directory; did you mean {tmp_path}/search.yaml\\?"):
        read_mapping(tmp_path / "searchh.yaml")
    with pytest.raises(SpecError, match=r"YAML files there: search\.yaml"):
        read_mapping(tmp_path / "0")
