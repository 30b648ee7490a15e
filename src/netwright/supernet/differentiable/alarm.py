"""Whether a differentiable search collapses: it says so, why, and from when on.

Four signs. The architecture that would be taken now is made of operations without weights (skip connections, pooling,
zeros), in all or of one kind; the curvature of the validation loss by the architecture weights grows fast while the
weights lean to these operations more and more; what is taken at the end answers the same to all inputs, since zeros
cut it off. All but the curvature tell a collapse that is there, the curvature one that is coming.

The shares were measured on the table of NAS-Bench-201 (CIFAR-10, test accuracy, six operations a cell): with five or
six of six without weights the mean is 78 %, with four 87 %, of all 87 %, the median 91 %; with four or more skip
connections it is 82 %. The curvature's rule is Zela et al.'s; that the weights must lean, too, is ours: in searches of
a few epochs curvature grows in any case, as the network learns. Knows no networks.

References:
    Zela et al. (2020), Understanding and Robustifying Differentiable Architecture Search, section 4.3 (the ratio .75
    of averages over 5 epochs, 5 epochs apart).
    Liang et al. (2019), DARTS+, section 3.2 (counting skip connections).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netwright.supernet.differentiable.options import AlarmOptions
from netwright.types import Architecture, Value

LEANING = 0.05
"""By how much the expected share must exceed that of equal weights before the last epoch, and for the curvature to
count: as long as weights hardly differ, which operation is heaviest says nothing (a random cell of NAS-Bench-201 has
five or six of six without weights in 23 of 100 cases)."""

Free = Mapping[str, Sequence[Value]]
"""Of choices among operations of which some have weights: the values whose operation has none."""


@dataclass(frozen=True)
class Alarm:
    """A collapse that was seen.

    Args:
        epoch: in which, from 0.
        reason: what was seen, with numbers and thresholds.
        safe_epoch: the last epoch before; -1 where there is none.
    """

    epoch: int
    reason: str
    safe_epoch: int


@dataclass(frozen=True)
class Signs:
    """What the alarm looks at after an epoch.

    Args:
        decided: share of the decided operations that have no weights; NaN where there is none to decide.
        same: largest share of one of them.
        kind: which.
        expected: share without weights that is to be expected under the weights.
        flat: share that is to be expected where all values weigh the same.
        kind_lead: by how much the share of ``kind`` that is to be expected exceeds that of equal weights.
        curvature: dominant eigenvalue; NaN where it was not measured.
        blind: whether what would be taken now answers the same to all inputs.
    """

    decided: float
    same: float
    kind: str
    expected: float
    flat: float
    kind_lead: float = 0.0
    curvature: float = math.nan
    blind: bool = False

    @property
    def lead(self) -> float:
        """By how much the share that is to be expected exceeds that of equal weights."""
        return self.expected - self.flat


def signs_of(
    free: Free,
    architecture: Architecture,
    weights: Mapping[str, Sequence[float]],
    values: Mapping[str, Sequence[Value]],
    curvature: float = math.nan,
    *,
    blind: bool = False,
) -> Signs:
    """Look at an architecture and the weights that it was derived from.

    Args:
        free: the operations without weights.
        architecture: what would be taken now.
        weights: of the values of each choice.
        values: of each choice.
        curvature: dominant eigenvalue, if it was measured.
        blind: whether the architecture's network answers the same to all inputs.

    Example:
        >>> free, values = {"a": ["skip"], "b": ["skip"]}, {"a": ["conv", "skip"], "b": ["conv", "skip"]}
        >>> signs = signs_of(free, Architecture({"a": "skip", "b": "conv"}), {"a": [0.3, 0.7], "b": [0.9, 0.1]}, values)
        >>> signs.decided, signs.kind, round(signs.expected, 2)
        (0.5, 'skip', 0.4)
    """
    there = [name for name in free if name in architecture]
    if not there:
        return Signs(math.nan, math.nan, "", math.nan, math.nan, math.nan, curvature, blind)
    kinds = Counter(str(architecture[name]) for name in there if architecture[name] in free[name])
    kind, most = kinds.most_common(1)[0] if kinds else ("", 0)
    count, expected, flat, lead = len(there), 0.0, 0.0, 0.0
    for name in there:
        own = dict(zip(values[name], weights[name], strict=True))
        expected += sum(weight for value, weight in own.items() if value in free[name])
        flat += len(free[name]) / len(own)
        lead += sum(weight - 1 / len(own) for value, weight in own.items() if str(value) == kind)
    decided = sum(kinds.values()) / count
    return Signs(decided, most / count, kind, expected / count, flat / count, lead / count, curvature, blind)


class CollapseAlarm:
    """Watches a search, one epoch after the other.

    Args:
        options: thresholds.

    Example:
        >>> alarm = CollapseAlarm(AlarmOptions())
        >>> alarm.see(0, Signs(0.5, 0.3, "skip", expected=0.6, flat=0.6)) is None
        True
        >>> alarm.see(1, Signs(1.0, 1.0, "skip", expected=0.9, flat=0.6, kind_lead=0.5)).reason
        '100% of the operations have no weights (from 80% on); 100% are skip (from 60% on)'
    """

    def __init__(self, options: AlarmOptions) -> None:
        self._options = options
        self._seen: list[tuple[int, Signs]] = []
        self.alarm: Alarm | None = None

    def see(self, epoch: int, signs: Signs, *, last: bool = False) -> Alarm | None:
        """Look at an epoch; the first alarm stays.

        Args:
            epoch: its number.
            signs: what there is after it.
            last: whether what would be taken now is taken; before, weights that hardly differ mean nothing.

        Returns:
            The alarm of this search, if there was one so far.
        """
        self._seen.append((epoch, signs))
        growth = self._growth(signs)
        reasons = [*self._shares(signs, least_lead=-math.inf if last else LEANING), *growth]
        if last and signs.blind:
            reasons.append("the network that is taken answers the same to all inputs")
        if self.alarm is None and reasons:
            self.alarm = Alarm(epoch, "; ".join(reasons), self._safe_epoch(grew=len(reasons) == len(growth)))
        return self.alarm

    def is_collapsed(self) -> bool:
        """Whether what would be taken after the last epoch is made of operations without weights."""
        return bool(self._seen and self._shares(self._seen[-1][1]))

    def _shares(self, signs: Signs, least_lead: float = -math.inf) -> list[str]:
        options, found = self._options, []
        if signs.decided >= options.free_share and signs.lead >= least_lead:
            found.append(f"{signs.decided:.0%} of the operations have no weights (from {options.free_share:.0%} on)")
        if signs.same >= options.same_share and signs.kind_lead >= least_lead:
            found.append(f"{signs.same:.0%} are {signs.kind} (from {options.same_share:.0%} on)")
        return found

    def _growth(self, signs: Signs) -> list[str]:
        """The ratio of the averaged curvature a window ago to that of now, where the free share leads and grew."""
        window = self._options.window
        measured = [s for _, s in self._seen if not math.isnan(s.curvature)]
        if math.isnan(signs.curvature) or len(measured) < 2 * window:
            return []
        now, before = (
            sum(s.curvature for s in part) / window for part in (measured[-window:], measured[-2 * window : -window])
        )
        grew = signs.lead >= LEANING and signs.expected > measured[-window - 1].expected
        if now <= 0 or before / now >= self._options.growth or not grew:
            return []
        reason = (
            f"the curvature grew from {before:.3g} to {now:.3g} in {window} measurements (ratio {before / now:.2f}, "
            f"below {self._options.growth:g}) and operations without weights lead by {signs.lead:.2f}"
        )
        return [reason]

    def _safe_epoch(self, *, grew: bool) -> int:
        """The last epoch whose architecture was sound: a window ago where only the curvature grew."""
        measured = [epoch for epoch, s in self._seen if not math.isnan(s.curvature)]
        if grew:
            return measured[-self._options.window - 1]
        before = reversed(self._seen[:-1])
        return next((epoch for epoch, signs in before if not signs.blind and not self._shares(signs)), -1)
