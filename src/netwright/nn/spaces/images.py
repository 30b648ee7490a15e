"""What the shipped spaces check of their arguments. They are all for images."""

from __future__ import annotations

from netwright.errors import SpaceError, wrong


def require_image(input_shape: tuple[int, ...], num_outputs: int) -> None:
    """Reject shapes that are not (C, H, W), and outputs below 1.

    Raises:
        SpaceError: one of the two cannot be.
    """
    if len(input_shape) != 3 or any(not isinstance(s, int) or s < 1 for s in input_shape):
        raise SpaceError(wrong("input_shape", input_shape, "(channels, height, width)"))
    if not isinstance(num_outputs, int) or isinstance(num_outputs, bool) or num_outputs < 1:
        raise SpaceError(wrong("num_outputs", num_outputs, "a whole number >= 1"))
