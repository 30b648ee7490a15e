"""Torch modules from the expressions that emitters write, each with the places of its weights.

Source text is for people to keep; a relaxed network is made and dropped, so its layers are made from the expressions
directly. The layers are those of the text: torch's own, the small classes of `netwright.nn.helpers`, classes of one's
own. Knows neither choices nor mixtures.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import cast

from torch import nn

from netwright.errors import BuildError
from netwright.nn.building import load
from netwright.nn.code import Call, Code, Composite, Items, Lit, Raw
from netwright.nn.helpers import HELPERS
from netwright.nn.places import Place
from netwright.nn.site import Flow, Tally
from netwright.nn.writing import Written

_HEADER = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n"


def instantiate_code(code: Code) -> tuple[nn.Module, dict[str, Place]]:
    """Make a module, and say what each of its parameters and buffers with a place is.

    Args:
        code: of one operation, without a cell in it.

    Returns:
        The module, with weights from torch's random state, and places by name.

    Raises:
        BuildError: the expression holds a cell, or a layer with weights that has no place.

    Example:
        >>> from netwright.nn.code import Call, Lit, placed
        >>> layer = placed(Call("nn.Linear", (("", Lit(3)), ("", Lit(2)))), "net.0:linear")
        >>> {name: str(place) for name, place in instantiate_code(layer)[1].items()}["bias"]
        'bias of Linear at net.0:linear'
    """
    made: dict[nn.Module, Call] = {}
    module = _made(code, made)
    places: dict[str, Place] = {}
    for path, inner in module.named_modules():
        call = made.get(inner)
        if call is None or not call.place:
            continue
        kind = call.func.rpartition(".")[2]
        for name, _ in (*inner.named_parameters(), *inner.named_buffers()):
            places[f"{path}.{name}" if path else name] = Place(call.place, kind, name)
    lost = [name for name, _ in module.named_parameters() if name not in places]
    if lost:
        raise BuildError(f"no place is known of {lost[0]}; resolve the architecture with sited=True")
    return module, places


def steps_of(code: Code) -> tuple[Code, ...]:
    """The operations that a chain of them runs one after the other, chains within it opened."""
    if isinstance(code, Call) and code.func == "nn.Sequential":
        return tuple(step for _, part in code.args for step in steps_of(part))
    return (code,)


def _made(code: Code, made: dict[nn.Module, Call]) -> nn.Module:
    if not isinstance(code, Call):
        raise BuildError(f"an operation is written as {type(code).__name__}, which is no layer")
    values = [(name, _argument(arg, made)) for name, arg in code.args]
    positional = [value for name, value in values if not name]
    module = _maker(code)(*positional, **{name: value for name, value in values if name})
    made[module] = code
    return module


def _argument(code: Code, made: dict[nn.Module, Call]) -> object:
    if isinstance(code, Lit):
        return code.value
    if isinstance(code, Items):
        return [_argument(item, made) for item in code.items]
    if isinstance(code, (Raw, Composite)):
        raise BuildError("a cell inside an operation cannot be made layer by layer")
    return _made(code, made)


def _maker(call: Call) -> type[nn.Module]:
    if call.target is not None:
        return cast("type[nn.Module]", call.target)
    if call.func.startswith("nn."):
        return cast("type[nn.Module]", getattr(nn, call.func.removeprefix("nn.")))
    return _helpers()[call.func]


@cache
def _helpers() -> Mapping[str, type[nn.Module]]:
    """The small classes that generated source may contain."""
    text = "\n\n\n".join([_HEADER, *HELPERS.values()])
    module = load(Written(text, Flow((1,)), (), Tally()))
    return {name: getattr(module, name) for name in HELPERS}
