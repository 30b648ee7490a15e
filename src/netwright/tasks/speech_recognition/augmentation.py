"""What training sees of a recording: faster or slower, from a longer or shorter throat, with parts left out.

All works on stored bytes (B, bands, T), where `ZERO_CODE` is the mean of a band and what follows a recording. All
randomness comes from a numpy generator that is passed in.

References:
    Park et al. (2019), *SpecAugment*, section 2: blocks of bands and of frames are masked, with the mean; instead of
    its time warping the whole recording is stretched, which changes its length (Ko et al. 2015, *Audio augmentation for
    speech recognition*: speed). Jaitly and Hinton (2013), *Vocal tract length perturbation*: the bands are moved along
    the scale; ours by a linear stretch of the mel scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from netwright.tasks.speech_recognition.ctc import FRAMES
from netwright.tasks.speech_recognition.features import CODES_A_UNIT, ZERO_CODE

if TYPE_CHECKING:
    from torch import Tensor

_NOISE_LEVELS = (-1.5, 0.2)
_SLOPE = 0.7
"""Least and most of the noise, in units of a normalised recording, whose bands have mean 0 and whose speech is mostly
between 0.5 and 2; and how far the outer bands lie from that at most."""

_NEPERS_A_UNIT = 3.5
"""Logarithm of energy that a normalised recording's unit stands for: 3.4 to 3.7 for each speaker of fsdd."""


@dataclass(frozen=True, slots=True)
class SpeechAugmentation:
    """How recordings are changed; 0 for not at all.

    Args:
        speed: they are stretched by a factor in [1 - speed, 1 + speed]; one that would not fit is cut to what does.
        warp: bands are stretched by a factor in [1 - warp, 1 + warp].
        bend: most that bands are moved beside that, each region by itself, as a share of all bands.
        noise: share of the recordings in which noise is heard, quieter than speech; steady, its bands along a slope.
        band_masks: blocks of bands that are masked.
        band_share: most of the bands that a block has.
        time_masks: blocks of frames that are masked.
        time_frames: most frames that a block has; never more than a tenth of the recording.
    """

    speed: float = 0.2
    warp: float = 0.15
    bend: float = 0.12
    noise: float = 0.5
    band_masks: int = 2
    band_share: float = 0.2
    time_masks: int = 2
    time_frames: int = 12

    def apply(self, stored: Tensor, targets: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Augment a batch; the number of frames in the targets follows.

        Args:
            stored: bytes (B, bands, T).
            targets: rows (B, C), see `netwright.tasks.speech_recognition.ctc`.
            rng: is drawn from in the same way whatever the recordings are.
        """
        import torch

        batch, bands, longest = stored.shape
        frames = targets[:, FRAMES].cpu().numpy()
        factor = np.minimum(1 + self.speed * rng.uniform(-1, 1, batch), longest / frames)
        length = np.clip(np.round(frames * factor), 1, longest).astype(np.int64)
        stretched = np.arange(bands)[None, :] * (1 + self.warp * rng.uniform(-1, 1, (batch, 1)))
        rows, row_share = _places(stretched + self._bent(rng, batch, bands), bands)
        steps = np.arange(longest)[None, :] * (frames / length)[:, None]
        columns, column_share = _places(np.minimum(steps, frames[:, None] - 1), longest)
        inside = np.arange(longest)[None, :] < length[:, None]
        kept = inside[:, None, :] & self._kept(rng, batch, bands, length, longest)
        x = _between(stored.float(), rows, row_share, 1)
        x = _between(x, columns, column_share, 2)
        x = _noisy(x, self._noise(rng, batch, bands), inside)
        x = torch.where(torch.from_numpy(kept).to(x.device), x, torch.full((), float(ZERO_CODE), device=x.device))
        changed = targets.clone()
        changed[:, FRAMES] = torch.from_numpy(length).to(targets)
        return x, changed

    def _bent(self, rng: np.random.Generator, batch: int, bands: int) -> NDArray[np.float64]:
        """How far each band is moved, by two waves along the bands that are 0 at both ends; (B, bands)."""
        place = np.pi * np.arange(bands) / (bands - 1)
        waves = np.stack([np.sin(place), np.sin(2 * place)])
        moved: NDArray[np.float64] = self.bend / 2 * bands * rng.uniform(-1, 1, (batch, 2)) @ waves
        return moved

    def _noise(self, rng: np.random.Generator, batch: int, bands: int) -> NDArray[np.float32]:
        """Level of the noise of each band in stored bytes, -inf in recordings without; (B, bands)."""
        level = rng.uniform(*_NOISE_LEVELS, (batch, 1))
        level = level + rng.uniform(-_SLOPE, _SLOPE, (batch, 1)) * np.linspace(-1, 1, bands)
        heard = rng.uniform(0, 1, (batch, 1)) < self.noise
        return np.where(heard, ZERO_CODE + CODES_A_UNIT * level, -np.inf).astype(np.float32)

    def _kept(
        self, rng: np.random.Generator, batch: int, bands: int, length: NDArray[np.int64], longest: int
    ) -> NDArray[np.bool_]:
        """What is not masked; (B, bands, T)."""
        kept = np.ones((batch, bands, longest), bool)
        for _ in range(self.band_masks):
            size = np.floor(rng.uniform(0, np.floor(self.band_share * bands) + 1, batch))
            kept &= ~_block(rng.uniform(0, 1, batch) * (bands - size), size, bands)[:, :, None]
        for _ in range(self.time_masks):
            size = np.floor(rng.uniform(0, 1, batch) * (np.minimum(self.time_frames, length // 10) + 1))
            kept &= ~_block(rng.uniform(0, 1, batch) * (length - size), size, longest)[:, None, :]
        return kept


def _noisy(x: Tensor, level: NDArray[np.float32], inside: NDArray[np.bool_]) -> Tensor:
    """Energies (B, bands, T) with noise (B, bands) added to them, then as `normalise` leaves them: bands of mean 0."""
    import torch

    heard = torch.from_numpy(np.isfinite(level).all(axis=1)).to(x.device)
    if not bool(heard.any()):
        return x
    few, used = x[heard], torch.from_numpy(inside).to(x.device)[heard][:, None, :]
    noise = torch.from_numpy(level).to(x.device)[heard][:, :, None]
    bytes_a_neper = CODES_A_UNIT / _NEPERS_A_UNIT
    few = torch.logaddexp(few / bytes_a_neper, noise / bytes_a_neper) * used
    count = used.sum(2, keepdim=True)
    few = (few - few.sum(2, keepdim=True) / count) * used
    spread = (few.square().sum((1, 2), keepdim=True) / (count * few.shape[1])).sqrt()
    few = (few * (CODES_A_UNIT / (spread + 1e-3)) + ZERO_CODE).clamp(0, 255)
    changed = x.clone()
    changed[heard] = few
    return changed


def _block(start: NDArray[np.float64], size: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    place = np.arange(count)[None, :]
    first = np.floor(start)[:, None]
    found: NDArray[np.bool_] = (place >= first) & (place < first + size[:, None])
    return found


def _places(wanted: NDArray[np.float64], count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The place before each wanted one, and how far it is to the next; both (B, n)."""
    inside = np.clip(wanted, 0, count - 1)
    before = np.minimum(np.floor(inside), count - 2).astype(np.int64)
    return before, (inside - before).astype(np.float32)


def _between(x: Tensor, before: NDArray[np.int64], share: NDArray[np.float32], dim: int) -> Tensor:
    """Values of (B, bands, T) between two places along one dimension."""
    import torch

    expand = (slice(None), slice(None), None) if dim == 1 else (slice(None), None, slice(None))
    place = torch.from_numpy(before).to(x.device)[expand].expand(x.shape)
    weight = torch.from_numpy(share).to(x.device)[expand]
    low, high = x.gather(dim, place), x.gather(dim, place + 1)
    return low + (high - low) * weight
