"""Learning curves: where a training will end, told from its beginning, and whether to go on with it.

    curve.py           a curve, as far as it is known
    forecast.py        a distribution of a score
    parametric.py      from the curve alone: families.py (shapes), posterior.py (their evidence), units.py
    together.py        from the beginnings of several, while none is finished
    study_curves.py    from the other curves of the study too: summary.py (a curve as numbers), order_process.py
    stopping.py        the probability to beat the best so far, and a rule

All of it is deterministic: the same curves give the same numbers. Knows no torch, no trial and no store.
"""

from __future__ import annotations

from netwright.predictors.curves.curve import Curve
from netwright.predictors.curves.forecast import Direction, Forecast
from netwright.predictors.curves.parametric import extrapolate, extrapolate_many
from netwright.predictors.curves.stopping import Forecaster, StoppingRule, Verdict, best_first, judge, stopped_after
from netwright.predictors.curves.study_curves import StudyCurves
from netwright.predictors.curves.together import extrapolate_together

__all__ = [
    "Curve",
    "Direction",
    "Forecast",
    "Forecaster",
    "StoppingRule",
    "StudyCurves",
    "Verdict",
    "best_first",
    "extrapolate",
    "extrapolate_many",
    "extrapolate_together",
    "judge",
    "stopped_after",
]
