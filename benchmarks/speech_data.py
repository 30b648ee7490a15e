"""Writes the two sets of recordings that speech recognition is measured on: digit strings, and yes and no.

Digit strings are composed of the clips of the Free Spoken Digit Dataset: three to six clips of one speaker, with
pauses of up to 0.15 s between them and up to 0.25 s before them, over the quiet noise that a recording has; one that
would last more than 4 s is drawn again. Speakers are disjoint: four to train on, one to validate, one to test on.

    python benchmarks/speech_data.py fsdd DATA/fsdd/fsdd.npz OUT.npz --test lucas --validation theo
    python benchmarks/speech_data.py yesno DATA/yesno/yesno.npz OUT.npz
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LONGEST_S = 4


def compose(
    source: Path, out: Path, *, test: str, validation: str, strings: int = 3000, held_out: int = 300, seed: int = 0
) -> None:
    """Write strings of clips as ``audio``, ``offsets``, ``texts``, ``speakers``, ``splits``, ``sample_rate``.

    Args:
        source: ``fsdd.npz``.
        out: file to write.
        test: speaker of the test part.
        validation: speaker of the validation part.
        strings: to train on, as many of each speaker.
        held_out: strings of each of the other parts.
        seed: of everything that is drawn.
    """
    with np.load(source) as z:
        audio, offsets, digits = z["audio"], z["offsets"], z["digit"]
        rate = int(z["sample_rate"])
        names = z["speakers"][z["speaker"]]
    rng = np.random.default_rng(seed)
    trained = [name for name in sorted(set(names.tolist())) if name not in (test, validation)]
    plan = [(name, "train", strings // len(trained)) for name in trained]
    plan += [(validation, "validation", held_out), (test, "test", held_out)]
    pieces, texts, speakers, splits = [], [], [], []
    for name, split, count in plan:
        clips = np.flatnonzero(names == name)
        for _ in range(count):
            joined = np.zeros(LONGEST_S * rate + 1, np.int16)
            while len(joined) > LONGEST_S * rate:
                drawn = rng.choice(clips, rng.integers(3, 7))
                joined = string([audio[offsets[i] : offsets[i + 1]] for i in drawn], rate, rng)
            pieces.append(joined)
            texts.append(" ".join(WORDS[digits[i]] for i in drawn))
            speakers.append(name)
            splits.append(split)
    save(out, pieces, texts, rate, speakers=np.array(speakers), splits=np.array(splits))


def string(clips: list[np.ndarray], rate: int, rng: np.random.Generator) -> np.ndarray:
    """Join clips (int16) with pauses, over noise 60 dB below the loudest sample."""
    parts = [np.zeros(round(rate * rng.uniform(0, 0.25)), np.int16)]
    for clip in clips:
        parts += [clip, np.zeros(round(rate * rng.uniform(0, 0.15)), np.int16)]
    parts.append(np.zeros(round(rate * rng.uniform(0, 0.1)), np.int16))
    joined = np.concatenate(parts).astype(np.float64)
    joined += rng.normal(0, 1e-3 * np.abs(joined).max(), len(joined))
    return np.clip(np.round(joined), -32768, 32767).astype(np.int16)


def yes_and_no(source: Path, out: Path, *, seed: int = 0) -> None:
    """Write yesno's recordings, shuffled: 32 to train on, 8 to validate, 20 to test on."""
    with np.load(source) as z:
        audio, offsets, words, vocab, rate = z["audio"], z["offsets"], z["words"], z["vocab"], int(z["sample_rate"])
    order = np.random.default_rng(seed).permutation(len(words))
    pieces = [audio[offsets[i] : offsets[i + 1]] for i in order]
    texts = [" ".join(vocab[words[i]]) for i in order]
    splits = np.array(["train"] * 32 + ["validation"] * 8 + ["test"] * 20)
    save(out, pieces, texts, rate, splits=splits)


def save(out: Path, pieces: list[np.ndarray], texts: list[str], rate: int, **others: np.ndarray) -> None:
    """Write an npz file that ``netwright search --task speech-recognition`` reads."""
    offsets = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])])
    arrays = {"audio": np.concatenate(pieces), "offsets": offsets, "texts": np.array(texts), **others}
    np.savez(out, sample_rate=np.array(rate), **arrays)
    print(f"{out}: {len(texts)} recordings, {offsets[-1] / rate / 60:.1f} minutes")


def main() -> None:
    """Write what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("which", choices=("fsdd", "yesno"))
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--test", default="lucas")
    parser.add_argument("--validation", default="theo")
    parser.add_argument("--strings", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.which == "yesno":
        yes_and_no(given.source, given.out, seed=given.seed)
    else:
        compose(
            given.source,
            given.out,
            test=given.test,
            validation=given.validation,
            strings=given.strings,
            seed=given.seed,
        )


if __name__ == "__main__":
    main()
