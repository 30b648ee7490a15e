"""From samples to log-mel frames of one byte a value, in numpy, so that loading runs no torch operation.

A frame is the logarithm of the energy in bands of the mel scale within 25 ms, every 10 ms. Of each recording each band
is given mean 0, and all values together standard deviation 1, so that neither a microphone nor loudness matters; what
lies 60 dB below the loudest value is cut off there. ``model.py`` computes the same with torch
(`netwright.export.runtimes.speech`); a test compares the two.

References:
    Davis and Mermelstein (1980), *Comparison of parametric representations for monosyllabic word recognition*: bands of
    the mel scale. The scale is 2595 log10(1 + f / 700) (O'Shaughnessy 1987, *Speech Communication*). No pre-emphasis
    and no cosine transform, as is common for networks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError, SpecError, wrong

Frames = NDArray[np.float32]
WINDOW_S, HOP_S = 0.025, 0.010
FLOOR = 1e-6
"""Energies below this part of the largest are raised to it: 60 dB."""
CODES_A_UNIT, ZERO_CODE = 32.0, 128
"""A stored byte is ``ZERO_CODE + CODES_A_UNIT * value``, within 0 to 255: values from -4 to 3.97."""
_ZEROS = 6
_ROLLOFF = 0.95


@dataclass(frozen=True)
class FrontEnd:
    """How sound becomes frames.

    Args:
        rate: samples a second that sound is resampled to.
        mels: bands.

    Raises:
        SpecError: a number cannot be.
    """

    rate: int
    mels: int = 40

    def __post_init__(self) -> None:
        if not 1000 <= self.rate <= 384_000:
            raise SpecError(wrong("rate", self.rate, "1000 to 384000 samples a second"))
        if not 4 <= self.mels <= self.fft // 4:
            raise SpecError(wrong("mels", self.mels, f"4 to {self.fft // 4} at {self.rate} samples a second"))

    @property
    def window(self) -> int:
        """Samples of a frame."""
        return round(WINDOW_S * self.rate)

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return round(HOP_S * self.rate)

    @property
    def fft(self) -> int:
        """Points of the Fourier transform: the next power of two."""
        return 1 << (self.window - 1).bit_length()

    @cached_property
    def bank(self) -> NDArray[np.float32]:
        """Weights (fft / 2 + 1, mels) of triangles that are equally wide on the mel scale, from 0 to rate / 2."""
        top = 2595 * math.log10(1 + self.rate / 2 / 700)
        corners = 700 * (10 ** (np.linspace(0, top, self.mels + 2) / 2595) - 1)
        hertz = np.arange(self.fft // 2 + 1) * self.rate / self.fft
        low, middle, high = corners[:-2], corners[1:-1], corners[2:]
        up = (hertz[:, None] - low) / (middle - low)
        down = (high - hertz[:, None]) / (high - middle)
        return np.maximum(0, np.minimum(up, down)).astype(np.float32)

    def num_frames(self, samples: int, rate: int) -> int:
        """Frames that so many samples of another rate give."""
        return 1 + (resampled_length(samples, rate, self.rate) - self.window) // self.hop

    def frames(self, samples: NDArray[np.float32], rate: int) -> Frames:
        """Log energies (T, mels), not normalised, of samples (n,) in [-1, 1] at some rate.

        Raises:
            DataError: there is less sound than one frame.
        """
        sound = resample(samples, rate, self.rate)
        if len(sound) < self.window:
            raise DataError(f"has {len(samples)} samples at {rate} a second, less than the {WINDOW_S} s of one frame")
        windows = np.lib.stride_tricks.sliding_window_view(sound, self.window)[:: self.hop]
        shape = np.hanning(self.window + 1)[:-1].astype(np.float32)
        energy = np.abs(np.fft.rfft(windows * shape, self.fft)).astype(np.float32) ** 2 @ self.bank
        floor = max(FLOOR * float(energy.max()), 1e-10)
        logarithms: Frames = np.log(np.maximum(energy, floor)).astype(np.float32)
        return logarithms


def normalise(frames: Frames) -> Frames:
    """Give each band mean 0 and all values together standard deviation 1; (T, mels)."""
    centred = frames - frames.mean(axis=0)
    scaled: Frames = (centred / (centred.std() + 1e-3)).astype(np.float32)
    return scaled


def to_codes(frames: Frames) -> NDArray[np.uint8]:
    """Normalised frames as one byte a value.

    Example:
        >>> to_codes(np.array([[0.0, 1.0, -9.0]], dtype=np.float32)).tolist()
        [[128, 160, 0]]
    """
    return np.clip(np.round(frames * CODES_A_UNIT + ZERO_CODE), 0, 255).astype(np.uint8)


def resampled_length(samples: int, rate: int, to: int) -> int:
    """How many samples `resample` gives.

    Example:
        >>> resampled_length(44100, 44100, 8000), resampled_length(5, 8000, 8000)
        (8000, 5)
    """
    return math.ceil(samples * to / rate)


def resample(samples: NDArray[Any], rate: int, to: int) -> NDArray[np.float32]:
    """Change the rate of samples (n,) by a sinc with a Hann window of six zero crossings on each side.

    References:
        Smith (1984), *Digital audio resampling*: a windowed sinc, one set of weights for each phase.
    """
    sound = samples.astype(np.float32)
    if rate == to:
        return sound
    kernels, starts, step = kernels_of(rate, to)
    phases, taps = kernels.shape
    count = resampled_length(len(sound), rate, to)
    blocks = math.ceil(count / phases)
    padded = np.zeros(blocks * step + taps, np.float32)
    before = taps // 2 - 1
    padded[before : before + len(sound)] = sound
    windows = np.lib.stride_tricks.sliding_window_view(padded, taps)
    found = np.empty((blocks, phases), np.float32)
    for phase, (start, kernel) in enumerate(zip(starts.tolist(), kernels, strict=True)):
        found[:, phase] = windows[start::step][:blocks] @ kernel
    return found.reshape(-1)[:count]


def kernels_of(rate: int, to: int) -> tuple[NDArray[np.float32], NDArray[np.int64], int]:
    """Weights (phases, taps) of a resampling, the sample of a block (phases,) at which each stands, and its step.

    A block is the shortest time that holds whole numbers of samples of both rates; where these have no common factor it
    is a second, of which a phase sees the few samples around it only. Of its taps one less than half lie before it.
    """
    step, phases = rate // math.gcd(rate, to), to // math.gcd(rate, to)
    cutoff = _ROLLOFF * min(1.0, to / rate)
    width = math.ceil(_ZEROS / cutoff)
    starts, rest = np.divmod(np.arange(phases, dtype=np.int64) * step, phases)
    places = np.arange(-width, width + 2)[None, :] - rest[:, None] / phases
    inside = np.clip(places * cutoff, -_ZEROS, _ZEROS)
    kernels = cutoff * np.sinc(inside) * np.cos(np.pi * inside / _ZEROS / 2) ** 2
    return kernels.astype(np.float32), starts, step
