"""Which recordings are trained on, which compare networks, and which are read at the end: by column, or by speaker.

Where the data says nothing, speakers are kept apart if they are known: a network is to understand people it has not
heard. Knows no sound.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from netwright.errors import DataError, one_line, shorten
from netwright.tasks.speech_recognition.recordings import Recording
from netwright.tasks.splits import TEST_SEED, TEST_SHARE

Parts = dict[str, list[Recording]]
NAMES = ("train", "validation", "test")
_VALIDATION_SHARE = 0.15
_FEWEST_SPEAKERS = 3
"""One for each part; with fewer, recordings are drawn whoever speaks."""


def split_recordings(recordings: Sequence[Recording], seed: int) -> tuple[Parts, list[str]]:
    """Sort recordings into parts; what is not given is split off the training part.

    Args:
        recordings: all.
        seed: of the validation split; the test split does not depend on it.

    Returns:
        The parts, and notes for people.

    Raises:
        DataError: some have a split and some have none, or a part would be empty.
    """
    marked = [recording for recording in recordings if recording.split]
    if marked and len(marked) < len(recordings):
        first = next(recording for recording in recordings if not recording.split)
        raise DataError(f"{first.where}: has no split, but {len(marked)} recordings have one; give all or none a split")
    parts: Parts = {name: [r for r in recordings if (r.split or "train") == name] for name in NAMES}
    notes, fewest = [], _FEWEST_SPEAKERS
    for name, share, its_seed in (("test", TEST_SHARE, TEST_SEED), ("validation", _VALIDATION_SHARE, seed)):
        if not parts[name]:
            parts["train"], parts[name], drawn = _split_off(parts["train"], share, its_seed, fewest)
            told = one_line(shorten(", ".join(drawn)))
            how = f"by speaker (seed {its_seed}: {told})" if drawn else f"at random (seed {its_seed})"
            notes.append(f"the {name} part ({len(parts[name])}) is split off {how}")
            fewest -= bool(drawn)
    for name in ("validation", "test"):
        shared = {r.speaker for r in parts["train"] if r.speaker} & {r.speaker for r in parts[name]}
        if shared:
            notes.append(f"{len(shared)} speakers are in the training and in the {name} part")
    if not parts["train"] or not parts["validation"]:
        raise DataError(f"{len(recordings)} recordings are too few for a training, a validation and a test part")
    return parts, notes


def _split_off(
    recordings: list[Recording], share: float, seed: int, fewest: int
) -> tuple[list[Recording], list[Recording], list[str]]:
    """What is kept, what is taken, and of which speakers; of none where there are fewer than ``fewest``."""
    rng = np.random.default_rng(seed)
    counts = Counter(recording.speaker for recording in recordings if recording.speaker)
    if len(counts) >= fewest:
        drawn = _drawn(counts, share * len(recordings), len(counts) + 1 - fewest, rng)
        kept = [r for r in recordings if r.speaker not in drawn]
        return kept, [r for r in recordings if r.speaker in drawn], sorted(drawn)
    taken = set(rng.permutation(len(recordings))[: max(1, round(share * len(recordings)))].tolist())
    kept = [r for i, r in enumerate(recordings) if i not in taken]
    return kept, [r for i, r in enumerate(recordings) if i in taken], []


def _drawn(counts: Mapping[str, int], wanted: float, most: int, rng: np.random.Generator) -> set[str]:
    """Speakers drawn at random whose recordings come near a number: each that brings their sum nearer is taken.

    Args:
        counts: recordings of each speaker.
        wanted: recordings.
        most: speakers that may be drawn, >= 1.
        rng: gives the order in which they are looked at.

    Example:
        >>> _drawn({"a": 90, "b": 5, "c": 5}, 20, 1, np.random.default_rng(0)) <= {"b", "c"}
        True
    """
    speakers = sorted(counts)
    order = [speakers[i] for i in rng.permutation(len(speakers))]
    drawn, total = set[str](), 0
    for speaker in order:
        if len(drawn) < most and abs(total + counts[speaker] - wanted) < abs(total - wanted):
            drawn.add(speaker)
            total += counts[speaker]
    return drawn or {min(order, key=lambda speaker: counts[speaker])}
