"""Is a search worth more than as much training of a hand-made language model? See ``text_arms``.

    python benchmarks/language_model.py --data tinyshakespeare.txt.gz --seeds 0 1 2
    python benchmarks/language_model.py --data wikitext2 --units subwords --seeds 1 --arms search
    python benchmarks/language_model.py --table

A text file is cut into 90, 5 and 5 %, one after the other; a folder has train.txt and test.txt (of WikiText-2 what is
called valid, and test). One run takes seeds x arms x budget.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from text_arms import Comparison, run

COMPARISON = Comparison(
    title="Language modelling",
    task="language-model",
    arms=("search", "transformer", "transformer-large", "recurrent"),
    metrics=(("bits_per_character", "bits a character"), ("perplexity", "perplexity of a token")),
    higher=False,
    script="language_model.py",
)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("tinyshakespeare.txt.gz"))
    parser.add_argument("--units", choices=("characters", "subwords"), default="characters")
    parser.add_argument("--budget", default="20m")
    run(COMPARISON, parser, lambda given: {"units": given.units})


if __name__ == "__main__":
    main()
