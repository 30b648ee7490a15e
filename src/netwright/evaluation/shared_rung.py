"""The rung of shared weights: how long they are trained, and how many networks are scored with them.

It costs a fifth of the time that a search has for trying networks, so it is there only where a person names it. Like
the rest of the ladder it is planned from the specification and nominal costs, never from a measurement. Pure functions
of numbers: knows no trials, no clock and no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from netwright.evaluation.ladder import FEWEST_SCORED, LATE, MOST_SCORED

TRAINED_SHARE = 0.2
"""Part of the search phase's time that trains the shared weights."""

SCORED_SHARE = 0.05
"""Part of it that scores networks with them, as planned, and `LATE` times as much as it goes."""

LEAST_TRAINED_S = 45.0
"""Wall seconds below which training them is not worth it: a few hundred steps on an idle core. On a busy one 31 s were
only 3 steps, since starting the process and looking at the space takes its time, too."""

MOST_EPOCHS = 4.0
LEAST_EPOCHS = 2.0
"""Passes over the data, in full trainings of one network and as such: most always, least without a limit of time."""

BUILT_S = 0.1
SCORED_IMAGE_S = 1 / 2100
"""Processor seconds of building a network, and of looking at an image of 28 x 28 pixels: a third of a training step."""


@dataclass(frozen=True, slots=True)
class SharedPlan:
    """What the rung spends.

    Args:
        epochs: passes over the data, at most.
        until_s: wall seconds of the search after which the training must have ended; None for as long as it takes.
        num: networks that are scored, beside those that the search tries in any case.
        most_s: wall seconds that scoring may take; None for as long as it takes.
        why_not: why there is no such rung; empty where there is.
    """

    epochs: float
    until_s: float | None
    num: int
    most_s: float | None
    why_not: str = ""


def plan_shared(
    search_s: float,
    *,
    is_limited: bool,
    workers: int,
    rate: float,
    full: float,
    score_s: float,
    num_first: int = 0,
) -> SharedPlan:
    """Plan the rung.

    Args:
        search_s: planned wall seconds of the search phase.
        is_limited: whether these are a limit, and not an estimate.
        workers: at once.
        rate: epochs a second of training one network on one core.
        full: epochs of the full training of a network.
        score_s: processor seconds of scoring a network with shared weights.
        num_first: networks that are tried, and scored, in any case.

    Example:
        >>> costs = {"workers": 2, "rate": 0.0125, "full": 30.0, "score_s": 0.8}
        >>> plan_shared(300.0, is_limited=True, **costs)
        SharedPlan(epochs=120.0, until_s=60.0, num=37, most_s=22.5, why_not='')
        >>> plan_shared(45.0, is_limited=True, **costs).why_not
        'its training would have 9 s of the 45 s for trying networks, and needs 45; give a larger budget'
        >>> plan_shared(45.0, is_limited=False, **costs)
        SharedPlan(epochs=2.0, until_s=None, num=16, most_s=None, why_not='')
    """
    trained_s, most = TRAINED_SHARE * search_s, MOST_EPOCHS * full
    num = min(MOST_SCORED, int(SCORED_SHARE * search_s * workers / score_s + 1e-9))
    if not is_limited:
        epochs = min(most, max(LEAST_EPOCHS, float(f"{trained_s * rate * workers:.2g}")))
        return SharedPlan(epochs, None, max(FEWEST_SCORED, num), None)
    why_not = ""
    if trained_s < LEAST_TRAINED_S:
        had = f"{trained_s:.0f} s of the {search_s:.0f} s for trying networks"
        why_not = f"its training would have {had}, and needs {LEAST_TRAINED_S:.0f}; give a larger budget"
    elif num + num_first < FEWEST_SCORED:
        had = f"there would be time to score {num + num_first} networks"
        why_not = f"{had}, and it needs {FEWEST_SCORED}; give a larger budget"
    return SharedPlan(most, trained_s, num, round(LATE * SCORED_SHARE * search_s, 1), why_not)


def score_seconds(pixels: float, num_images: int) -> float:
    """Nominal processor seconds of scoring a network with shared weights.

    Args:
        pixels: of an image.
        num_images: looked at, those on which statistics of norms are measured included.
    """
    return BUILT_S + SCORED_IMAGE_S * num_images * pixels / 784
