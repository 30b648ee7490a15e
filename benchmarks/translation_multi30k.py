"""Is an hour's search worth more than an hour of training a hand-made translator? On multi30k; see ``text_arms``.

    python benchmarks/translation_multi30k.py --data multi30k --seeds 0 1 2
    python benchmarks/translation_multi30k.py --data multi30k --target fr --seeds 1 --arms search transformer
    python benchmarks/translation_multi30k.py --data multi30k --budget 10m         # a point of the curve
    python benchmarks/translation_multi30k.py --table

multi30k: github.com/multi30k/dataset, ``data/task1/raw``: 29,000 training pairs, ``val``, ``test_2016_flickr``. BLEU
and chrF are sacreBLEU's defaults: cased, not tokenised. One run takes seeds x arms x budget.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from text_arms import Comparison, run

COMPARISON = Comparison(
    title="Translation of multi30k",
    task="translation",
    arms=("search", "transformer", "transformer-large", "convolutional", "recurrent"),
    metrics=(("bleu", "BLEU"), ("chrf", "chrF"), ("perplexity", "perplexity")),
    higher=True,
    script="translation_multi30k.py",
    reserve_s=45.0,
)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("multi30k"))
    parser.add_argument("--target", choices=("de", "fr"), default="de", help="English is translated into it")
    parser.add_argument("--budget", default="60m")
    run(COMPARISON, parser, lambda given: {"source": "en", "target": given.target, "test": "test_2016_flickr"})


if __name__ == "__main__":
    main()
