"""Random scaling, shifts and mirroring of images and their boxes, and changes of brightness, contrast and colour.

All randomness comes from a numpy generator that is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netwright.tasks.detection.letterbox import GREY

if TYPE_CHECKING:
    from torch import Tensor

_LEAST_LEFT = 0.3
"""Share of a box that must remain in sight for it to count."""


@dataclass(frozen=True)
class BoxAugmentation:
    """What is done to a training image.

    Args:
        scale: images are made smaller and larger by up to this factor, log-uniformly; >= 1.
        shift: largest shift as part of the sides.
        mirror: left and right, with probability 1/2.
        flip: up and down, with probability 1/2.
        light: brightness and contrast change by up to this share.
        gain: each channel by itself becomes lighter or darker by up to this share.
    """

    scale: float = 1.6
    shift: float = 0.1
    mirror: bool = True
    flip: bool = False
    light: float = 0.15
    gain: float = 0.1

    def apply(self, stored: Tensor, targets: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Augment a batch, each image on its own.

        Args:
            stored: (B, C, H, W) pixels.
            targets: (B, M, 5) boxes.
            rng: is drawn from in the same way whatever the images are.

        Returns:
            Pixels as float32, and boxes: clipped, and -1 where less than 30 % of one remains in sight.
        """
        import torch

        batch, channels, height, width = stored.shape
        zoom = np.exp(rng.uniform(-np.log(self.scale), np.log(self.scale), batch))
        moved = rng.uniform(-self.shift, self.shift, (batch, 2))
        signs = np.where(rng.random((batch, 2)) < [0.5 * self.mirror, 0.5 * self.flip], -1.0, 1.0)
        light = rng.uniform(-self.light, self.light, (batch, 2))
        gain = 1 + rng.uniform(-self.gain, self.gain, (batch, channels))
        move = torch.from_numpy(np.concatenate([zoom[:, None] * signs, moved], 1)).to(stored.device, torch.float32)
        look = torch.from_numpy(light).to(stored.device, torch.float32)
        pixels = _moved_pixels(stored, move) * torch.from_numpy(gain).to(stored.device, torch.float32)[..., None, None]
        pixels = (pixels * (1 + look[:, 0, None, None, None]) + 128 * look[:, 1, None, None, None]).clamp(0, 255)
        return pixels, _moved_boxes(targets, move, (height, width))


def _moved_pixels(stored: Tensor, move: Tensor) -> Tensor:
    """Images under ``new = factor * old + shift`` in coordinates from -1 to 1; grey where nothing comes from."""
    import torch
    import torch.nn.functional as F

    factors, shifts = move[:, :2], move[:, 2:] * 2
    matrices = torch.zeros(len(move), 2, 3, device=stored.device)
    matrices[:, 0, 0], matrices[:, 1, 1] = 1 / factors[:, 0], 1 / factors[:, 1]
    matrices[:, :, 2] = -shifts / factors
    grid = F.affine_grid(matrices, list(stored.shape), align_corners=False)
    return F.grid_sample(stored.float() - GREY, grid, align_corners=False) + GREY


def _moved_boxes(targets: Tensor, move: Tensor, size: tuple[int, int]) -> Tensor:
    import torch

    height, width = size
    sides = torch.tensor([width, height], dtype=torch.float32, device=targets.device)
    factors, shifts = move[:, None, :2], move[:, None, 2:]
    one, other = (((targets[..., i : i + 2] / sides - 0.5) * factors + shifts + 0.5) * sides for i in (0, 2))
    low, high = torch.minimum(one, other), torch.maximum(one, other)
    seen_low, seen_high = low.clamp(min=0), torch.minimum(high, sides)
    area, seen = (high - low).prod(-1), (seen_high - seen_low).clamp(min=0).prod(-1)
    kept = (targets[..., 4] >= 0) & (seen > _LEAST_LEFT * area) & (seen > 0)
    moved = torch.cat([seen_low, seen_high, targets[..., 4:]], -1)
    return torch.where(kept[..., None], moved, torch.full_like(moved, -1.0))
