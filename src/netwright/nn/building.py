"""Makes a torch model from a network without choices, by running its generated source.

The model holds torch and generated classes (and classes of one's own) only. Weights are drawn from the seed, and
torch's global random state is left as it was. Knows nothing of training or search spaces.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, cast

from numpy.typing import NDArray

from netwright.errors import BuildError, wrong
from netwright.nn.writing import OwnCode, Written, own_namespace, write
from netwright.space.terms import Term
from netwright.types import digest

if TYPE_CHECKING:
    import torch


class _TextLoader:
    """Gives the text of a generated module to tracebacks, which ask for it when they show its lines."""

    def __init__(self, text: str) -> None:
        self.text = text

    def get_source(self, name: str) -> str:
        """The text; there is one module."""
        return self.text


def build(term: Term, *, input_shape: tuple[int, ...], seed: int = 0, input_dtype: str = "float32") -> torch.nn.Module:
    """Build a plain torch model on the CPU.

    Args:
        term: the network without choices.
        input_shape: shape of one example without the batch.
        seed: of the weights, >= 0; the same seed gives the same bits in every process.
        input_dtype: dtype of the input as torch names it; ``int64`` for tokens.

    Raises:
        BuildError: the network cannot be: names the operation, its path and the shapes.
    """
    written = write(term, input_shape=input_shape, input_dtype=input_dtype, own_code=given_in_namespace)
    return instantiate(written, seed=seed)


def instantiate(written: Written, *, seed: int = 0, device: str = "cpu") -> torch.nn.Module:
    """Run generated source and make its network.

    Args:
        written: what `write` gave.
        seed: of the weights.
        device: where they are made; ``meta`` for shapes without memory.

    Raises:
        BuildError: the seed cannot be.
    """
    import torch

    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise BuildError(wrong("seed", seed, "a whole number in [0, 2**63)"))
    module = load(written)
    # torch's context costs as much as making a small network does; it is needed where the device is another one only
    made_on = nullcontext() if torch.empty(0).device.type == device else torch.device(device)
    with torch.random.fork_rng(devices=[]), made_on:
        torch.default_generator.manual_seed(seed)
        model = cast("torch.nn.Module", module.build())
    if device != "meta":
        fill(model, written.constants)
    return model


GIVEN = "given_buffers"
"""Attribute of a network: names of the buffers that were filled with data, and are no part of what it learns."""


def fill(model: torch.nn.Module, constants: Mapping[str, NDArray[Any]]) -> None:
    """Put data into the buffers whose names end with its names.

    Raises:
        BuildError: a buffer has another shape.
    """
    import torch

    given: list[str] = []
    for name, buffer in model.named_buffers() if constants else ():
        for end, value in constants.items():
            if f".{name}".endswith(f".{end}"):
                if tuple(buffer.shape) != value.shape:
                    cure = "give the operations the sizes of this graph"
                    raise BuildError(f"{name} has shape {tuple(buffer.shape)}, the data for it {value.shape}; {cure}")
                buffer.copy_(torch.from_numpy(value))
                given.append(name)
    if given:
        vars(model)[GIVEN] = frozenset(given)


def learned_state(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The state of a network without the data that it was given where it was built, such as a graph."""
    given = vars(model).get(GIVEN, frozenset())
    return {name: tensor for name, tensor in model.state_dict().items() if name not in given}


def whole_state(model: torch.nn.Module, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state, completed with the data that the network was given: what `learned_state` left out."""
    given = vars(model).get(GIVEN, frozenset())
    return {**{name: tensor for name, tensor in model.state_dict().items() if name in given}, **state}


def load(written: Written) -> types.ModuleType:
    """Run generated source in a module of its own; it is not put into ``sys.modules``."""
    name = f"netwright_network_{digest(written.text)}"
    module = types.ModuleType(name)
    module.__file__ = f"{name}.py"
    module.__dict__["__loader__"] = _TextLoader(written.text)
    module.__dict__.update(own_namespace(written.own_classes))
    code = compile(written.text, module.__file__, "exec", dont_inherit=True)
    exec(code, module.__dict__)  # noqa: S102  # our own text, made from typed values a moment ago
    return module


def given_in_namespace(classes: tuple[type, ...]) -> OwnCode:
    """Classes of one's own need no text here: the objects are given to the module."""
    return OwnCode()
