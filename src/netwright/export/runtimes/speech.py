"""What an exported ``model.py`` does with sound: read a recording, make frames as in training, write down what is said.

The same steps as `netwright.tasks.speech_recognition.features` and its neighbours, with torch; see there for sources,
and `netwright.export.runtime` for what *copied* means.
"""

from __future__ import annotations

import math
import sys
import wave
from pathlib import Path

import torch
from torch.nn import functional as F

from netwright.export.runtime import load, one_line, say

INPUT_SHAPE: tuple[int, ...] = (40, 400)
UNITS: tuple[str, ...] = ("", "a")
STRIDE: int = 4
BEAM: int = 1
BETWEEN_PARTS: str = " "
RATE: int = 8000
WINDOW: int = 200
HOP: int = 80
FFT: int = 256
FLOOR: float = 1e-6
CODES_A_UNIT: float = 32.0
ZERO_CODE: int = 128

# ---------------------------------------------------------------- copied where the network takes speech


def prepare(stored: torch.Tensor) -> torch.Tensor:
    """Stored bytes (N, bands, T) as the network's input."""
    return (stored.to(torch.float32) - ZERO_CODE) / CODES_A_UNIT


def read_sound(path: str | Path) -> tuple[torch.Tensor, int]:
    """Read a sound file: its samples (n,) in [-1, 1], channels averaged, and their rate.

    A wav file of whole numbers needs nothing; anything else needs the package soundfile.
    """
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            raw = file.readframes(min(file.getnframes(), Path(path).stat().st_size))  # a pipe's header promises more
    except (wave.Error, EOFError):
        return read_with_soundfile(path)
    if not raw or len(raw) % (channels * width) or width not in (1, 2, 3, 4):
        raise ValueError(f"{path}: a wav file without sound, or a damaged one")
    data = torch.frombuffer(bytearray(raw), dtype=torch.uint8)
    if width == 1:
        samples = (data.to(torch.float32) - 128) / 128
    elif width == 3:  # as the upper bytes of four
        samples = F.pad(data.reshape(-1, 3), (1, 0)).reshape(-1).view(torch.int32).to(torch.float32) / 2.0**31
    else:
        samples = data.view(torch.int16 if width == 2 else torch.int32).to(torch.float32) / 2.0 ** (8 * width - 1)
    return samples.reshape(-1, channels).mean(dim=1), rate


def read_with_soundfile(path: str | Path) -> tuple[torch.Tensor, int]:
    """Read flac, wav of floating-point numbers, and what else the package soundfile knows."""
    try:
        import soundfile
    except ImportError:
        raise ValueError(f"{path}: no wav file of whole numbers; others need the package soundfile") from None
    try:
        samples, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except (RuntimeError, OSError) as error:
        raise ValueError(f"{path}: no sound file, or a damaged one: {one_line(error)}") from None
    sound = torch.from_numpy(samples).mean(dim=1)
    if len(sound) == 0 or not torch.isfinite(sound).all():
        raise ValueError(f"{path}: has no sound, or samples that are not finite")
    return sound, int(rate)


def resample(samples: torch.Tensor, rate: int) -> torch.Tensor:
    """Change the rate of samples (n,) to ``RATE``, by a sinc with a window of six zero crossings on each side."""
    if rate == RATE:
        return samples
    shared = math.gcd(rate, RATE)
    step, phases, cutoff = rate // shared, RATE // shared, 0.95 * min(1.0, RATE / rate)
    width, count = math.ceil(6 / cutoff), math.ceil(len(samples) * RATE / rate)
    ahead, blocks = torch.arange(phases) * step, math.ceil(count / phases)
    starts, places = ahead // phases, torch.arange(-width, width + 2, dtype=torch.float64)
    inside = (places[None, :] - (ahead % phases).double()[:, None] / phases).mul(cutoff).clamp(-6, 6)
    kernels = (cutoff * torch.sinc(inside) * torch.cos(math.pi * inside / 12) ** 2).to(torch.float32)
    padded = F.pad(samples, (width, blocks * step + len(places) - width - len(samples)))
    windows = padded.unfold(0, len(places), 1)
    parts = [windows[start::step][:blocks] @ kernel for start, kernel in zip(starts.tolist(), kernels, strict=True)]
    return torch.stack(parts, 1).reshape(-1)[:count]


def log_mel(samples: torch.Tensor) -> torch.Tensor:
    """Log energies (T, bands) of samples (n,) at ``RATE``."""
    if len(samples) < WINDOW:
        raise ValueError(f"the sound is too short: {len(samples)} samples at {RATE} a second, at least {WINDOW}")
    corners = torch.linspace(0, 2595 * math.log10(1 + RATE / 1400), INPUT_SHAPE[0] + 2, dtype=torch.float64)
    corners = 700 * (10 ** (corners / 2595) - 1)
    hertz = torch.arange(FFT // 2 + 1, dtype=torch.float64)[:, None] * RATE / FFT
    low, middle, high = corners[:-2], corners[1:-1], corners[2:]
    bank = torch.minimum((hertz - low) / (middle - low), (high - hertz) / (high - middle)).clamp(min=0)
    windows = samples.unfold(0, WINDOW, HOP) * torch.hann_window(WINDOW, periodic=True)
    energy = torch.fft.rfft(windows, FFT).abs() ** 2 @ bank.to(torch.float32)
    logarithms: torch.Tensor = energy.clamp(min=max(FLOOR * float(energy.max()), 1e-10)).log()
    return logarithms


def to_codes(frames: torch.Tensor) -> torch.Tensor:
    """Frames (T, bands), each band's mean taken away and all brought to one spread, as bytes (bands, T)."""
    centred = frames - frames.mean(dim=0)
    codes = centred / (centred.std(correction=0) + 1e-3) * CODES_A_UNIT + ZERO_CODE
    return codes.round().clamp(0, 255).to(torch.uint8).T


def read_frames(path: str | Path) -> torch.Tensor:
    """Read a recording as bytes (bands, T); a ``.npy`` file holds frames (T, bands) and needs numpy."""
    if Path(path).suffix.lower() != ".npy":
        if not RATE:
            raise ValueError(f"{path}: this network takes frames (T, {INPUT_SHAPE[0]}) in a .npy file")
        return to_codes(log_mel(resample(*read_sound(path))))
    import numpy as np

    try:
        frames = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, MemoryError) as error:
        raise ValueError(f"{path}: no numpy array: {one_line(error)}") from None
    if frames.ndim != 2 or frames.shape[1] != INPUT_SHAPE[0] or len(frames) == 0 or not np.isfinite(frames).all():
        raise ValueError(f"{path}: give frames (T, {INPUT_SHAPE[0]}) of finite numbers, got {frames.shape}")
    return to_codes(torch.from_numpy(frames.astype("float32")))


def cut(codes: torch.Tensor) -> list[torch.Tensor]:
    """A recording (bands, T) in parts that the network can take, cut where it is most quiet."""
    longest, parts = INPUT_SHAPE[1], []
    while codes.shape[1] > longest:
        loudness = codes[:, longest // 2 : longest].to(torch.float32).mean(dim=0)
        end = longest // 2 + int(loudness.argmin()) + 1
        parts.append(codes[:, :end])
        codes = codes[:, end:]
    return [*parts, codes]


def transcribe(model: torch.nn.Module, codes: torch.Tensor) -> str:
    """Write down what is said in a recording (bands, T); where it is cut, in a pause, a word (if any) ends."""
    said = ""
    for part in cut(codes):
        padded = F.pad(part, (0, INPUT_SHAPE[1] - part.shape[1]), value=ZERO_CODE)
        outputs = model(prepare(padded[None]))[0, : math.ceil(part.shape[1] / STRIDE)]
        path = outputs.argmax(dim=1).unique_consecutive().tolist()
        found = beam(outputs.log_softmax(dim=1).tolist()) if BEAM > 1 else [unit for unit in path if unit]
        said += "".join(UNITS[unit] for unit in found) + BETWEEN_PARTS
    return " ".join(said.replace("\N{LOWER ONE EIGHTH BLOCK}", " ").split())


def beam(frames: list[list[float]]) -> list[int]:
    """Find the most probable units of log probabilities (T, units) by prefix beam search."""
    never = -math.inf
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, never)}  # ends in blank, ends in its last unit
    for frame in frames:
        likely = sorted(range(1, len(frame)), key=lambda unit: -frame[unit])[:BEAM]
        grown: dict[tuple[int, ...], tuple[float, float]] = {}
        for prefix, (blank, unit) in beams.items():
            both = add_logs(blank, unit)
            ways = [(prefix, both + frame[0], never), (prefix, never, unit + frame[prefix[-1]] if prefix else never)]
            ways += [((*prefix, u), never, (blank if prefix[-1:] == (u,) else both) + frame[u]) for u in likely]
            for longer, ends_blank, ends_unit in ways:
                was_blank, was_unit = grown.get(longer, (never, never))
                grown[longer] = (add_logs(was_blank, ends_blank), add_logs(was_unit, ends_unit))
        beams = dict(sorted(grown.items(), key=lambda item: -add_logs(*item[1]))[:BEAM])
    return list(max(beams.items(), key=lambda item: add_logs(*item[1]))[0])


def add_logs(a: float, b: float) -> float:
    """Logarithm of the sum of two probabilities given as logarithms."""
    high, low = max(a, b), min(a, b)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def main(arguments: list[str]) -> int:
    """Print the transcript of a recording."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python model.py FILE.wav\n")
        return 2
    try:
        with torch.inference_mode():
            text = transcribe(load(), read_frames(arguments[0]))
    except (OSError, ValueError, ImportError) as error:
        sys.stderr.write(f"{one_line(error)}\n")
        return 2
    encoding = sys.stdout.encoding or "utf-8"
    say([text.encode(encoding, "backslashreplace").decode(encoding)])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
