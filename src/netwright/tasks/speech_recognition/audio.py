"""Sound files: wav by the standard library, everything else (flac, floating-point wav) by the package soundfile.

Knows nothing of transcripts. Several channels are averaged.
"""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError, MissingDependencyError, one_line

_WHOLE = 0.98
"""Part of the samples that a header promises from which on a packed file is whole: coders add some at both ends."""

_UNKNOWN = 1 << 62
"""Samples that a packed file promises at least where its length was not known when it was written."""

_STREAMED = 0x7FFF0000
"""Bytes that a header promises at least where its length was not known when it was written."""


class Sound(NamedTuple):
    """Samples (n,) in [-1, 1], their rate, and how many channels they were averaged from."""

    samples: NDArray[np.float32]
    rate: int
    channels: int = 1


def length_of(path: Path, where: str) -> tuple[int, int]:
    """Samples of a file and their rate, by its header.

    Raises:
        DataError: it is no sound file, or has no samples; says where it was named.
    """
    length, rate = _header(path, where)
    if length < 1 or rate < 1:
        raise DataError(f"{where}: {path}: has no sound ({length} samples at {rate} a second)")
    if length >= _UNKNOWN:
        raise DataError(
            f"{where}: {path}: does not tell how long it is, as what is written to a pipe; write it to a file of its "
            "own (ffmpeg -i OLD NEW)"
        )
    return length, rate


def _header(path: Path, where: str) -> tuple[int, int]:
    if _is_plain_wav(path, where):
        with wave.open(str(path), "rb") as file:
            return file.getnframes(), file.getframerate()
    soundfile = _soundfile(path, where)
    try:
        found = soundfile.info(str(path))
    except (RuntimeError, OSError, ValueError) as error:
        raise DataError(f"{where}: {path}: no sound file, or a damaged one: {one_line(error)}") from error
    return int(found.frames), int(found.samplerate)


def read_sound(path: Path, where: str) -> Sound:
    """Read a file.

    Raises:
        DataError: it is damaged, or shorter than its header says.
        MissingDependencyError: it is no wav file of whole numbers, and the package soundfile is not installed.
    """
    if _is_plain_wav(path, where):
        with wave.open(str(path), "rb") as file:
            channels, width, count = file.getnchannels(), file.getsampwidth(), file.getnframes()
            raw, rate = file.readframes(count), file.getframerate()
        if len(raw) != count * channels * width:
            held = len(raw) // (channels * width)
            raise DataError(f"{where}: {path}: ends after {held} of {count} samples; it is damaged")
        samples = _whole_numbers(raw, width)
    else:
        soundfile = _soundfile(path, where)
        try:
            with soundfile.SoundFile(str(path)) as file:
                rate, promised, kind = file.samplerate, file.frames, file.format
                found = file.read(dtype="float32", always_2d=True)
        except (RuntimeError, OSError, ValueError) as error:
            raise DataError(f"{where}: {path}: a damaged sound file: {one_line(error)}") from error
        if len(found) < _WHOLE * promised and (kind != "MP3" or _tells_length(path)):
            raise DataError(f"{where}: {path}: ends after {len(found)} of {promised} samples; it is damaged")
        samples, channels = found.reshape(-1), found.shape[1]
    if not np.isfinite(samples).all():
        raise DataError(f"{where}: {path}: has samples that are not finite")
    mono = samples.reshape(-1, channels).mean(axis=1, dtype=np.float32) if channels > 1 else samples
    return Sound(mono, int(rate), channels)


def _tells_length(path: Path) -> bool:
    """Whether an mp3 file begins with a frame in which its encoder tells the length.

    Else that is estimated from the size of the file, in which tags such as pictures are taken for sound.
    """
    with path.open("rb") as file:
        head = file.read(10)
        tag_bytes = sum(size << shift for size, shift in zip(head[6:], (21, 14, 7, 0), strict=False))
        file.seek(10 + tag_bytes if head.startswith(b"ID3") else 0)
        first = file.read(256)
    return b"Xing" in first or b"Info" in first


def _whole_numbers(raw: bytes, width: int) -> NDArray[np.float32]:
    """PCM of 1 (unsigned), 2, 3 or 4 bytes a sample as numbers in [-1, 1)."""
    if width == 1:
        return (np.frombuffer(raw, np.uint8) / 128.0 - 1.0).astype(np.float32)
    if width == 3:  # as the upper bytes of four
        padded = np.zeros((len(raw) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        return (padded.reshape(-1).view("<i4") / 2.0**31).astype(np.float32)
    return (np.frombuffer(raw, f"<i{width}") / 2.0 ** (8 * width - 1)).astype(np.float32)


def _is_plain_wav(path: Path, where: str) -> bool:
    """Whether the standard library can read it.

    It can read no wav files of floating-point numbers, none that were written to a pipe (their headers promise
    gigabytes), and no files of other kinds that are called so, such as NIST's SPHERE files of TIMIT.
    """
    if path.suffix.lower() not in (".wav", ".wave"):
        return False
    try:
        with wave.open(str(path), "rb") as file:
            frame_bytes = file.getsampwidth() * file.getnchannels()
            return file.getsampwidth() in (1, 2, 3, 4) and frame_bytes * file.getnframes() < _STREAMED
    except (wave.Error, EOFError, OSError) as error:
        said = str(error)  # such as "unknown format: 3", "unknown extended format", "file does not start with RIFF id"
        if ("unknown" in said and "format" in said) or "RIFF" in said:
            return False
        what = one_line(error) or "it ends within its header"
        raise DataError(f"{where}: {path}: no wav file, or a damaged one: {what}") from error


def _soundfile(path: Path, where: str) -> Any:
    try:
        import soundfile
    except ImportError:
        raise MissingDependencyError("soundfile", "speech", f"{where}: {path.name}") from None
    return soundfile
