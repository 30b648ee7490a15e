"""Recordings that tests of speech recognition share: tones that spell words, as wav files and arrays."""

from __future__ import annotations

import csv
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 8000
PITCH = {"a": 300.0, "b": 800.0, "c": 1600.0, " ": 2600.0}


def tone(text: str, rng: np.random.Generator, rate: int = RATE) -> NDArray[np.int16]:
    """A tone of 0.12 s for each character, over noise."""
    count = round(0.12 * rate)
    pieces = [np.sin(2 * np.pi * PITCH[c] * np.arange(count) / rate) for c in text]
    sound = 0.5 * np.concatenate(pieces)
    return np.asarray(32767 * (sound + rng.normal(0, 0.01, len(sound))), dtype=np.int16)


def texts(count: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join("".join(rng.choice(list("abc"), 2)) for _ in range(rng.integers(1, 4))) for _ in range(count)]


def write_wav(path: Path, samples: NDArray[np.int16], rate: int = RATE, channels: int = 1) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(samples, channels).astype("<i2").tobytes())


def write_rows(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def manifest(folder: Path, count: int = 30) -> Path:
    """A manifest with wav files and all columns: 20 to train on, 5 and 5 for the other parts."""
    rng, rows = np.random.default_rng(1), []
    folder.mkdir(exist_ok=True)
    for number, text in enumerate(texts(count)):
        write_wav(folder / f"{number}.wav", tone(text, rng))
        split = "train" if number < count - 10 else "dev" if number < count - 5 else "test"
        rows.append({"audio": f"{number}.wav", "text": text, "split": split, "speaker": f"s{number % 3}"})
    return write_rows(folder / "all.csv", rows)


def arrays(path: Path, count: int = 60, key: str = "audio") -> Path:
    """An npz file of samples, without splits."""
    rng = np.random.default_rng(2)
    said = texts(count, seed=3)
    pieces = [tone(text, rng) for text in said]
    offsets = np.concatenate([[0], np.cumsum([len(p) for p in pieces])])
    np.savez(path, audio=np.concatenate(pieces), offsets=offsets, texts=np.array(said), sample_rate=np.array(RATE))
    return path
