"""Options of a task's data: are there such, and are they what the signature of its ``load`` says? Knows no task.

What comes from a command line or a YAML file is a text, a number, or true or false; it is brought to what the
annotation asks for where that is clear, and refused where it is not. Values that are none of these come from Python,
and are the task's to judge where its annotation has more than plain types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from inspect import Parameter, Signature, signature
from numbers import Integral, Real
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from netwright.errors import SpecError, one_line, unknown, wrong

FLAGS: Mapping[str, bool] = MappingProxyType(
    {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
)
"""Words for an option that is true or false, in any case of letters."""

_PLAIN: Mapping[type, str] = MappingProxyType(
    {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
)


def require_options(name: str, load: Callable[..., object], options: Mapping[str, object]) -> dict[str, object]:
    """Check the options of a task.

    Args:
        name: of the task, for messages.
        load: takes the options as keyword arguments.
        options: as they were given.

    Returns:
        The options as ``load`` takes them.

    Raises:
        SpecError: an option that the task does not have, or a value of another type; names the option and what is
            allowed.

    Example:
        >>> def load(data: str, *, seed: int = 0, deep: bool = False, column: str = "") -> None: ...
        >>> require_options("mine", load, {"deep": "no", "column": 3})
        {'deep': False, 'column': '3'}
    """
    known = _signature(load).parameters
    if not any(p.kind is Parameter.VAR_KEYWORD for p in known.values()):
        allowed = [n for n, p in known.items() if p.kind is Parameter.KEYWORD_ONLY and n != "seed"]
        for option in options:
            if option not in allowed:
                raise SpecError(unknown(f"option of the task {one_line(name)}", option, allowed))
    return {
        option: _fitted(option, value, known[option].annotation if option in known else Any)
        for option, value in options.items()
    }


def _signature(load: Callable[..., object]) -> Signature:
    """With annotations as objects; as the texts they are, which allow anything, where they name what is not there."""
    try:
        return signature(load, eval_str=True)
    except (NameError, AttributeError, TypeError, SyntaxError):
        return signature(load)


def _fitted(option: str, value: object, annotation: Any) -> object:
    """A value as the annotation wants it."""
    wanted = _Wanted.of(annotation)
    if wanted.is_open or wanted.admits(value):
        return value
    if isinstance(value, str) and bool in wanted.kinds and value.lower() in FLAGS:
        return FLAGS[value.lower()]
    if str in wanted.kinds and not isinstance(value, bool) and isinstance(value, Real):
        return str(value)
    cure = "in a YAML file, write it in quotes" if isinstance(value, bool) and str in wanted.kinds else ""
    raise SpecError(wrong(f"task option {option}", value, wanted.words, cure))


@dataclass(frozen=True)
class _Wanted:
    """What an annotation asks for.

    Args:
        kinds: its plain types, those of its choices among them.
        choices: what its ``Literal`` lists.
        others: its members that are neither.
    """

    kinds: frozenset[type]
    choices: tuple[object, ...]
    others: tuple[Any, ...]

    @classmethod
    def of(cls, annotation: Any) -> _Wanted:
        members = list(_members(annotation))
        choices = tuple(value for m in members if get_origin(m) is Literal for value in get_args(m))
        kinds = frozenset(k for k in _PLAIN if any(m is k for m in members) or any(type(c) is k for c in choices))
        others = tuple(m for m in members if get_origin(m) is not Literal and not any(m is k for k in _PLAIN))
        return cls(kinds, choices, others)

    @property
    def is_open(self) -> bool:
        """Whether it allows plain values of every type, or says nothing of them."""
        return not self.kinds or any(m is Any or m is object for m in self.others)

    def admits(self, value: object) -> bool:
        """Whether a value is of one of its types; which of the choices it is, is the task's to say."""
        if isinstance(value, bool):
            return bool in self.kinds
        if isinstance(value, Real):
            return float in self.kinds or (int in self.kinds and isinstance(value, Integral))
        if isinstance(value, str):
            return str in self.kinds
        return bool(self.others)

    @property
    def words(self) -> str:
        """What is allowed, for messages."""
        listed = [repr(choice) for choice in self.choices]
        listed += [word for kind, word in _PLAIN.items() if kind in self.kinds and not self._is_listed(kind)]
        return " or ".join(filter(None, [", ".join(listed[:-1]), listed[-1]]))

    def _is_listed(self, kind: type) -> bool:
        return any(type(choice) is kind for choice in self.choices)


def _members(annotation: Any) -> Iterator[Any]:
    """The types of a union; any other annotation alone."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation
