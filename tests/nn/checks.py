"""What must hold of every network: it runs, trains, is counted right, and is its source."""

from __future__ import annotations

import numpy as np
import torch

from netwright import nn
from netwright.nn.site import Flow
from netwright.nn.writing import measure
from netwright.space import SearchSpace
from netwright.space.terms import Term


def random_input(shape: tuple[int, ...], dtype: str, batch: int = 2) -> torch.Tensor:
    """An input of random values, the same each time."""
    generator = torch.Generator().manual_seed(0)
    if dtype == "int64":
        return torch.randint(0, 11, (batch, *shape), generator=generator)
    return torch.randn((batch, *shape), generator=generator)


def draw(space: SearchSpace, seed: int) -> Term:
    """The network of a random architecture."""
    return space.resolve(space.sample(np.random.default_rng(seed)))


def check_network(term: Term, shape: tuple[int, ...], dtype: str = "float32") -> torch.nn.Module:
    """Build, run forward and backward, and compare with what was predicted and counted."""
    size, out = measure(term, input_shape=shape, input_dtype=dtype)
    model = nn.build(term, input_shape=shape, seed=1, input_dtype=dtype)
    x = random_input(shape, dtype)
    y = model(x)
    assert Flow(tuple(y.shape[1:]), str(y.dtype).removeprefix("torch.")).shape == out.shape
    assert torch.isfinite(y).all()
    y.square().mean().backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert gradients
    assert all(torch.isfinite(g).all() for g in gradients)
    assert sum(p.numel() for p in model.parameters()) == size.params
    assert sum(b.numel() for b in model.buffers()) == size.buffer_values
    return model


def check_source(term: Term, model: torch.nn.Module, shape: tuple[int, ...], dtype: str = "float32") -> None:
    """The source by itself makes a network with the same weights' names that gives the same outputs."""
    namespace: dict[str, object] = {"__name__": "model"}
    exec(compile(nn.source(term, input_shape=shape, input_dtype=dtype), "model.py", "exec"), namespace)
    twin = namespace["build"]()  # type: ignore[operator]
    twin.load_state_dict(model.state_dict())
    x = random_input(shape, dtype)
    with torch.no_grad():
        assert torch.equal(model.eval()(x), twin.eval()(x))
