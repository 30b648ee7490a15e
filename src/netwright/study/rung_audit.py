"""Did a cheap rung rank networks as the next one did? Measured on the networks of a study that had both.

A search rests on the answer, and it differs from data set to data set; so it is told with the result. Networks that
were promoted for what they scored say little of all (range restriction), so a few are trained further whatever they
scored (origin ``probe``), and stand for those that were not. Pure functions of numbers and of a history.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import numpy as np

from netwright.evaluation.ladder import FEWEST_RANDOM, misleads
from netwright.strategies.rung_monitor import fisher_interval, rank_correlation
from netwright.types import Architecture, Fidelity, Json, Metrics, Objective, Trial, TrialState

FEWEST = 4
"""Networks trained at both lengths below which nothing is said."""

SIZES = ("params", "macs")
"""The baselines: the one that goes with the numbers best, either way round, is compared with."""

PROBE = "probe"
"""Origin of networks that were trained further whatever they had scored."""

TOP = 0.1
FEWEST_TOP = 10
"""Share of the best that is looked at once more, and networks below which nothing is said of it."""

MOST = 400
"""Networks that a correlation is made of at most, the newest."""

Z_90 = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class RungAgreement:
    """How the order of networks by a cheap rung agrees with that by the next one.

    Args:
        low: the shorter training; or the name of a rung that trains nothing.
        high: the next longer training.
        num: networks that had both. Without random ones they were chosen for doing well at the lower one, so that the
            correlation over all networks is higher than this one.
        tau: Kendall's tau-b between their numbers; where there are random ones an estimate for all networks of the
            lower rung.
        lower: lower end of its 90 % interval.
        upper: upper end.
        size_tau: the same between the number of parameters (or the MACs) and the number at ``high``: what knowing the
            size alone gives, either way round; NaN where sizes are not measured or all equal.
        num_random: of the networks, those that had both whatever the lower rung said.
        top: of the best tenth at ``high``, the share that is in the best tenth at ``low``; NaN for fewer than ten.
        top_lower: lower end of its 90 % interval.
        top_upper: upper end.
        passing: share that the ladder lets pass; NaN where nothing decides that.
        dropped: the ladder stopped using the lower rung.
    """

    low: Fidelity | str
    high: Fidelity
    num: int
    tau: float
    lower: float
    upper: float
    size_tau: float
    num_random: int = 0
    top: float = math.nan
    top_lower: float = math.nan
    top_upper: float = math.nan
    passing: float = math.nan
    dropped: bool = False

    @property
    def misleads(self) -> bool:
        """Whether the lower rung is known to rank worse than the size does."""
        return not math.isnan(self.size_tau) and misleads(self.upper, self.size_tau)

    def to_dict(self) -> dict[str, Json]:
        """JSON object for scripts; null for a number that there is not."""
        return {
            "low": self.low if isinstance(self.low, str) else self.low.epochs,
            "high": self.high.epochs,
            "networks": self.num,
            "random": self.num_random,
            "tau": self.tau,
            "lower": self.lower,
            "upper": self.upper,
            "top": _json(self.top),
            "top_lower": _json(self.top_lower),
            "top_upper": _json(self.top_upper),
            "size_tau": _json(self.size_tau),
            "passing": _json(self.passing),
            "misleads": self.misleads,
            "dropped": self.dropped,
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Json]) -> RungAgreement:
        """Read what `to_dict` gave.

        Raises:
            KeyError: something is missing.
        """
        number = {name: _number(given[name]) for name in ("top", "top_lower", "top_upper", "size_tau", "passing")}
        tau, lower, upper = (_number(given[name]) for name in ("tau", "lower", "upper"))
        low, high = given["low"], given["high"]
        return cls(
            low if isinstance(low, str) else Fidelity(cast("float | None", low)),
            Fidelity(cast("float | None", high)),
            int(_number(given["networks"])),
            tau,
            lower,
            upper,
            num_random=int(_number(given["random"])),
            dropped=given["dropped"] is True,
            **number,
        )

    def __str__(self) -> str:
        random = f", {self.num_random} of them at random" if self.num_random else ""
        numbers = f"{self.tau:.2f} (90 %: {self.lower:.2f} to {self.upper:.2f}, {self.num} networks{random})"
        top = ""
        if not math.isnan(self.top):
            top = f"; of the best tenth it finds {self.top:.0%} (90 %: {self.top_lower:.0%} to {self.top_upper:.0%})"
        size = "" if math.isnan(self.size_tau) else f"; their size alone: {abs(self.size_tau):.2f}"
        passing = "" if math.isnan(self.passing) else f"; one in {1 / self.passing:.3g} passes"
        who = "THE SHORT ONES MISLEAD" if isinstance(self.low, Fidelity) else f"THE {self.low.upper()} MISLEADS"
        verdict = f": {who}" if self.misleads else ""
        dropped = "; dropped" if self.dropped else ""
        between = f"{_length(self.low)} against {_length(self.high)}"
        return f"{between}: rank correlation {numbers}{top}{passing}{size}{verdict}{dropped}"


def rung_agreements(trials: Sequence[Trial], objective: Objective) -> tuple[RungAgreement, ...]:
    """Compare each length of training with the next longer one, over the networks that had both.

    Args:
        trials: of a study.
        objective: what is compared.

    Returns:
        One for each two neighbouring lengths that at least `FEWEST` networks had, the shortest first.
    """
    values: dict[Fidelity, dict[Architecture, float]] = {}
    random: dict[Fidelity, set[Architecture]] = {}
    sizes: dict[Architecture, Metrics] = {}
    for trial in trials:
        if trial.metrics.get("epochs") == 0 and trial.fidelity.epochs is None:
            continue  # scored with shared weights, which are no length of training
        if trial.state is TrialState.FINISHED and objective.metric in trial.metrics:
            values.setdefault(trial.fidelity, {})[trial.architecture] = (
                -objective.sign * trial.metrics[objective.metric]
            )
            sizes[trial.architecture] = trial.metrics
            if trial.proposal.origin == PROBE:
                random.setdefault(trial.fidelity, set()).add(trial.architecture)
    lengths = sorted(values, key=lambda fidelity: fidelity.cost)
    found = (
        measure_agreement(low, high, values[low], values[high], sizes, random.get(high, ()))
        for low, high in pairwise(lengths)
    )
    return tuple(agreement for agreement in found if agreement is not None)


def measure_agreement(
    low: Fidelity | str,
    high: Fidelity,
    below: Mapping[Architecture, float],
    above: Mapping[Architecture, float],
    sizes: Mapping[Architecture, Metrics],
    random: Collection[Architecture] = (),
) -> RungAgreement | None:
    """Compare two rungs over the networks that had both.

    Args:
        low: the cheaper one.
        high: the next one.
        below: numbers at the cheaper one, larger is better; those that are NaN are worst.
        above: numbers at the next one.
        sizes: metrics of each network, the sizes among them where they are known.
        random: networks that had the next one whatever the cheaper one said.

    Returns:
        None of fewer than `FEWEST` networks, or where all are equal at the next one.
    """
    both = [architecture for architecture in above if architecture in below][-MOST:]
    if len(both) < FEWEST:
        return None
    weights = _weights(both, below, random)
    lows, highs = (np.array([numbers[a] for a in both], dtype=np.float64) for numbers in (below, above))
    lows = np.where(np.isnan(lows), -np.inf, lows)
    tau, error = _weighted_correlation(_order(lows), highs, weights)
    if math.isnan(tau):
        return None
    columns = [np.array([sizes[a].get(name, math.nan) if a in sizes else math.nan for a in both]) for name in SIZES]
    known = [column for column in columns if np.isfinite(column).all() and np.ptp(column) > 0]
    of_sizes = [_weighted_correlation(column, highs, weights)[0] for column in known]
    size_tau = max(of_sizes, key=abs, default=math.nan)
    num_random = sum(a in random for a in both)
    sure = 1 - 2 / (len(both) * (len(both) - 1))  # one comparison more could be the first that disagrees
    lower, upper = fisher_interval(min(sure, max(-sure, tau)), error)
    interval = min(lower, tau), max(upper, tau)
    return RungAgreement(low, high, len(both), tau, *interval, size_tau, num_random, *_top(lows, highs))


def _weights(
    both: Sequence[Architecture], below: Mapping[Architecture, float], random: Collection[Architecture]
) -> np.ndarray:
    """For how many networks of the cheaper rung each of those that had both stands; shape (n,).

    Those that went on for what they scored are all there and stand for themselves. Of the others there are only those
    that were drawn at random, who stand for all of them: each with the inverse of its chance (D. Horvitz and D.
    Thompson, 1952). With fewer than three at random all stand for themselves.
    """
    drawn = [a for a in both if a in random]
    ones = np.ones(len(both))
    if len(drawn) < FEWEST_RANDOM or len(drawn) == len(both):
        return ones
    num_best = round((len(both) - len(drawn)) / (1 - len(drawn) / len(below)))
    cut = sorted(below.values(), reverse=True)[max(0, num_best - 1)]
    others = {a for a in drawn if below[a] < cut}  # the rest of the drawn would have gone on in any case
    if not others:
        return ones
    weight = (len(below) - len(both) + len(others)) / len(others)
    return np.array([weight if a in others else 1.0 for a in both])


def _weighted_correlation(below: np.ndarray, above: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Kendall's tau-b, each comparison weighted by both networks, and its standard error under independence.

    The error is that of as many equally weighted networks as the weights are worth (L. Kish, 1965).

    Args:
        below: numbers, shape (n,).
        above: numbers of the same, shape (n,).
        weights: > 0, shape (n,).
    """
    everyone = np.ones(len(weights), dtype=bool)
    tau, error = rank_correlation(below, above, everyone)
    if math.isnan(tau) or np.ptp(weights) == 0 or not np.ptp(below):
        return tau, error
    pairs = np.outer(weights, weights)
    left, right = (np.sign(v[:, None] - v[None, :]) for v in (below, above))
    norm = math.sqrt(float((pairs * left**2).sum()) * float((pairs * right**2).sum()))
    worth = float(weights.sum()) ** 2 / float((weights**2).sum())
    return float((pairs * left * right).sum()) / norm, error * math.sqrt(_variance(worth) / _variance(len(weights)))


def _variance(num: float) -> float:
    """Of tau between independent rankings (M. Kendall, 1938)."""
    return 2 * (2 * num + 5) / (9 * num * max(1.0, num - 1))


def _order(column: np.ndarray) -> np.ndarray:
    """Places in the order, so that infinite numbers can be compared: equal numbers have equal places."""
    return np.unique(column, return_inverse=True)[1].astype(np.float64)


def _top(lows: np.ndarray, highs: np.ndarray) -> tuple[float, float, float]:
    """Share of the best tenth above that is in the best tenth below, with its 90 % interval.

    References:
        E. B. Wilson, 1927, "Probable inference, the law of succession, and statistical inference" (the interval).
    """
    if len(highs) < FEWEST_TOP:
        return math.nan, math.nan, math.nan
    num = math.ceil(TOP * len(highs))
    best = (set(np.argsort(-column, kind="stable")[:num].tolist()) for column in (lows, highs))
    share = len(set.intersection(*best)) / num
    centre = (share + Z_90**2 / (2 * num)) / (1 + Z_90**2 / num)
    half = Z_90 * math.sqrt(share * (1 - share) / num + Z_90**2 / (4 * num**2)) / (1 + Z_90**2 / num)
    return share, max(0.0, centre - half), min(1.0, centre + half)


def _length(rung: Fidelity | str) -> str:
    if isinstance(rung, str):
        return f"the {rung}"
    return "full trainings" if rung.epochs is None else f"{rung.epochs:.3g} epochs"


def _json(value: float) -> Json:
    return None if math.isnan(value) else value


def _number(value: Json) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan
