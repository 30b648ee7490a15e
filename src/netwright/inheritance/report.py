"""What a morphism did: each difference of two networks, and whether the function was kept across it."""

from __future__ import annotations

from dataclasses import dataclass, field

from netwright.space.difference import Difference

MOST_LINES = 12


@dataclass(frozen=True, slots=True)
class Change:
    """A difference between two networks.

    Args:
        where: place of a layer.
        what: in words, such as ``16 -> 24 channels``.
        why_not: why the function is not kept; empty where it is.
    """

    where: str
    what: str
    why_not: str = ""

    @property
    def is_preserved(self) -> bool:
        """Whether the child still computes what the parent did."""
        return not self.why_not

    def __str__(self) -> str:
        verdict = "kept" if self.is_preserved else f"NOT kept, {self.why_not}"
        return f"{self.where}: {self.what}: {verdict}"


@dataclass(frozen=True, slots=True)
class Morphism:
    """How a child was made from its parent.

    Args:
        decisions: in which the architectures differ.
        changes: of the layers, in the order of the network.
        share: part of the child's numbers that came from the parent, in [0, 1]; zeros that keep its function included.
        fill: what channels that the parent does not have began as: ``new`` or ``copies``.
    """

    decisions: Difference
    changes: tuple[Change, ...]
    share: float
    fill: str

    @property
    def is_preserved(self) -> bool:
        """Whether the child computes the parent's function, when it is not training."""
        return all(change.is_preserved for change in self.changes)

    @property
    def lost(self) -> tuple[Change, ...]:
        """The changes that the function was not kept across."""
        return tuple(change for change in self.changes if not change.is_preserved)

    def __str__(self) -> str:
        kept = "the parent's function is kept" if self.is_preserved else "the parent's function is NOT kept"
        lines = [f"{self.share:.0%} inherited; {kept}", *map(str, self.changes[:MOST_LINES])]
        rest = len(self.changes) - MOST_LINES
        return "\n".join([*lines, f"and {rest} more"] if rest > 0 else lines)


@dataclass
class Notes:
    """Changes as they are found."""

    changes: list[Change] = field(default_factory=list)

    def kept(self, where: str, what: str) -> None:
        """Note a difference across which the function is kept."""
        self.changes.append(Change(where, what))

    def lost(self, where: str, what: str, why_not: str) -> None:
        """Note one across which it is not."""
        self.changes.append(Change(where, what, why_not))

    @property
    def num_lost(self) -> int:
        """How many there are across which it is not."""
        return sum(not change.is_preserved for change in self.changes)
