"""Size of a network, without memory: parameters, multiply-accumulates, activations, depth.

Everything is counted while the source is written, from the shapes, without torch; only classes of one's own are run
once. Knows nothing of speed.
"""

from __future__ import annotations

from dataclasses import dataclass

from netwright.nn.writing import measure
from netwright.space.terms import Term

BYTES_PER_VALUE = 4  # fp32


@dataclass(frozen=True)
class Profile:
    """Size of a network.

    Args:
        params: number of parameters.
        trainable_params: of which are trained.
        macs: multiply-accumulates of one example: convolutions, linear layers, attention and recurrent layers; norms,
            activations and biases are not counted.
        activation_bytes: what the layers give for one example, kept for the backward pass, in fp32.
        depth: longest chain of layers with weight matrices; of a class of one's own, all of them.
        parameter_bytes: parameters and buffers in fp32.
        output_shape: without the batch.
        batch_size: examples at once in `peak_memory_bytes`.
        eval_only: classes of one's own in it that run in evaluation mode only: it can be scored and measured, but not
            trained.
    """

    params: int
    trainable_params: int
    macs: int
    activation_bytes: int
    depth: int
    parameter_bytes: int
    output_shape: tuple[int, ...]
    batch_size: int = 1
    eval_only: int = 0

    @property
    def peak_memory_bytes(self) -> int:
        """Estimate of the memory of training with AdamW at ``batch_size``."""
        return self.training_memory_bytes(self.batch_size)

    def training_memory_bytes(self, batch_size: int, optimizer_values: int = 2) -> int:
        """Estimate of the memory training needs: weights, gradients, the optimizer's state and activations.

        Args:
            batch_size: examples at once.
            optimizer_values: numbers the optimizer keeps for each parameter: 2 for Adam, 1 for momentum.
        """
        trained = self.trainable_params * BYTES_PER_VALUE
        return self.parameter_bytes + trained * (1 + optimizer_values) + batch_size * self.activation_bytes


def profile(term: Term, *, input_shape: tuple[int, ...], input_dtype: str = "float32", batch_size: int = 1) -> Profile:
    """Measure the size of a network without building it.

    Args:
        term: the network without choices.
        input_shape: shape of one example without the batch.
        input_dtype: dtype of the input.
        batch_size: examples at once in the estimate of the peak memory.

    Raises:
        BuildError: the network cannot be.

    Example:
        >>> from netwright.space import OpTerm
        >>> profile(OpTerm("linear", (("features", 10),)), input_shape=(64,)).params
        650
    """
    size, out = measure(term, input_shape=input_shape, input_dtype=input_dtype)
    return Profile(
        params=size.params,
        trainable_params=size.params - size.frozen_params,
        macs=size.macs,
        activation_bytes=size.activation_values * BYTES_PER_VALUE,
        depth=out.depth,
        parameter_bytes=(size.params + size.buffer_values) * BYTES_PER_VALUE,
        output_shape=out.shape,
        batch_size=batch_size,
        eval_only=size.eval_only,
    )
