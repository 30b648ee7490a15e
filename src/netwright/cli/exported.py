"""An exported network, loaded into this process to be measured, and the images of its search as it reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from netwright.cli.runs import is_run, require_export
from netwright.errors import DataError, VerificationError, one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from netwright.export.card import Card


@dataclass(frozen=True)
class Exported:
    """A network with its weights.

    Args:
        model: in evaluation mode.
        module: its ``model.py``, imported.
        card: what is known of it.
    """

    model: nn.Module
    module: ModuleType
    card: Card

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one example."""
        return tuple(self.module.INPUT_SHAPE)

    def tokens(self, batch: int) -> NDArray[np.float32] | None:
        """Inputs of a network that takes whole numbers, which cannot be random; None for others."""
        from netwright.export.probe import probe_inputs

        known = self.card.export
        if known is None or known.input.dtype != "int64":
            return None
        return probe_inputs(  # type: ignore[return-value]  # whole numbers are passed on as they are
            self.input_shape, batch=batch, dtype="int64", num_values=known.probe.num_values
        )


@dataclass(frozen=True)
class Images:
    """What a network is asked.

    Args:
        inputs: (N, *input shape) float32, the validation images as the network takes them; of many a sample.
        labels: (N,) class numbers.
        calibration: (M, *input shape) training images, that the ranges of int8 are measured on.
    """

    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]
    calibration: NDArray[np.float32]


@contextmanager
def loaded(path: Path, *, allow_edited: bool = False) -> Iterator[Exported]:
    """Load a network for the time of the block. This runs its ``model.py``, from a private copy.

    Args:
        path: folder of an export, or of a run, whose best network is taken.
        allow_edited: run a ``model.py`` that is not the one that was exported, too.

    Raises:
        SpecError: there is no export.
        VerificationError: a file is not the one that was exported.
        ExportError: a file cannot be read, or weights do not fit.
    """
    folder = path / "best" if is_run(path) and (path / "best").is_dir() else path
    require_export(folder)

    from netwright.export.files import read_bundle, record
    from netwright.export.weights import check_weights
    from netwright.python_files import import_file
    from netwright.temporary import temporary_folder

    bundle = read_bundle(folder)
    assert bundle.card.export is not None
    with temporary_folder() as copy:
        for name in ("model.py", "weights.safetensors"):
            content, known = bundle.files.get(name), bundle.card.export.files.get(name)
            if content is None:
                raise VerificationError(f"{one_line(folder / name)} is missing; give the folder that an export wrote")
            if record(content) != known and not (allow_edited and name == "model.py"):
                cure = " or allow edited files (--allow-edited)" if name == "model.py" else ""
                raise VerificationError(
                    f"{one_line(folder / name)} is not the file that was exported; export again{cure}"
                )
            (copy / name).write_bytes(content)
        check_weights(bundle.files["weights.safetensors"])
        module = import_file(copy / "model.py", "model.py")
        yield Exported(module.load(copy).eval(), module, bundle.card)


def images_of(network: Exported, data: str) -> Images:
    """Load the data of a network's search, split as there, as inputs of the network.

    Raises:
        DataError: the data cannot be read, or has other classes or another shape than the network.
    """
    import numpy as np
    import torch

    from netwright.evaluation.latency.int8 import calibration_rows
    from netwright.evaluation.quantised import fitting_sample
    from netwright.tasks import load_task

    card = network.card
    task = load_task(card.task, data, seed=card.seed or 0, **card.task_options)
    if not task.classifies:
        cure = "leave the data out: latency does not depend on it"
        raise DataError(f"the task {one_line(card.task)} has no accuracy to measure in another precision; {cure}")
    if tuple(task.class_names) != tuple(card.class_names) or tuple(task.input_shape) != network.input_shape:
        raise DataError(f"{one_line(data)} has other classes or images than the network; give the data of its search")
    values, labels = fitting_sample(task.validation())
    train, _ = task.train()
    chosen = train[calibration_rows(len(train))]
    ready = [network.module.prepare(torch.from_numpy(np.array(part))).float().numpy() for part in (values, chosen)]
    return Images(ready[0], labels, ready[1])
