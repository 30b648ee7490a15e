"""The end of a search, as pure functions of its history.

Which networks are trained fully, which one is best, and how it compares with the hand-made references.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence

from netwright.strategies.operators import pareto_rank
from netwright.study.equal_time import loss_at_equal_time
from netwright.study.result import Comparison
from netwright.types import Architecture, Constraint, Objective, Trial, TrialState, best_first

FINAL = "final"
"""Origin of trials that no strategy asked for: the last trainings of a search."""

REFERENCE = "reference:"
PORTFOLIO = "portfolio"

DOUBT = 0.03
"""How much lower a loss that leads after a short training is expected to be than the same network's would be if it had
not been picked for it, relative. The best of several noisy numbers is too good, and a network that the search proposed
is picked for its number; a hand-made one is not. Two that led after 0.3 epochs of Fashion-MNIST by 2.0 and 2.4 % were
1.2 and 2.4 % behind the hand-made one when both had been trained for ten minutes (`docs/figures.md`)."""

AROUND_S = 4.0
"""Wall seconds that a last training takes beside its steps, at most: a process is started, the network is scored."""

SHARED = 0.8
"""What a further process adds to the speed of a training that shares its steps among several, at best."""


def keeps(trial: Trial, constraints: Sequence[Constraint]) -> bool:
    """Whether a trial finished and keeps all limits on what it measured."""
    return trial.state is TrialState.FINISHED and all(
        limit.holds(trial.metrics[limit.metric]) for limit in constraints if limit.metric in trial.metrics
    )


def feasible(trials: Iterable[Trial], constraints: Sequence[Constraint]) -> list[Trial]:
    """Finished trials that keep all limits."""
    return [trial for trial in trials if keeps(trial, constraints)]


def choose_finalists(
    trials: Sequence[Trial],
    objective: Objective,
    count: int,
    *,
    equal_time: bool = False,
    least_cost: float = 0.0,
    in_time: Callable[[Sequence[Trial]], Sequence[Trial]] | None = None,
) -> list[Trial]:
    """The trials whose networks are trained fully, best first, one for each architecture.

    A trial at a higher fidelity goes before any at a lower one: numbers after different training cannot be compared,
    and successive halving has brought the better ones up.

    Args:
        trials: feasible ones.
        objective: what decides.
        count: how many at most.
        equal_time: time will end the full training: the loss expected after equal time decides, see `equal_time`, and
            networks that were not made by hand have to be better by more than `DOUBT`.
        least_cost: see `netwright.study.equal_time.loss_at_equal_time`.
        in_time: orders trials of one fidelity, best first, by what time allows of their full trainings; see
            `netwright.study.unfinished`.

    References:
        J. Smith and R. Winkler, 2006, "The Optimizer's Curse" (what leads by a noisy number is worse than it).
    """
    chosen: dict[Architecture, Trial] = {}
    vetted = {t.architecture for t in trials if t.proposal.origin.startswith((REFERENCE, PORTFOLIO))}
    for cost in sorted({t.fidelity.cost for t in trials}, reverse=True):
        ranked = best_first((t for t in trials if t.fidelity.cost == cost), objective)
        if equal_time:
            ranked.sort(key=lambda t: _doubted(t, loss_at_equal_time(t.metrics, least_cost) or 0.0, vetted))
        elif in_time is not None:
            ranked = list(in_time(ranked))
        for trial in ranked:
            if len(chosen) < count:
                chosen.setdefault(trial.architecture, trial)
    return list(chosen.values())


def _doubted(trial: Trial, loss: float, vetted: Collection[Architecture]) -> float:
    return loss if trial.architecture in vetted else loss * (1 + DOUBT)


def waiting_finalists(
    ranked: Sequence[Trial],
    trials: Iterable[Trial],
    constraints: Sequence[Constraint],
    count: int,
    *,
    replace: bool = True,
) -> list[Trial]:
    """The finalists whose last training is still to be made.

    Args:
        ranked: trials of the search, best first, see `choose_finalists`.
        trials: the whole history, last trainings included.
        constraints: limits.
        count: networks that are to be trained fully.
        replace: let the next one take the place of one whose last training failed.
    """
    ended: dict[Architecture, bool] = {}
    for trial in trials:
        if trial.proposal.origin == FINAL:
            ended[trial.architecture] = ended.get(trial.architecture, False) or keeps(trial, constraints)
    waiting, places = [], count
    for trial in ranked:
        if places == 0:
            break
        if trial.architecture not in ended:
            waiting.append(trial)
        places -= ended.get(trial.architecture, True) or not replace
    return waiting


def shared_speed(processes: int) -> float:
    """How many times as fast a training is that so many processes share, at best.

    Example:
        >>> shared_speed(1), shared_speed(2)
        (1.0, 1.8)
    """
    return 1 + SHARED * (processes - 1)


def expected_epochs(trials: Sequence[Trial], time_s: float, speed: float, kept: float) -> float:
    """Epochs that a last training comes to in a given time, at best; infinite where no pace is known.

    Args:
        trials: of this network, finished.
        time_s: wall seconds.
        speed: times as fast as the trials, see `shared_speed`.
        kept: share of the longest training that need not be made again.
    """
    known = [(t.metrics["epochs"], t.metrics["train_time_s"]) for t in trials if t.metrics.get("epochs", 0.0) > 0]
    if not known:
        return math.inf
    pace_s = max(train_s / epochs for epochs, train_s in known)  # one that went on from another seems faster than it is
    if pace_s <= 0:
        return math.inf
    return kept * longest_training(trials) + time_s * speed / pace_s


def needed_s(trials: Sequence[Trial], epochs: float, speed: float, kept: float) -> float:
    """Wall seconds that a last training of so many epochs takes; infinite where no pace is known.

    Args:
        trials: of this network, finished.
        epochs: of the last training.
        speed: times as fast as the trials, see `shared_speed`.
        kept: share of the longest training that need not be made again.
    """
    made = expected_epochs(trials, 1.0, speed, 0.0)  # in a second
    if math.isinf(made):
        return math.inf
    return AROUND_S + max(0.0, epochs - kept * longest_training(trials)) / made


def longest_training(trials: Iterable[Trial]) -> float:
    """Epochs of the longest of these trainings; 0 where there is none."""
    return max((_epochs(trial) or 0.0 for trial in trials if trial.state is TrialState.FINISHED), default=0.0)


def share_time(finalists: Sequence[Trial], gains: Callable[[Trial, Sequence[Trial]], bool]) -> list[Trial]:
    """Those of the finalists that what is left is divided among, so that each gets more than it had in the search.

    Args:
        finalists: best first.
        gains: whether a network will have been trained longer than before when all of these, itself among them, are.
    """
    for count in range(len(finalists), 1, -1):
        if all(gains(trial, finalists[:count]) for trial in finalists[:count]):
            return list(finalists[:count])
    return [trial for trial in finalists if gains(trial, [trial])][:1]


def pareto_front(trials: Sequence[Trial], objectives: Sequence[Objective]) -> tuple[Trial, ...]:
    """Trials no other is better than in all objectives, best by the first objective first.

    Of an architecture only the most thorough trial counts. Where it was trained and was scored with shared weights,
    too, the best of all: how long these were trained is not to be compared with a training of its own.
    """
    last: dict[str, Trial] = {}
    for trial in trials:
        known = last.get(trial.architecture.id)
        if known is None or known.fidelity.cost <= trial.fidelity.cost:
            last[trial.architecture.id] = trial
    trained = {t.architecture.id for t in trials if t.fidelity.epochs is not None}
    shared = trained & {t.architecture.id for t in trials if t.fidelity.epochs is None}
    for trial in reversed(best_first((t for t in trials if t.architecture.id in shared), objectives[0])):
        last[trial.architecture.id] = trial
    ordered = best_first(last.values(), objectives[0])
    usable = [t for t in ordered if all(o.metric in t.metrics for o in objectives)]
    if not usable:
        return ()
    ranks = pareto_rank([tuple(o.sign * t.metrics[o.metric] for o in objectives) for t in usable])
    return tuple(t for t, rank in zip(usable, ranks, strict=True) if rank == 0)


def references_of(trials: Sequence[Trial]) -> dict[str, list[Trial]]:
    """Finished trials of each hand-made reference network, by its name."""
    names = {t.architecture.id: t.proposal.origin.removeprefix(REFERENCE) for t in trials if _is_reference(t)}
    found: dict[str, list[Trial]] = {name: [] for name in names.values()}
    for trial in trials:
        if trial.architecture.id in names and trial.state is TrialState.FINISHED:
            found[names[trial.architecture.id]].append(trial)
    return found


def best_references(trials: Sequence[Trial]) -> tuple[tuple[str, Trial], ...]:
    """The most thorough trial of each hand-made reference network, with its name."""
    found = references_of(trials).items()
    return tuple((name, max(theirs, key=lambda t: t.fidelity.cost)) for name, theirs in found if theirs)


def _is_reference(trial: Trial) -> bool:
    return trial.proposal.origin.startswith(REFERENCE)


def refused_references(trials: Sequence[Trial], constraints: Sequence[Constraint] = ()) -> list[str]:
    """The hand-made references none of whose trials is usable, with the reason."""
    usable = {trial.architecture for trial in trials if keeps(trial, constraints)}
    told: dict[str, str] = {}
    for trial in trials:
        if trial.proposal.origin.startswith(REFERENCE) and trial.architecture not in usable:
            name = trial.proposal.origin.removeprefix(REFERENCE)
            told[name] = f"the reference {name} is not compared with: it {why_unusable(trial, constraints)}"
    return list(told.values())


def why_unusable(trial: Trial, constraints: Sequence[Constraint]) -> str:
    """How a trial that gave nothing usable ended."""
    if trial.state is TrialState.FAILED:
        return f"failed: {_first_line(trial)}"
    broken = [str(c) for c in constraints if c.metric in trial.metrics and not c.holds(trial.metrics[c.metric])]
    return f"broke a limit: {_first_line(trial) or ', '.join(broken)}"


def _first_line(trial: Trial) -> str:
    return trial.error.strip().partition("\n")[0][:200]


def compare(best: Trial, trials: Sequence[Trial], objective: Objective) -> tuple[Comparison, ...]:
    """The best network against each reference, at the most thorough fidelity at which both were evaluated.

    A score with shared weights is less thorough than any training, and is compared with such scores alone.
    """
    mine = _by_cost([t for t in trials if t.architecture.id == best.architecture.id], objective)
    rows = []
    for name, theirs in references_of(trials).items():
        reference = _by_cost(theirs, objective)
        shared = max(mine.keys() & reference.keys(), default=None)
        if shared is not None:
            a, b = reference[shared], mine[shared]
            numbers = a.metrics[objective.metric], b.metrics[objective.metric]
            margin = objective.sign * (numbers[0] - numbers[1]) + 0.0  # 0.0 instead of -0.0
            rows.append(Comparison(name, objective.metric, *numbers, margin, _epochs(a), _epochs(b)))
    return tuple(sorted(rows, key=lambda row: row.margin))


def _epochs(trial: Trial) -> float | None:
    """How long was trained: what the evaluator says, since a deadline may have ended it, else what was asked for."""
    return trial.metrics.get("epochs", trial.fidelity.epochs)


def _by_cost(trials: Sequence[Trial], objective: Objective) -> dict[tuple[bool, float], Trial]:
    ranked = reversed(best_first(trials, objective))
    return {(trial.fidelity.epochs is not None, trial.fidelity.cost): trial for trial in ranked}
