"""Text classification: a search and hand-made networks alone, in the same wall time.

    python benchmarks/text_classification.py --budget 5m --seeds 0 1 2 --write docs/figures/text_classification.md
    python benchmarks/text_classification.py --file reviews.csv --seeds 0 --arms search convolutional

The set: who speaks in Shakespeare's plays (tinyshakespeare), of those with `SPEECHES` speeches or more of at least
`WORDS` words; .7 of each one's speeches are trained on. ``--file`` names a file of another set, as the task reads it.
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from pathlib import Path

from at_equal_time import Case, parser, run

REFERENCES = ("bag-of-words", "convolutional", "recurrent", "transformer")
SPEECHES, WORDS = 75, 6


def speeches(source: Path, out: Path) -> Path:
    """Write who says what, a row a speech.

    Args:
        source: ``tinyshakespeare.txt.gz``: speeches between empty lines, the speaker and a colon before each.
        out: ``.csv`` file with the columns ``text`` and ``label``.
    """
    with gzip.open(source, "rt", encoding="utf-8") as file:
        blocks = [block.split(":\n", 1) for block in file.read().split("\n\n")]
    rows = [(" ".join(words), block[0].strip()) for block in blocks if len(block) == 2 and (words := block[1].split())]
    rows = [row for row in rows if len(row[0].split()) >= WORDS]
    counts = Counter(speaker for _, speaker in rows)
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        writer.writerows(row for row in rows if counts[row[1]] >= SPEECHES)
    return out


def main() -> None:
    """Run what the command line asks for."""
    made = parser(__doc__, "text_classification")
    made.add_argument("--file", type=Path, help="another set: a .csv or .tsv file with columns text and label")
    given = made.parse_args()
    if given.file is None:
        file = speeches(given.shared / "text" / "tinyshakespeare.txt.gz", given.jsonl.parent / "speeches.csv")
        cases = [Case("speakers", "text-classification", str(file), "test_accuracy", False, REFERENCES)]
    else:
        cases = [Case(given.file.stem, "text-classification", str(given.file), "test_accuracy", False, REFERENCES)]
    run(cases, given, __doc__)


if __name__ == "__main__":
    main()
