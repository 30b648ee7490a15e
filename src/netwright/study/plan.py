"""How a budget is divided: rungs of the search, and the training of the finalists.

The division depends on the specification and the size of the data, never on a measurement, so that the same search on
a busier machine is the same search as far as it gets. Time only decides when it ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from netwright.strategies.successive_halving import rung_epochs
from netwright.study.equal_time import USEFUL_EPOCHS, full_cost
from netwright.types import Budget

NOMINAL_IMAGES_PER_S = 700.0
"""Images of 28 x 28 pixels that one core trains on in a second with a network of the default space; from
``benchmarks/recipe_fashion_mnist.py``. A wrong figure makes rungs longer or shorter, nothing worse."""

NOMINAL_MACS = 6e6
MOST_FASTER = 4.0
"""Multiply-accumulates of a network that is trained at that rate, and how much faster a small one is at most."""

MOST_SMALLER, SMALLEST_IMAGE = 2.0, 64.0
"""How much faster small images are at most, and their pixels; what costs less is no image (a row of a table), and
is as fast as it says."""

FINAL_SHARE = 0.75
"""Most of a time budget that is kept for the finalists' training, export and check."""

FINALISTS_SHARE = 0.25
MOST_FINALISTS = 5
"""Part of a time budget that finalists are chosen for, where a person gave the length of their training; and most of
them. The best by a short training is not always the best by one three times as long."""

CAUTION = 1.5
"""Where time is plenty, finalists are given this times what their full training should take; the rest searches."""

GRACE = 0.25
"""Most of the search phase's time for which, before its end, nothing new is tried, and for which, after it, what runs
may go on: a training that is killed is lost. Less where the longest training takes less."""

EXPORT_RESERVE_S = 20.0
EXPORT_S = 7.0
"""Wall seconds for starting processes, writing the network and its ONNX file, once the pace of the network is known
(3 s on two idle cores)."""

SCORING, SCORING_PLANNED = 0.8, 0.55
"""Most seconds that scoring an image in the check takes, in both runtimes, for a second of training on it; and what is
planned for it (measured: .2 to .5 on Fashion-MNIST, the least for networks of depthwise convolutions). Where that is
too little fewer images are checked."""

MOST_RESERVED = 0.15
LEAST_AT_PACE, MOST_AT_PACE = 0.08, 0.5
"""Most of a time budget that is kept for export and check, as planned; least (or what was planned, if that is less) and
most once the pace of a network is known."""

FEWEST_FULL = 12
"""Full trainings that a worker could make in a time budget, and from which on the search itself makes them. With fewer,
those that measure the rungs would be most of them."""

NUM_LOWEST = 30
"""Trainings of the lowest rung that a budget of trials or epochs pays for, promotions counted by their epochs."""

FEWEST_COMPARED = 6
"""Networks that a search should compare in its lowest rung, even if they are trained for less than its task wants."""

SHORT_OF, BEYOND = 0.9, 1.25
"""The lowest rung may be this part of what was planned for it, so that the others are powers of eta above it; and the
full training is taken for the highest where it is at most this times as long."""

LENGTH = 0.5
"""The lowest rung of a time budget is this times the root of the shortest useful training times what the search phase
can pay for, in epochs: with more time both the number of networks and what is known of each grow."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a search does with its budget.

    Args:
        min_epochs: training of the lowest rung.
        max_epochs: training of the highest rung.
        eta: one in ``eta`` goes on to the next rung.
        final_epochs: most epochs a finalist is trained for; less where the time is up before.
        num_finalists: networks trained fully at the end; 0 where the trials of the search are.
        search: what the search phase may spend; its time ends earlier than the budget's.
        grace_s: so many wall seconds before the end of the search phase nothing new is tried, and so many after it what
            runs may go on.
        reserve_s: wall seconds kept for export and check.
        equal_time: time will end the full training, of large networks at least, so networks are compared at equal time.
        least_cost: cost of training on an image below which a network gains nothing by being smaller: the full training
            is long enough for it.
        finishes: the finalists are to be trained to their end: once it is known what that takes, the search leaves as
            much time for it.
        final_examples: what the task measures of the best network alone costs, in training examples.
    """

    min_epochs: float
    max_epochs: float
    eta: int
    final_epochs: float
    num_finalists: int
    search: Budget
    grace_s: float
    reserve_s: float
    equal_time: bool
    least_cost: float
    finishes: bool = False
    final_examples: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """How long trainings may be, in epochs: what a person gave, and what the task says.

    Args:
        min_epochs: of the lowest rung, where a person gave it.
        max_epochs: of the longest training there may be, that of the finalists included, where a person gave it.
        full_epochs: of a full training of the task, where it says so and no person does.
        least_epochs: of the lowest rung, where no person says so: with fewer networks are ranked badly. Less, but no
            less than one in ``eta`` of it, where the search could compare hardly any networks else.
        eta: of successive halving.
        halving: trials begin with short trainings; False: all are trained as long as the highest rung.
        climbs: whether the highest rung is the longest training that a person gave, and none is left for the end.
            None: where time is limited, and a worker could make `FEWEST_FULL` such trainings in it.
    """

    min_epochs: float | None = None
    max_epochs: float | None = None
    full_epochs: float | None = None
    least_epochs: float = 0.0
    eta: int = 3
    halving: bool = True
    climbs: bool | None = None

    def full(self, num_images: int) -> float:
        """Epochs of a full training."""
        return self.max_epochs or self.full_epochs or _full_epochs(num_images)


def make_plan(
    budget: Budget,
    *,
    num_images: int,
    pixels: float,
    workers: int,
    macs: float = math.inf,
    lengths: Lengths = Lengths(),  # it is frozen
) -> Plan:
    """Divide a budget.

    Args:
        budget: of the whole search.
        num_images: training examples.
        pixels: of an image, or what an example of another kind costs beside one.
        workers: trials at once.
        macs: most multiply-accumulates of a network.
        lengths: of trainings.
    """
    full, is_given = lengths.full(num_images), lengths.max_epochs is not None
    if budget.trials == 1 and budget.time_s is None:  # the only one is trained fully at once
        return _without_finals(budget, full, full, lengths.eta, 0.0)
    rate = nominal_rate(num_images, pixels, macs) * workers
    num_finalists = _num_finalists(budget, full, rate, lengths.eta if is_given and lengths.halving else None)
    time_s = _search_time_s(budget, full, rate, num_finalists)
    affordable = _affordable_epochs(budget, full) if time_s is None else time_s * rate
    low, high = _rungs(budget, lengths, num_images=num_images, workers=workers, rate=rate, affordable=affordable)
    if is_given and high >= full:
        return _without_finals(budget, low, high, lengths.eta, high * workers / rate)
    ample = _is_ample(budget, full, rate)
    core_s = 0.0 if time_s is None else _final_s(budget, time_s) * workers / num_finalists
    return Plan(
        min_epochs=low,
        max_epochs=high,
        eta=lengths.eta,
        final_epochs=max(high, full if is_given else _payable(budget, full, num_finalists)),
        num_finalists=num_finalists,
        search=_search_part(budget, time_s),
        grace_s=0.0 if time_s is None else min(GRACE * time_s, high * workers / rate),
        reserve_s=_reserve_s(budget),
        equal_time=budget.time_s is not None and (is_given or not ample),
        least_cost=full_cost(core_s, num_images, min(USEFUL_EPOCHS, full)),
        finishes=budget.time_s is not None and (is_given or ample),
    )


def _rungs(
    budget: Budget, lengths: Lengths, *, num_images: int, workers: int, rate: float, affordable: float
) -> tuple[float, float]:
    """Epochs of the lowest and of the highest rung.

    Args:
        budget: of the whole search.
        lengths: of trainings.
        num_images: training examples.
        workers: trials at once.
        rate: epochs a second of all workers together.
        affordable: epochs that the search can pay for.
    """
    eta, full, longest = lengths.eta, lengths.full(num_images), lengths.max_epochs
    shortest = full / eta ** (3 if longest is None else 2)  # so many rungs up to the full training, if time allows
    least = min(lengths.least_epochs, max(affordable / FEWEST_COMPARED, lengths.least_epochs / eta))
    low = max(least, min(shortest, _lowest(budget, affordable, num_images)))
    low = lengths.min_epochs or min(full, _round(low))
    if longest is None:
        high = _highest(low, full, eta, _num_steps(affordable / workers, low, eta))
    else:
        climbs = _fits_a_dozen(budget, longest, rate / workers) if lengths.climbs is None else lengths.climbs
        high = max(low, longest if climbs or not lengths.halving else longest / eta)
    if lengths.halving and lengths.min_epochs is None:
        low = rung_epochs(SHORT_OF * low, high, eta)[0]  # rungs are counted from the highest
    return low, high


def with_final_scores(plan: Plan, budget: Budget, examples: float, rate: float) -> Plan:
    """The plan with time for what its task measures of the best network alone, such as translations.

    Args:
        plan: of the search.
        budget: of the search.
        examples: as of `Plan.final_examples`.
        rate: training examples a second, on one core, as planned.
    """
    if budget.time_s is None or not examples:
        return replace(plan, final_examples=examples)
    more_s = min(examples / rate, max(0.0, MOST_RESERVED * budget.time_s - plan.reserve_s))
    search = plan.search
    if plan.num_finalists == 0 and search.time_s is not None:  # it goes on until all but the reserve is spent
        search = replace(search, time_s=search.time_s - more_s)
    return replace(plan, search=search, reserve_s=plan.reserve_s + more_s, final_examples=examples)


def _payable(budget: Budget, full: float, num_finalists: int) -> float:
    """Epochs of a last training: a budget of epochs pays for these, too, with its other half."""
    return full if budget.epochs is None else min(full, budget.epochs / 2 / num_finalists)


def _fits_a_dozen(budget: Budget, full: float, rate: float) -> bool:
    """Whether a worker can make `FEWEST_FULL` full trainings in a time budget, at so many epochs a second."""
    return budget.time_s is not None and full <= budget.time_s * rate / FEWEST_FULL


def nominal_rate(num_images: int, pixels: float, macs: float = math.inf) -> float:
    """Epochs a second that one core should train a network of the default space.

    Args:
        num_images: training images.
        pixels: of an image.
        macs: most multiply-accumulates of a network: one that is smaller than usual is trained faster, up to a point.

    Example:
        >>> nominal_rate(7000, 784), nominal_rate(7000, 784, macs=3e6)
        (0.1, 0.2)
    """
    speed = min(MOST_SMALLER, 784 / pixels) if pixels >= SMALLEST_IMAGE else 784 / pixels
    faster = min(MOST_FASTER, max(1.0, NOMINAL_MACS / macs))
    return NOMINAL_IMAGES_PER_S * speed * faster / num_images


def search_seconds(plan: Plan, budget: Budget, rate: float) -> float:
    """Wall seconds that the search phase should take; of a budget without time an estimate.

    Args:
        plan: of the search.
        budget: of the search.
        rate: epochs a second of all workers together.
    """
    if plan.search.time_s is not None:
        return plan.search.time_s
    return _affordable_epochs(budget, plan.final_epochs) / rate


def _num_steps(affordable: float, low: float, eta: int) -> int:
    """Rungs above the lowest, where a worker can pay for so many epochs.

    A training of the highest takes a worker at most about a quarter of the search, so that none waits long for its end;
    but there are two rungs, unless a training of the second takes longer than the search.
    """
    least = 1 if affordable >= eta * low else 0
    return max(least, min(3, math.floor(math.log(max(1.0, affordable / 4 / low), eta))))


def _highest(low: float, full: float, eta: int, num_steps: int) -> float:
    """Epochs of the highest rung: so many steps above the lowest, or the full training where that is hardly longer.

    Example:
        >>> _highest(0.34, 41, 3, 1), _highest(14, 120, 3, 2), _highest(80, 150, 3, 1)
        (1.1, 120, 80)
    """
    room = max(0, math.floor(math.log(full / (SHORT_OF * low), eta)))
    above = low * eta ** min(num_steps, room)
    if num_steps >= room and full <= BEYOND * above:
        return max(low, full)  # counted from it the lowest is hardly another
    return max(low, min(full, _rounded_up(above)))


def _without_finals(budget: Budget, low: float, high: float, eta: int, longest_s: float) -> Plan:
    """The plan of a search whose trials are trained as long as a person allows: no training is left for the end."""
    reserve_s, time_s, grace_s = _reserve_s(budget), None, 0.0
    if budget.time_s is not None:
        grace_s = min(GRACE / 2 * (budget.time_s - reserve_s), longest_s)
        time_s = budget.time_s - reserve_s - grace_s  # what runs may go on until all but the reserve is spent
    search = Budget(time_s, budget.trials, budget.epochs)
    return Plan(low, high, eta, high, 0, search, grace_s, reserve_s, equal_time=False, least_cost=0.0)


def _search_time_s(budget: Budget, full: float, rate: float, num_finalists: int) -> float | None:
    """Wall seconds of the search phase."""
    if budget.time_s is None:
        return None
    final_s = FINAL_SHARE * budget.time_s
    if _is_ample(budget, full, rate):
        final_s = min(final_s, CAUTION * num_finalists * full / rate + _reserve_s(budget))
    return budget.time_s - final_s


def _final_s(budget: Budget, search_s: float) -> float:
    """Wall seconds of the finalist's training, as far as they can be planned."""
    assert budget.time_s is not None
    return budget.time_s - search_s - _reserve_s(budget)


def _reserve_s(budget: Budget) -> float:
    return 0.0 if budget.time_s is None else min(EXPORT_RESERVE_S, MOST_RESERVED * budget.time_s)


def reserve_at_pace_s(plan: Plan, budget: Budget, train_s: float, num_scored: int, *, slowness: float = 1.0) -> float:
    """Wall seconds to keep for export and check of a network whose pace is known; little less than was planned.

    More than was planned on a slow machine, which is looked at here alone: plans depend on no measurement.

    Args:
        plan: of the search.
        budget: of the search.
        train_s: measured seconds of training on one image, on one core.
        num_scored: images that the check scores.
        slowness: of the machine, see `netwright.study.machine.Slowness`.
    """
    if budget.time_s is None:
        return plan.reserve_s
    least_s = min(plan.reserve_s, LEAST_AT_PACE * budget.time_s)
    scored_s = train_s * (SCORING_PLANNED * num_scored + plan.final_examples)
    return max(least_s, min(slowness * EXPORT_S + scored_s, MOST_AT_PACE * budget.time_s))


def _affordable_epochs(budget: Budget, full: float) -> float:
    """Epochs that the search phase of a budget without time can pay for."""
    return budget.epochs / 2 if budget.epochs is not None else (budget.trials or 1) * full / 9


def _lowest(budget: Budget, affordable: float, num_images: int) -> float:
    """Epochs of the lowest rung: never fewer than 5,000 images, or all of them."""
    shortest = min(1.0, 5000 / num_images)
    if budget.time_s is None:
        return max(affordable / NUM_LOWEST, shortest)
    return max(LENGTH * math.sqrt(affordable * shortest), shortest)


def _is_ample(budget: Budget, full: float, rate: float) -> bool:
    """Whether the time for final training is enough to train two finalists fully."""
    return budget.time_s is not None and budget.time_s * FINAL_SHARE * rate > 2 * full


def _num_finalists(budget: Budget, full: float, rate: float, eta: int | None = None) -> int:
    """One where the time is short of its full training; else two, so that one may be better than its short training.

    Args:
        budget: of the search.
        full: epochs of the full training.
        rate: epochs a second of all workers together.
        eta: of how many in a rung one goes on, where a person gave the full training and it is the next rung: then as
            many finalists as a part of the time is enough for.
    """
    if budget.time_s is not None:
        if not _is_ample(budget, full, rate):
            return 1
        rest = full if eta is None else full * (1 - 1 / eta)
        return 2 if eta is None else max(2, min(MOST_FINALISTS, int(FINALISTS_SHARE * budget.time_s * rate / rest)))
    return 1 if budget.trials is not None and budget.trials < 6 else 2


def _full_epochs(num_images: int) -> float:
    """Epochs after which a network of the default spaces gains little: more for fewer images."""
    return float(min(60, max(30, round(2.5e6 / num_images))))


def _round(epochs: float) -> float:
    """Two significant digits, so that a plan reads well."""
    return float(f"{epochs:.2g}")


def _rounded_up(epochs: float) -> float:
    """The highest rung in two significant digits; rounded down, the lowest, a power of `eta` below, would be left out.

    Example:
        >>> _rounded_up(1.02), _rounded_up(2.5), _rounded_up(41.0)
        (1.1, 2.5, 41.0)
    """
    digit = 10.0 ** (math.floor(math.log10(epochs)) - 1)
    return float(f"{math.ceil(epochs / digit - 1e-6) * digit:.2g}")


def _search_part(budget: Budget, time_s: float | None) -> Budget:
    finals = 2 if budget.trials is not None and budget.trials >= 6 else 1
    return Budget(
        time_s,
        None if budget.trials is None else max(1, budget.trials - finals),
        None if budget.epochs is None else budget.epochs / 2,
    )
