"""The pool of the ladder as a specification wants it: which rungs rank it, and how many networks each looks at.

Nothing is scored here, and nothing measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from netwright.evaluation.ladder import LATE, SCORING_SHARE, SHARED, num_to_score, score_seconds
from netwright.evaluation.shared_rung import SharedPlan, plan_shared
from netwright.evaluation.shared_rung import score_seconds as shared_score_seconds
from netwright.space import SearchSpace
from netwright.study.ladder_screen import PREDICTOR, PROXIES, Screen
from netwright.study.plan import Plan, nominal_rate, search_seconds
from netwright.types import Architecture

if TYPE_CHECKING:
    from netwright.spec import SearchSpec
    from netwright.tasks.base import Task


def screen_of(
    spec: SearchSpec, plan: Plan, space: SearchSpace, task: Task, tried: Sequence[Architecture]
) -> Screen | None:
    """The rungs that train no network: they rank by accuracy alone.

    Args:
        spec: what is asked for.
        plan: of the budget which the search began with.
        space: of the networks, as far as they keep the limits.
        task: the data.
        tried: networks that are tried in any case.

    Returns:
        None where no such rung is wanted, or something else than accuracy.
    """
    rungs = [rung for rung in (PROXIES, SHARED, PREDICTOR) if rung in spec.rungs]
    if not rungs or [goal.metric for goal in spec.goals] != ["accuracy"]:
        return None
    if not task.classifies or task.input_dtype != "float32":  # proxies look at classes of real-valued inputs
        return None
    pixels = task.work
    rate = nominal_rate(len(task.train()[1]), pixels, most_macs(spec))
    training_s = plan.min_epochs / rate
    search_s = search_seconds(plan, spec.spending, rate * spec.workers)
    num_scored = num_to_score(search_s, spec.workers, pixels, training_s, len(tried))
    shared = shared_plan_of(spec, plan, task, len(tried)) if SHARED in rungs else None
    return Screen(
        space,
        seed=spec.seed,
        tried=tried,
        num_to_score=num_scored if PROXIES in rungs else 0,
        num_to_share=0 if shared is None or shared.why_not else shared.num,
        predictor=PREDICTOR in rungs,
        cost_ratio=training_s / score_seconds(pixels),
        most_s=LATE * SCORING_SHARE * search_s,
    )


def shared_plan_of(spec: SearchSpec, plan: Plan, task: Task, num_tried: int) -> SharedPlan:
    """What the rung of shared weights spends; arguments as of `screen_of`."""
    from netwright.evaluation.shared_scores import NUM_IMAGES

    pixels = task.work
    rate = nominal_rate(len(task.train()[1]), pixels, most_macs(spec))
    return plan_shared(
        search_seconds(plan, spec.spending, rate * spec.workers),
        is_limited=plan.search.time_s is not None,
        workers=spec.workers,
        rate=rate,
        full=plan.final_epochs,
        score_s=shared_score_seconds(pixels, min(NUM_IMAGES, len(task.validation()[1]))),
        num_first=num_tried,
    )


def most_macs(spec: SearchSpec) -> float:
    """Multiply-accumulates that the limits allow; infinite where they say nothing of them."""
    return min((limit.bound for limit in spec.limits if limit.metric == "macs"), default=math.inf)
