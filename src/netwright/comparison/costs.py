"""Whether the costs of a table can be: seconds of an evaluation are no less than zero, and some are more."""

from __future__ import annotations

import numpy as np

from netwright.benchmarks.base import Benchmark
from netwright.benchmarks.table import Table
from netwright.comparison.settings import Rules
from netwright.errors import DataError, wrong


def require_costs(benchmark: Benchmark, rules: Rules, *, simulated: bool) -> tuple[str, ...]:
    """Check the costs of a table; of another benchmark they are not known beforehand.

    Args:
        benchmark: what is searched.
        rules: of the comparison; nothing is checked where they name no cost.
        simulated: whether workers are, so that there is no result without costs.

    Returns:
        What a reader has to know, a line each.

    Raises:
        DataError: a cost is negative or infinite; or there are none, or only zeros, and workers are simulated.
    """
    if rules.cost is None or not isinstance(benchmark, Table):
        return ()
    what = f"{benchmark.name}: cost {rules.cost!r}"
    for fidelity in benchmark.fidelities:
        costs = benchmark.column(rules.cost, fidelity)
        bad = costs[(costs < 0) | np.isinf(costs)]
        if len(bad):
            cure = "write nan where it is not known, or name another column (--cost)"
            raise DataError(wrong(what, float(bad[0]), "a finite number of seconds >= 0", cure))
    if not simulated:
        return ()
    costs = benchmark.column(rules.cost)
    known = int(np.isfinite(costs).sum())
    if not (costs > 0).any():
        got = "zeros only" if known else "nan only"
        raise DataError(f"{what} must be a number > 0 of some architecture, got {got}; name another column (--cost)")
    if known == len(costs):
        return ()
    unknown = f"the cost {rules.cost} of {len(costs) - known} of {len(costs)} architectures is not known"
    return (f"{unknown}: with workers, each takes the mean of those before it in its search",)
