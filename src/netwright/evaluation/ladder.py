"""The ladder: from what costs nothing to full training, and how many networks pass each of its rungs.

    constraints   limits on what is known of a network without training it
    proxies       zero-cost proxies on one batch of images
    predictor     a model of the study's own trials
    supernet      networks with weights that all share; only where it is named
    short         the shortest training
    long          longer ones
    full          the longest

What a rung is worth is measured in the run, on networks that were trained further whatever it said of them, and this
file decides what follows from it: how many pass, and whether the rung is dropped. Until there is a measurement, an
assumption stands for it. Pure functions of numbers: knows no trials, no strategies, no clock and no torch.

References:
    W. G. Cochran, 1951, "Improvement by means of selection" (what is gained by selecting through something that is
    correlated with what is wanted). K. Jamieson and A. Talwalkar, 2016, "Non-stochastic best arm identification"
    (halving). How many pass by both costs and correlation, and the verdict against size, are ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from netwright.errors import SpecError, unknown, wrong

SHARED = "supernet"
RUNGS = ("constraints", "proxies", "predictor", SHARED, "short", "long", "full")
ALWAYS = ("constraints", "full")
"""Rungs that every ladder has."""

DEFAULT_RUNGS = tuple(rung for rung in RUNGS if rung != SHARED)
DEFAULT = "default"
NONE = "none"

ASSUMED = 0.3
"""Kendall's tau of a rung that trains no network with a short training, until it is measured."""

ASSUMED_BY = 8
"""Networks that the assumption counts as, beside those that were measured."""

FEWEST = 8
FEWEST_RANDOM = 3
"""Networks that were measured, and of these drawn at random, below which nothing follows from a measurement."""

ENOUGH = 24
"""Networks after which a rung that was not trained for has to be better than size, not merely not known to be worse."""

PROBES_COST = 1 / 3
"""Of what a rung costs, so much may be spent on training networks further whatever the rung said of them."""

PROBE_EVERY = 6
"""Of so many networks that reach a rung, one at most is such a probe.

The place is fixed before anything is known of the network, so that probes are a fair draw of what was tried."""

MANY = 4
"""Probes after which they are half as many."""

FEWEST_NEW = 6
"""Networks, after those that are tried first, that a search must have the time for before scoring is worth it."""

MOST_SCORED = 128
FEWEST_SCORED = 16
"""Networks that are scored by proxies before the search; where there is time for fewer, none are."""

SCORING_SHARE = 0.05
"""Most of the search phase's time that scoring may take, as planned, and `LATE` times as much as it goes."""

LATE = 1.5

LEAST_SEARCH_S = 60.0
"""Seconds of a search phase below which starting the scoring is not worth it."""

SCORE_S = 0.1
SCORE_PIXEL_S = 0.2 / 784
"""Processor seconds of the default proxies on a network of the default space: a constant part, and one a pixel.

Measured on digits (0.11 s) and Fashion-MNIST (0.27 s), 13 networks each, with ``netwright score``; a wrong figure makes
the pool larger or smaller, nothing worse."""


def parse_ladder(text: str) -> tuple[str, ...]:
    """Rungs that a text names, the cheapest first.

    Args:
        text: ``default`` for all but ``supernet``; ``none`` for no ladder; or names, parted by commas.

    Returns:
        Rungs, those that every ladder has included; empty for ``none``.

    Raises:
        SpecError: an unknown rung, or one named twice.

    Example:
        >>> parse_ladder("short,proxies")
        ('constraints', 'proxies', 'short', 'full')
        >>> parse_ladder("none"), parse_ladder("default") == DEFAULT_RUNGS
        ((), True)
    """
    names = [name.strip() for name in text.split(",")]
    if names == [NONE]:
        return ()
    if names == [DEFAULT]:
        return DEFAULT_RUNGS
    for name in names:
        if name in (NONE, DEFAULT):
            raise SpecError(wrong("ladder", text, f"{name} alone, or rungs", f"write {name}, or leave it out"))
        if name not in RUNGS:
            raise SpecError(unknown("rung of the ladder", name, [*RUNGS, DEFAULT, NONE]))
    if len(set(names)) < len(names):
        raise SpecError(wrong("ladder", text, "rungs, each once", "name each once"))
    return tuple(rung for rung in RUNGS if rung in names or rung in ALWAYS)


def training_rungs(rungs: Sequence[str], epochs: Sequence[float]) -> list[float]:
    """Lengths of training that a ladder has, of those that a plan allows.

    Args:
        rungs: of the ladder.
        epochs: of the plan, the shortest first.

    Example:
        >>> training_rungs(("short", "full"), [1.0, 3.0, 9.0]), training_rungs(("full",), [1.0, 3.0, 9.0])
        ([1.0, 9.0], [9.0])
    """
    short = list(epochs[:1]) if "short" in rungs else []
    long = list(epochs[1:-1]) if "long" in rungs else []
    return sorted({*short, *long, epochs[-1]})


def is_probe(place: int, cost_ratio: float = 2.0) -> bool:
    """Whether the network that reached a rung at this place (from 1) is trained further in any case.

    Args:
        place: from 1.
        cost_ratio: what a network costs above the rung, for each unit that it costs at it; > 0.

    Example:
        >>> [place for place in range(1, 60) if is_probe(place)]
        [3, 9, 15, 21, 27, 39, 51]
        >>> [place for place in range(1, 60) if is_probe(place, cost_ratio=8.0)]
        [12, 36]
    """
    every = max(PROBE_EVERY, round(cost_ratio / PROBES_COST))
    first = every // 2
    return place % (every if place <= MANY * every else 2 * every) == first


def probes_are_rare(cost_ratio: float) -> bool:
    """Whether probes are fewer than one in `PROBE_EVERY`, since going on is dear, so that a verdict comes late.

    Args:
        cost_ratio: what a network costs above the rung, for each unit that it costs at it; > 0.

    Example:
        >>> probes_are_rare(2.0), probes_are_rare(16.0)
        (False, True)
    """
    return round(cost_ratio / PROBES_COST) > PROBE_EVERY


def believed(tau: float, num: int, assumed: float = ASSUMED) -> float:
    """A correlation to act on: the measured one and the assumed one, by how much stands behind each.

    Args:
        tau: measured; NaN where nothing is.
        num: networks it was measured on.
        assumed: without a measurement.

    Example:
        >>> believed(float("nan"), 0), believed(0.7, 24)
        (0.3, 0.6)
    """
    if math.isnan(tau):
        return assumed
    return round((num * tau + ASSUMED_BY * assumed) / (num + ASSUMED_BY), 12)


def passing_share(tau: float, cost_ratio: float, budget: float = 30.0, most: int = 9) -> float:
    """The share of networks that should pass a rung, so that the best one that passed is as good as it can be.

    The more a rung costs beside the next one, and the less it says of that, the more pass. Both numbers of a network,
    at the rung and above it, are taken for normal with the correlation that goes with tau.

    Args:
        tau: Kendall's tau between the rung and the next one.
        cost_ratio: what a network costs above the rung, for each unit that it costs at it; > 0.
        budget: to spend on both, in costs of the rung.
        most: at least one in so many passes.

    Returns:
        One over a whole number, in [1 / most, 1]; 1 where the rung says nothing.

    Example:
        >>> [round(1 / passing_share(tau, cost_ratio=2.0)) for tau in (0.0, 0.3, 0.5, 0.8)]
        [1, 3, 6, 9]
    """
    gains = []
    for one_in in range(1, most + 1):
        num = budget / (1 + cost_ratio / one_in)
        if one_in > 1 and num / one_in < 1:
            break
        gains.append((_expected_best(1 / one_in, tau, num), -one_in))
    return -1 / max(gains)[1]


def _expected_best(share: float, tau: float, num: float) -> float:
    """Expected best of those that pass, in deviations: what selecting moves the mean by, and the best of the rest."""
    normal = NormalDist()
    if share >= 1:
        return _largest_of(num)
    correlation = math.sin(math.pi / 2 * max(0.0, tau))  # of normal numbers with this tau
    cut = normal.inv_cdf(1 - share)
    intensity = normal.pdf(cut) / share
    left = 1 - correlation**2 * intensity * (intensity - cut)
    return correlation * intensity + math.sqrt(left) * _largest_of(share * num)


def _largest_of(num: float) -> float:
    """Expected largest of so many normal numbers, about (G. Blom, 1958)."""
    return NormalDist().inv_cdf((num - 0.375) / (num + 0.25)) if num > 1 else 0.0


def score_seconds(pixels: float) -> float:
    """Nominal processor seconds of scoring a network by the default proxies.

    Args:
        pixels: of an image.
    """
    return SCORE_S + SCORE_PIXEL_S * pixels


def num_to_score(search_s: float, workers: int, pixels: float, training_s: float, num_first: int = 0) -> int:
    """How many networks are scored by proxies before the search; 0 where there is no time for enough of them.

    As many as the selection is worth at the assumed correlation, within a share of the time. It depends on the
    specification and nominal costs, never on a measurement, so that the same search is the same on a slower machine.

    Args:
        search_s: planned wall seconds of the search.
        workers: at once.
        pixels: of an image.
        training_s: nominal processor seconds of the shortest training.
        num_first: networks that are tried before any of these; none are scored if hardly more than they fit in.

    Example:
        >>> num_to_score(150.0, 2, 784, 12.0), num_to_score(10.0, 1, 64, 1.0), num_to_score(9000.0, 1, 784, 60.0)
        (49, 0, 128)
    """
    score_s = score_seconds(pixels)
    num_new = search_s * workers / training_s / 2 - num_first  # about as much goes to longer trainings
    if search_s < LEAST_SEARCH_S or num_new < FEWEST_NEW:
        return 0
    budget = search_s * workers / score_s
    share = passing_share(ASSUMED, training_s / score_s, budget, most=MOST_SCORED)
    wanted = budget / (1 + share * training_s / score_s)
    num = int(min(MOST_SCORED, SCORING_SHARE * budget - 1e-9, wanted))  # 50.0 may be a little more by a rounding
    return num if num >= FEWEST_SCORED else 0


def misleads(upper: float, size_tau: float) -> bool:
    """Whether a rung is known to rank worse than size does, or than chance where no size is known.

    Args:
        upper: upper end of the interval of its correlation.
        size_tau: correlation of the size, either way round; NaN where there is none.
    """
    return upper < (0.0 if math.isnan(size_tau) else abs(size_tau)) - 1e-6


def is_worth_nothing(tau: float, upper: float, size_tau: float, num: int) -> bool:
    """Whether a rung that trains nothing is dropped: it misleads, or after enough networks is no better than size.

    Args:
        tau: its correlation.
        upper: upper end of its interval.
        size_tau: correlation of the size, either way round; NaN where there is none.
        num: networks measured.
    """
    no_better = not math.isnan(size_tau) and tau <= abs(size_tau)
    return misleads(upper, size_tau) or (num >= ENOUGH and no_better)
