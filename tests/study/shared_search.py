"""A small search whose ladder has shared weights: `python shared_search.py RUN search|resume [MOMENT]`.

With the last word the process ends itself: ``training`` in the middle of the training of the shared weights, as by
SIGKILL, ``interrupt`` there, as by Ctrl-C, ``scoring`` when some networks are scored with them, as by SIGKILL.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import netwright as nw
from netwright import nn
from netwright.evaluation import supernet_trainer
from netwright.study import scoring_phase, supernet_phase


def space() -> nw.SearchSpace:
    """Networks of one to three convolutions that share their widths; 48 of them."""
    width = nw.choice("width", [4, 6, 8, 12])
    kernel = nw.choice("kernel", [1, 3])
    deep = nn.repeat(nw.integer("depth", 1, 3), lambda i: nn.conv_norm_act(width, kernel))
    stem = nn.conv_norm_act(nw.choice("stem", [4, 8]), stride=2)
    return nw.SearchSpace(nn.seq(stem, deep, nn.global_pool(), nn.linear(10)))


def end_in_training(number: int) -> None:
    """Send this process a signal when the training is past its first checkpoint."""
    real, sent = supernet_phase.read_told, []

    def watched(folder: Path) -> supernet_phase.Told | None:
        told = real(folder)
        if told is not None and told.step > 0.35 * told.total and not sent:
            sent.append(number)
            os.kill(os.getpid(), number)
        return told

    supernet_phase.read_told = watched
    supernet_phase._POLL_S = 0.02  # often enough for a training of a second
    supernet_trainer.TOLD_EVERY_S = 0.02


def kill_in_scoring() -> None:
    """End this process as SIGKILL does when the first networks are scored."""
    real = scoring_phase.IsolatedScores.many

    def counted(self: scoring_phase.IsolatedScores, *args: object, **options: object) -> object:
        real(self, *args, **options)  # type: ignore[arg-type]
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    scoring_phase.IsolatedScores.many = counted  # type: ignore[assignment, method-assign]


def run(folder: Path, what: str, **options: object) -> nw.Result:
    """Search, or go on."""
    if what == "resume":
        return nw.resume(folder, space=space())
    lengths = {"min_epochs": 0.3, "max_epochs": 1.0}
    given = {"space": space(), "budget": "12 trials", "strategy": "random", "seed": 3, **lengths, **options}
    return nw.search(task="image-classification", data="digits", ladder="supernet,short,full", out=folder, **given)


if __name__ == "__main__":
    if len(sys.argv) > 3:
        moments = {
            "training": lambda: end_in_training(signal.SIGKILL),
            "interrupt": lambda: end_in_training(signal.SIGINT),
            "scoring": kill_in_scoring,
        }
        moments[sys.argv[3]]()
    run(Path(sys.argv[1]), sys.argv[2])
