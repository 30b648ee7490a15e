"""Gradients of one training step: by this process alone, or by several that share the step, with the very same result.

A batch has parts (shards). Alone, a process passes them through the network one after the other; with helpers, each
helper process takes one part at the same time. The gradients are added in the order of the parts either way, so the
bits are equal. Buffers (the running statistics of batch norm) follow the first part only.

Two single-threaded processes use two cores better than two threads of one process do: see
``benchmarks/recipe_two_cores.py``. Helpers are forked, read the weights from shared memory, hand their gradients over
in shared memory, and end when this process ends, however it ends. In the same memory they orthogonalise matrices for
the optimiser. Knows no optimiser, schedule or checkpoint.
"""

from __future__ import annotations

import mmap
import os
import signal
import sys
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from types import TracebackType
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from netwright.errors import TrialError
from netwright.evaluation.batches import Batches
from netwright.evaluation.orthogonal import divided, orthogonalise_all
from netwright.tasks.losses import class_loss, joined

Loss = Callable[[Tensor, Tensor, float], Tensor]
_ALIGN = 64
_ORTHOGONALISE = -1  # where a step's number would be in a message


class Gradients:
    """Computes the gradients of a step in this process. A context manager, like `SharedGradients`.

    Args:
        model: its parameters' ``grad`` is set.
        batches: of the training.
        label_smoothing: of the loss.
        teacher: in evaluation mode, of classes; half of the loss is then the cross entropy with its answers. None for
            none.
        loss: of outputs, targets and label smoothing: a scalar, the mean over the batch.

    References:
        Hinton, Vinyals, Dean (2015), *Distilling the knowledge in a neural network* (at a temperature of 1).
    """

    def __init__(
        self,
        model: nn.Module,
        batches: Batches,
        label_smoothing: float,
        teacher: nn.Module | None = None,
        loss: Loss = class_loss,
    ) -> None:
        self.model, self.batches, self.label_smoothing, self.teacher = model, batches, label_smoothing, teacher
        self.loss = loss

    def __call__(self, step: int) -> Tensor:
        """Set the gradients of a step.

        Returns:
            The loss: a scalar, detached.
        """
        self.model.zero_grad(set_to_none=True)
        return self.add(step, range(self.batches.shards))

    def add(self, step: int, shards: Sequence[int]) -> Tensor:
        """Add the gradients of some parts of a step's batch; returns their share of the loss."""
        total = torch.zeros((), device=self.batches.device)
        for shard in shards:
            x, y = self.batches.shard(step, shard)
            kept = [] if shard == 0 else [(b, b.clone()) for b in self.model.buffers()]
            with torch.random.fork_rng(devices=[x.device] if x.device.type == "cuda" else []):
                seed_noise(noise_seed(self.batches.seed, step, shard), x.device)
                loss = self._loss(x, y) / self.batches.shards
            loss.backward()  # type: ignore[no-untyped-call]
            for buffer, before in kept:
                buffer.copy_(before)
            total += loss.detach()
        return total

    def orthogonalised(self, matrices: Sequence[Tensor]) -> Sequence[Tensor]:
        """Orthogonalise tensors that have the shapes of some of the parameters."""
        return orthogonalise_all(matrices)

    def _loss(self, x: Tensor, y: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        loss = self.loss(logits, y, self.label_smoothing)
        if self.teacher is None:
            return loss
        with torch.no_grad():
            answers = F.softmax(self.teacher(x), dim=1)
        return (loss + F.cross_entropy(joined(logits), answers)) / 2

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


def seed_noise(seed: int, device: torch.device) -> None:
    """Seed what dropout and the like draw from on a device; the bits are those after ``torch.manual_seed``.

    That one formats the stack for accelerators that it might have to seed later, which costs 0.15 ms and more a call.
    """
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


def noise_seed(seed: int, step: int, shard: int) -> int:
    """Seed of dropout and the like; spread over 63 bits."""
    return (seed * 0x9E3779B97F4A7C15 + step * 0xBF58476D1CE4E5B9 + shard * 0x94D049BB133111EB) & (2**63 - 1)


@dataclass(frozen=True, slots=True)
class Helper:
    """A process that works for this one: its end of the pipe, and its gradients in memory that both share."""

    pid: int
    pipe: Connection
    gradients: list[Tensor]

    def send(self, message: bytes) -> None:
        """Ask for something.

        Raises:
            TrialError: it died.
        """
        try:
            self.pipe.send_bytes(message)
        except OSError as error:
            raise self._dead() from error

    def receive(self) -> bytes:
        """Wait for its answer.

        Raises:
            TrialError: it died.
        """
        try:
            return self.pipe.recv_bytes()
        except (EOFError, OSError) as error:
            raise self._dead() from error

    def end(self) -> None:
        """End it: it holds nothing that is not here too."""
        self.pipe.close()
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def _dead(self) -> TrialError:
        return TrialError(f"helper process {self.pid} of the training died; memory may have run out")


class SharedGradients:
    """Computes the gradients of a step with helper processes, one part of the batch each. CPU only; entered once.

    Make and enter it before this process has run a torch operation on more than one thread: threads do not survive the
    fork of the helpers.

    Args:
        alone: what is to be shared; its batches have at least ``processes`` parts.
        processes: this one included, >= 2.
    """

    def __init__(self, alone: Gradients, processes: int) -> None:
        self.alone = alone
        self.params = [p for p in alone.model.parameters() if p.requires_grad]
        self.num_helpers = min(processes, alone.batches.shards) - 1
        self.helpers: list[Helper] = []
        self.cores: list[int] = []

    def __call__(self, step: int) -> Tensor:
        """Set the gradients of a step; returns the loss.

        Raises:
            TrialError: a helper died.
        """
        own = self.alone.batches.shards - self.num_helpers
        for helper in self.helpers:
            helper.send(array("q", [step]).tobytes())
        self.alone.model.zero_grad(set_to_none=True)
        total = self.alone.add(step, range(own))
        for helper in self.helpers:
            total += self._collect(helper)
        return total

    def orthogonalised(self, matrices: Sequence[Tensor]) -> Sequence[Tensor]:
        """Orthogonalise tensors with the helpers, in whose gradients they are handed over and come back.

        Args:
            matrices: of the shapes of some of the parameters, in their order.

        Raises:
            TrialError: a helper died.
        """
        own, *others = (sorted(numbers) for numbers in divided([m.shape for m in matrices], self.num_helpers + 1))
        found: dict[int, Tensor] = {}
        for helper, numbers in zip(self.helpers, others, strict=True):
            slots = self._slots([matrices[number] for number in numbers])
            for number, slot in zip(numbers, slots, strict=True):
                found[number] = helper.gradients[slot].copy_(matrices[number])
            if slots:
                helper.send(array("q", [_ORTHOGONALISE, *slots]).tobytes())
        found |= zip(own, self.alone.orthogonalised([matrices[number] for number in own]), strict=True)
        for helper, numbers in zip(self.helpers, others, strict=True):
            if numbers:
                helper.receive()
        return [found[number] for number in range(len(matrices))]

    def _slots(self, matrices: Sequence[Tensor]) -> list[int]:
        """Numbers of parameters of the same shapes, each used once."""
        free = iter(enumerate(self.params))
        return [next(number for number, p in free if p.shape == matrix.shape) for matrix in matrices]

    def _collect(self, helper: Helper) -> float:
        loss = float.fromhex(helper.receive().decode())
        for p, gradient in zip(self.params, helper.gradients, strict=True):
            if p.grad is not None:
                p.grad.add_(gradient)
        return loss

    def __enter__(self) -> Self:
        _share_weights(self.params)
        own = self.alone.batches.shards - self.num_helpers
        self.cores = _cores()
        places = _split(self.cores, self.num_helpers + 1)
        for number in range(self.num_helpers):
            self.helpers.append(self._fork(own + number, places[number + 1]))
        _stay_on(places[0])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for helper in self.helpers:
            helper.end()
        self.helpers.clear()
        _stay_on(self.cores)

    def _fork(self, shard: int, cores: Sequence[int]) -> Helper:
        return fork_helper(self.params, self.helpers, cores, lambda pipe, own: self._serve(pipe, shard, own))

    def _serve(self, pipe: Connection, shard: int, gradients: list[Tensor]) -> None:
        """Answer steps until the pipe closes."""
        while True:
            try:
                first, *slots = array("q", pipe.recv_bytes())
            except EOFError:
                return
            if first == _ORTHOGONALISE:
                for slot, found in zip(slots, orthogonalise_all([gradients[slot] for slot in slots]), strict=True):
                    gradients[slot].copy_(found)
                pipe.send_bytes(b"")
            else:
                pipe.send_bytes(self._add(first, shard, gradients).hex().encode())

    def _add(self, step: int, shard: int, gradients: Sequence[Tensor]) -> float:
        """Hand the gradients of a part of a step over; returns its share of the loss."""
        self.alone.model.zero_grad(set_to_none=True)
        loss = self.alone.add(step, [shard])
        for p, gradient in zip(self.params, gradients, strict=True):
            if p.grad is None:
                gradient.zero_()
            else:
                gradient.copy_(p.grad)
        return float(loss)


def _cores() -> list[int]:
    """Cores this process may use; empty where the system does not say."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _split(cores: Sequence[int], count: int) -> list[Sequence[int]]:
    """A share of the cores for each process, so that the scheduler does not put two that wake each other on one core.

    Example:
        >>> _split([0, 1, 2, 5], 2), _split([0], 2)
        ([[0, 2], [1, 5]], [[0], [0]])
    """
    return [cores[place::count] for place in range(count)] if len(cores) >= count else [cores] * count


def _stay_on(cores: Sequence[int]) -> None:
    if cores:
        os.sched_setaffinity(0, cores)


def fork_helper(
    params: Sequence[Tensor],
    others: Sequence[Helper],
    cores: Sequence[int],
    serve: Callable[[Connection, list[Tensor]], None],
) -> Helper:
    """Fork a process that works for this one until its pipe closes, and never comes back into the caller's stack.

    Args:
        params: what it hands gradients of over, in memory that both share.
        others: helpers there are already; it closes their pipes.
        cores: it stays on.
        serve: what it does, with its end of the pipe and the gradients.
    """
    gradients = _shared_like(params)
    here, there = Pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        there.close()
        return Helper(pid, here, gradients)
    status = 1
    try:
        here.close()
        for other in others:
            other.pipe.close()
        torch.set_num_threads(1)
        _stay_on(cores)
        serve(there, gradients)
        status = 0
    finally:
        os._exit(status)  # a message is the parent's to give


def _shared_like(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Tensors of the same shapes and strides in memory that forked processes share; freed with the last of them."""
    offsets, size = [], 0
    for t in tensors:
        offsets.append(size)
        size += -(-t.numel() * t.element_size() // _ALIGN) * _ALIGN
    memory = torch.frombuffer(mmap.mmap(-1, max(size, 1)), dtype=torch.uint8)
    parts = (memory[o : o + t.numel() * t.element_size()].view(t.dtype) for o, t in zip(offsets, tensors, strict=True))
    return [part.as_strided(t.shape, t.stride()) for part, t in zip(parts, tensors, strict=True)]


def _share_weights(params: Sequence[nn.Parameter]) -> None:
    """Move parameters into memory that forked processes share; values, shapes and strides stay."""
    for p, shared in zip(params, _shared_like(params), strict=True):
        shared.copy_(p.data)
        p.data = shared
