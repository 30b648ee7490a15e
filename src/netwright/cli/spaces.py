"""``netwright spaces``: the search spaces that are shipped, and what is in one of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from netwright.cli.text import clean, json_line, table
from netwright.errors import SpecError, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netwright.space import SearchSpace
    from netwright.space.expressions import Domain

INPUT_SHAPE = (3, 32, 32)
NUM_CLASSES = 10


def spaces(
    name: Annotated[str | None, typer.Argument(help="One space, to see its choices.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """List the shipped search spaces with the number of their architectures, or the choices of one."""
    known = shipped()
    if name is None:
        rows = [(key, count_text(space.count()), len(space.choices)) for key, space in known.items()]
        if as_json:
            print(json_line([{"name": key, "architectures": count, "choices": n} for key, count, n in rows]))
        else:
            print(table(("space", "architectures", "choices"), rows))
            print(f"counted for images of shape {INPUT_SHAPE} and {NUM_CLASSES} classes")
        return 0
    if name not in known:
        raise SpecError(unknown("space", name, known))
    space = known[name]
    choices = [(key, domain_text(choice.domain)) for key, choice in space.choices.items()]
    if as_json:
        print(json_line({"name": name, "architectures": count_text(space.count()), "choices": dict(choices)}))
    else:
        print(f"{clean(name)}: {count_text(space.count())} architectures")
        width = max((len(clean(key, 40)) for key, _ in choices), default=0)
        for key, values in choices:
            print(f"  {clean(key, 40):{width}}  {clean(values, 160)}")
    return 0


def shipped() -> Mapping[str, SearchSpace]:
    """The shipped spaces by name, for small colour images."""
    from netwright.nn.spaces import SPACES
    from netwright.tasks.image_spaces import image_space

    return {
        "default": image_space(INPUT_SHAPE, NUM_CLASSES),
        **{name: make(INPUT_SHAPE, NUM_CLASSES) for name, make in SPACES.items()},
    }


def domain_text(domain: Domain) -> str:
    """The values of a choice, as people write them.

    Example:
        >>> from netwright.space import choice
        >>> from netwright.space.expressions import Categorical, Dependent, Integer
        >>> domain_text(Categorical((3, 5))), domain_text(Integer(1, 9, 2))
        ('3, 5', '1 to 9 by 2')
        >>> domain_text(Dependent(choice("stride", [1, 2]), ((1, (8, 16)), (2, (32,)))))
        '8, 16 if stride is 1; 32 if stride is 2'
    """
    from netwright.space.expressions import Choice, Dependent, Integer, Real

    match domain:
        case Integer():
            return f"{domain.low} to {domain.high}" + (f" by {domain.step}" if domain.step != 1 else "")
        case Real():
            return f"{domain.low:g} to {domain.high:g}, real"
        case Dependent():
            on = domain.on.name if isinstance(domain.on, Choice) else str(domain.on)
            return "; ".join(f"{', '.join(map(str, values))} if {on} is {key}" for key, values in domain.table)
        case _:
            values = getattr(domain, "values", None)
            return str(domain) if values is None else ", ".join(map(str, values))


def count_text(count: float) -> str:
    """A count exactly where it is short, else as a power of ten.

    Example:
        >>> count_text(15625), count_text(10**20), count_text(math.inf)
        ('15625', '1.0e+20', 'infinitely many')
    """
    if isinstance(count, float) and math.isinf(count):
        return "infinitely many"
    if count < 10**12:
        return str(int(count))
    exponent = len(str(int(count))) - 1
    return f"{int(count) // 10 ** (exponent - 1) / 10}e+{exponent}"
