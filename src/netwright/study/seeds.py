"""The seed of every trial, as a function of the study's seed: the same in every process and run."""

from __future__ import annotations

from collections.abc import Mapping

from netwright.types import Proposal, digest

CONTINUED = ("promotion", "probe", "final")
"""Origins of trials that go on with their parent's training, and so have its seed."""


def trial_seed(study_seed: int, trial_id: int, proposal: Proposal, seeds: Mapping[int, int]) -> int:
    """Seed of a trial, in [0, 2^32).

    Args:
        study_seed: seed of the whole search.
        trial_id: of the trial.
        proposal: what is evaluated; promotions and final trials take their first parent's seed.
        seeds: seed of every earlier trial by its id.

    Example:
        >>> from netwright.types import Architecture
        >>> trial_seed(0, 3, Proposal(Architecture({}), parents=(1,), origin="promotion"), {1: 42})
        42
    """
    if proposal.origin in CONTINUED and proposal.parents and proposal.parents[0] in seeds:
        return seeds[proposal.parents[0]]
    return int(digest(f"{study_seed}/{trial_id}", 8), 16)
