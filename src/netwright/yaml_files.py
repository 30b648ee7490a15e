"""Reading small YAML files that may come from anyone.

Only mappings, lists, text, numbers, booleans and null: no tags, no anchors, no duplicate keys, a size and a depth
limit, so that no file can run code, fill the memory or take long. Knows nothing of what the keys mean.
"""

from __future__ import annotations

import stat
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

import yaml

from netwright.errors import SpecError, one_line, shorten

MAX_BYTES = 128 * 1024
MAX_DEPTH = 16
MAX_NUMBER = 64

_PREFIX = "tag:yaml.org,2002:"
_KEPT = frozenset(_PREFIX + name for name in ("bool", "int", "float", "null"))


class _Loader(yaml.SafeLoader):
    """`yaml.SafeLoader` without tags, anchors, dates, merge keys and duplicate keys, and with limits."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own class attribute, filled once and only read
        first: [(tag, pattern) for tag, pattern in resolvers if tag in _KEPT]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _problem("anchors and aliases (& and *) are not allowed; write the value out", event)
        if event.tag is not None:
            raise _problem(f"the tag {shorten(event.tag, 60)} is not allowed; write plain values", event)
        if self._depth >= MAX_DEPTH:
            raise _problem(f"nested more than {MAX_DEPTH} deep; a specification is flat", event)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(node, yaml.ScalarNode) and _is_number(node) and len(node.value) > MAX_NUMBER:
            raise _problem(f"a number of more than {MAX_NUMBER} characters; write a smaller one", event)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _problem("a key must be a word", key)
            if key.value in seen:
                raise _problem(f"the key {shorten(key.value, 60)} is given twice; keep one of them", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _is_number(node: yaml.ScalarNode) -> bool:
    return node.tag in (_PREFIX + "int", _PREFIX + "float")


def _problem(text: str, where: yaml.Event | yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=text, problem_mark=cast(yaml.Mark, where.start_mark))


def read_mapping(path: Path) -> dict[str, object]:
    """Read a YAML file whose top is a mapping with text as keys.

    Args:
        path: a regular file of at most 128 KiB in UTF-8, with or without a byte order mark.

    Returns:
        The mapping; empty for an empty file.

    Raises:
        SpecError: the file cannot be read, or is anything else than that.
    """
    return parse_mapping(_read_text(path), one_line(path))


def parse_mapping(text: str, name: str) -> dict[str, object]:
    """Read the text of such a file.

    Args:
        text: YAML.
        name: what it is called in messages.

    Raises:
        SpecError: it is anything but a mapping with text as keys.
    """
    try:
        value = _Loader(text).get_single_data()
    except yaml.MarkedYAMLError as error:
        raise SpecError(f"{name}{_line(error)}: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise SpecError(f"{name}: not a YAML file that can be read: {str(error).splitlines()[0]}") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise SpecError(f"{name}: the file must be a mapping such as 'data: digits', got {shorten(value)}")
    for key in value:
        if not isinstance(key, str):
            raise SpecError(f"{name}: a key must be a word, got {shorten(key)}; quote it if it is meant")
    return value


def _line(error: yaml.MarkedYAMLError) -> str:
    return f", line {error.problem_mark.line + 1}" if error.problem_mark else ""


def _read_text(path: Path) -> str:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SpecError(f"{one_line(path)}: not a regular file; give the path of a YAML file")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SpecError(f"{one_line(path)}: cannot be read: {reason}{_nearest_file(path)}") from error
    if len(raw) > MAX_BYTES:
        raise SpecError(
            f"{one_line(path)}: larger than {MAX_BYTES} bytes, which no specification is; is it the right file?"
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError(f"{one_line(path)}: not UTF-8 text (byte {error.start}); save it as UTF-8") from error


def _nearest_file(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    except (OSError, ValueError):
        return f"; the folder {one_line(path.parent)} cannot be read either"
    near = get_close_matches(path.name, names, n=1)
    if near:
        return f"; did you mean {one_line(path.parent / near[0])}?"
    yamls = sorted(name for name in names if name.endswith((".yaml", ".yml")))[:5]
    return f"; YAML files there: {one_line(', '.join(yamls)) or 'none'}"
