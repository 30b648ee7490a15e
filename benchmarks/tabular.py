"""Tables: a search, hand-made networks alone, and a gradient-boosted forest, in the same wall time.

    python benchmarks/tabular.py --budget 10m --seeds 0 1 2 --write docs/figures/tabular.md
    python benchmarks/tabular.py --sets phoneme --seeds 0 --arms search rival

The forest is scikit-learn's HistGradientBoosting with the number of trees chosen on the validation part; it takes
seconds, and no budget makes it better. Sets: adult (UCI, its own test part; accuracy), phoneme (OpenML; accuracy), wine
(UCI winequality-white; RMSE); others, which are not among the targets, by ``--sets``: abalone, german, mammography.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from at_equal_time import Case, parser, run

REFERENCES = ("mlp", "resnet", "ft-transformer")
TARGETS = ("adult", "phoneme", "wine")


def cases(shared: Path, adult: Path) -> list[Case]:
    """The sets; the two files of adult lie in a folder of their own."""
    for part in ("train", "test"):
        shutil.copy(shared / "tabular" / f"adult-{part}.csv.gz", adult)

    def of(name: str, task: str, file: str, metric: str) -> Case:
        least = metric in ("test_rmse", "test_log_loss")
        return Case(name, task, file, metric, least, REFERENCES, rival="gradient-boosted forest")

    def file(name: str) -> str:
        return str(shared / "tabular" / f"{name}.csv.gz")

    return [
        of("adult", "tabular-classification", str(adult), "test_accuracy"),
        of("phoneme", "tabular-classification", file("phoneme"), "test_accuracy"),
        of("wine", "tabular-regression", file("winequality-white"), "test_rmse"),
        of("abalone", "tabular-regression", file("abalone"), "test_rmse"),
        of("german", "tabular-classification", file("german"), "test_accuracy"),
        of("mammography", "tabular-classification", file("mammography"), "test_auc"),
    ]


def main() -> None:
    """Run what the command line asks for."""
    given = parser(__doc__, "tabular").parse_args()
    given.sets = given.sets or list(TARGETS)
    with tempfile.TemporaryDirectory() as folder:
        run(cases(given.shared, Path(folder)), given, __doc__)


if __name__ == "__main__":
    main()
