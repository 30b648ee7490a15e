"""Shared weights in a file: written atomically, and used only where they are whole and of this space and data.

Knows no training and no folders of runs.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from netwright.errors import SpaceError, SpecError, one_line, wrong
from netwright.evaluation.recipe import Recipe
from netwright.nn.networks import Networks
from netwright.space import SearchSpace
from netwright.supernet import Supernet
from netwright.supernet.family import within
from netwright.types import Architecture

if TYPE_CHECKING:
    from netwright.tasks.base import Task

FORMAT = "netwright-supernet-1"
WEIGHTS = "supernet.safetensors"

AGAIN = "train it again in another folder (netwright supernet train --out)"
"""What is done about a file that cannot be used."""


def supernet_of(
    task: Task, space: SearchSpace, *, seed: int = 0, memory_bytes: int | None = None, device: str = "cpu"
) -> Supernet:
    """The supernet of a task's networks in a space, not trained.

    Args:
        task: whose normalisation of images is put around each network.
        space: which architectures there are.
        seed: of the initial weights.
        memory_bytes: most memory that it may take.
        device: where its tensors are.

    Raises:
        SpaceError: the networks cannot share weights, or need more memory.
    """
    return Supernet(
        space,
        input_shape=task.input_shape,
        input_dtype=task.input_dtype,
        wrap=task.normalised,
        seed=seed,
        memory_bytes=memory_bytes,
        device=device,
    )


def networks_of(task: Task, space: SearchSpace) -> Networks:
    """The networks of a space for a task's data."""
    return Networks(space, input_shape=task.input_shape, input_dtype=task.input_dtype, wrap=task.normalised)


def family_of(task: Task, space: SearchSpace, largest: Architecture) -> SearchSpace:
    """The part of a space whose networks lie within one of them, see `netwright.supernet.family.within`.

    Args:
        task: whose networks they are.
        space: of which.
        largest: the one.

    Raises:
        SpaceError: it is not in the space.
        BuildError: its network cannot be built.
    """
    return within(networks_of(task, space), largest)


def recipe_of(task: Task) -> Recipe:
    """How shared weights are trained: as networks of the task are by themselves."""
    return Recipe().override(task.recipe())


def require_new_weights(task: Task) -> None:
    """Refuse weights that a person gave for trainings to begin with: shared ones are no network's own.

    Raises:
        SpecError: the task has some.
    """
    given = getattr(task, "pretrained", None)
    if given is not None:
        cure = "leave it out, or search with --evaluator training"
        raise SpecError(wrong("pretrained", str(given), "left out where networks share weights", cure))


def require_classes(task: Task, name: str, value: object) -> None:
    """Check that networks of a task can learn from the answers of another one: their outputs are classes.

    Args:
        task: whose.
        name: of the option that asks for it.
        value: of it.

    Raises:
        SpecError: they are boxes, sequences or numbers.
    """
    if not task.classifies:
        allowed = f"left out for the task {task.name}: networks teach each other classes only"
        raise SpecError(wrong(name, value, allowed, "without it all networks learn from the data alone"))


def held_by(task: Task, space: SearchSpace, largest: Architecture | None) -> SearchSpace:
    """The networks that a supernet holds: those within one, or all of the space where there is none."""
    return space if largest is None else family_of(task, space, largest)


def facts_of(task: Task, space: SearchSpace) -> dict[str, str]:
    """What weights are of: another space or other data means other weights."""
    return {"format": FORMAT, "space": space.fingerprint(), "data": task.fingerprint()}


def save_supernet(path: Path, supernet: Supernet, task: Task) -> str:
    """Write the shared weights of a supernet.

    Args:
        path: the file; there is always the old one or the new one whole.
        supernet: whose.
        task: what it was trained for.

    Returns:
        Digest of the file.
    """
    from safetensors.torch import save

    from netwright.evaluation.checkpoints import write_atomically

    tensors = {key: tensor.cpu().contiguous() for key, tensor in supernet.state_dict().items()}
    data = _in_order(save(tensors, metadata={**facts_of(task, supernet.space), "seed": str(supernet.seed)}))
    write_atomically(path, data)
    return _digest(data)


def require_whole(path: Path, digest: str) -> None:
    """Check that a file is the one that a training wrote, without reading tensors from it.

    Args:
        path: the file.
        digest: as `save_supernet` gave it.

    Raises:
        SpecError: it cannot be read, or is another one.
    """
    if _digest(_read(path)) != digest:
        raise SpecError(f"{one_line(path)}: is damaged, or not the file that the training wrote; {AGAIN}")


def load_supernet(
    path: Path, task: Task, space: SearchSpace, *, digest: str | None = None, device: str = "cpu"
) -> Supernet:
    """Read the shared weights that `save_supernet` wrote.

    Args:
        path: the file.
        task: what it is used for.
        space: which architectures there are.
        digest: of the file, where it is known.
        device: where its tensors are to be.

    Raises:
        SpecError: it cannot be read, is not whole, or is of another space or other data.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load

    data = _read(path)
    try:
        tensors = load(data)
        with safe_open(path, framework="pt") as file:
            known = dict(file.metadata() or {})
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise SpecError(f"{one_line(path)}: is damaged ({error}); {AGAIN}") from error
    if digest is not None and _digest(data) != digest:
        raise SpecError(f"{one_line(path)}: is damaged, or not the file that the training wrote; {AGAIN}")
    for name, mine in facts_of(task, space).items():
        if known.get(name) != mine:
            cure = f"give the {name} that it was trained with, or train one for this {name}"
            if name == "format":
                cure = f"give a file of the format {FORMAT}"
            raise SpecError(f"{one_line(path)}: is a supernet of another {name}; {cure}")
    try:
        return Supernet(
            space,
            input_shape=task.input_shape,
            input_dtype=task.input_dtype,
            wrap=task.normalised,
            seed=int(known.get("seed", "0")),
            state=tensors,
            device=device,
        )
    except (SpaceError, ValueError) as error:
        raise SpecError(f"{one_line(path)}: is damaged ({error}); {AGAIN}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SpecError(f"{one_line(path)}: cannot be read: {error.strerror or error}; {AGAIN}") from error


def _in_order(data: bytes) -> bytes:
    """The file with the keys of its header sorted: the library writes metadata in another order each time."""
    size = int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8 : 8 + size]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[8 + size :]


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
