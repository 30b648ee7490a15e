"""A comparison for people: headers and rows of tables, and lines of text. Knows no terminal."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from netwright.comparison.journal import Ending, SearchRun
from netwright.comparison.results import Comparison
from netwright.comparison.scaling import scaling_of
from netwright.comparison.statistics import Curve, counts_up_to, median_of, percentile_95
from netwright.errors import one_line

MAX_CRASHES = 3
"""Crashed searches whose traceback is shown."""

_NUMBER = re.compile(r"-|-?[0-9.]+(e[-+][0-9]+)?")
MAX_CELL = 60
"""Characters of a cell."""

Table = tuple[list[str], list[list[str]]]
"""Headers, and rows of cells."""


def headline(comparison: Comparison) -> str:
    """One line: what was searched, how, and how often."""
    rules, settings = comparison.rules, comparison.settings
    read = " and ".join(f"{o.metric} ({o.direction})" for o in rules.objectives)
    scored = "" if rules.protocol == "oracle" else f", the incumbent is scored by {rules.report}"
    limits = "".join(f", {constraint}" for constraint in rules.constraints)
    searches = f"{_counted(settings.seeds, 'seed')} of {_counted(rules.queries, 'query', 'queries')}"
    return f"{comparison.table}, protocol {rules.protocol}: the searches read {read}{scored}{limits}; {searches}"


def summary(comparison: Comparison) -> str:
    """Everything there is to say, as one text."""
    blocks = ["\n".join(filter(None, [headline(comparison), comparison.about]))]
    blocks += [aligned(*rows_of(comparison)) for rows_of in ALL_ROWS if rows_of(comparison)[1]]
    pairs, notes = pair_lines(comparison), note_lines(comparison)
    text = "\n\n".join([*blocks, "\n".join(pairs)] if pairs else blocks)
    return "\n".join(map(one_line, "\n".join([text, *notes]).splitlines()))


def aligned(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in columns, those of numbers to the right, at most `MAX_CELL` characters of each cell."""
    lines = [[cell if len(cell) <= MAX_CELL else cell[: MAX_CELL - 3] + "..." for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headers, *lines, strict=True)]
    right = [all(map(_NUMBER.fullmatch, column)) for column in zip(*lines, strict=True)]
    forms = [f"{{:{'>' if number else '<'}{width}}}" for number, width in zip(right, widths, strict=True)]
    padded = ([form.format(cell) for form, cell in zip(forms, row, strict=True)] for row in (headers, *lines))
    return "\n".join("  ".join(row).rstrip() for row in padded)


def regret_rows(comparison: Comparison) -> Table:
    """Headers and rows of the table of mean regrets with half the width of their intervals."""
    counts = counts_up_to(comparison.rules.queries)
    digits = _digits(comparison)
    rows = [[label, *_at(comparison.summaries[label].regret, counts, digits)] for label in comparison.labels]
    of = f" of {comparison.rules.report}" if len(comparison.rules.objectives) > 1 else ""
    return [f"regret{of} after", *map(str, counts)], rows


def hypervolume_rows(comparison: Comparison) -> Table:
    """Headers and rows of the table of shares of the hypervolume; no rows with a single objective."""
    counts = counts_up_to(comparison.rules.queries)
    curves = {label: comparison.summaries[label].hypervolume for label in comparison.labels}
    rows = [[label, *_at(curve, counts, 4)] for label, curve in curves.items() if curve is not None]
    return ["hypervolume after", *map(str, counts)], rows


def search_rows(comparison: Comparison) -> Table:
    """Headers and rows of the table of queries to the optimum, failures and times."""
    headers = ["strategy", "to the optimum: median", "p95", "reached", "ask ms", "last tenth", "failed", "infeasible"]
    rows = []
    for label in comparison.labels:
        summary = comparison.summaries[label]
        counts = summary.queries_to_optimum
        timing = summary.timing
        times = [f"{ms:.3g}" if math.isfinite(ms) else "-" for ms in (timing.ask_ms, timing.ask_ms_late)]
        reached = f"{100 * summary.share_reached:.0f} %" if comparison.truth.optimum is not None else "-"
        steps = [_count(median_of(counts)), _count(percentile_95(counts)), reached]
        rows.append([label, *steps, *times, str(summary.num_failed), str(summary.num_infeasible)])
    return headers, rows


def worker_rows(comparison: Comparison) -> Table:
    """Headers and rows of the table of simulated workers; no rows where none were asked for."""
    headers = [
        "strategy",
        "hours, 1 worker",
        "hours",
        "speed-up",
        "to the same regret",
        "lost at the end",
        "on the way",
    ]
    rows = []
    for label in comparison.labels:
        scaling = scaling_of(comparison, label)
        if scaling is None:
            continue
        hours = [f"{seconds / 3600:.4g}" for seconds in (scaling.alone_s, scaling.together_s)]
        same = scaling.same_regret.speed_up
        losses = [_plus_minus(m, m - low, _digits(comparison)) for m, low, _ in (scaling.loss, scaling.loss_on_the_way)]
        faster = f"{scaling.speed_up:.4g}" if math.isfinite(scaling.speed_up) else "-"
        gains = [faster, "-" if same is None else f"{same:.4g}"]
        rows.append([label, *hours, *gains, *losses])
    return headers, rows


def pair_lines(comparison: Comparison) -> list[str]:
    """What the tests say, a line for each pair that differs, and one for the others."""
    what = "missing hypervolume" if comparison.all_shares else "regret"
    if comparison.tests is None:
        return ["pairs are not tested: scipy is not installed; pip install 'netwright[predictors]'"]
    digits = 4 if comparison.all_shares else _digits(comparison)
    lines = []
    for test in comparison.tests:
        if test.better is not None:
            other = test.b if test.better == test.a else test.a
            less, half = abs(test.difference), (test.high - test.low) / 2
            by = _plus_minus(less, half, digits)
            lines.append(f"{test.better} is better than {other}: by {by}, p = {test.p_holm:.2g}")
    alike = len(comparison.tests) - len(lines)
    if lines or alike:
        method = f"mean {what} over all counts; Wilcoxon's test over paired seeds, p by Holm for all pairs"
        lines = [f"pairs that differ ({method}):", *(f"  {line}" for line in lines or ["none"])]
    return [*lines, f"  {alike} of {len(comparison.tests)} pairs do not differ significantly"] if alike else lines


def note_lines(comparison: Comparison) -> list[str]:
    """What a reader has to know beside the tables: where regret is measured from, early ends, crashes."""
    lines = list(comparison.notes)
    runs = [run for label in comparison.labels for run in comparison.runs[label]]
    found = {value for run in runs for value in run.values if math.isfinite(value)}
    if comparison.best_value is None or not found:
        lines.append("no search found anything: no query gave a number within the limits")
    elif comparison.truth.optimum is None:
        lines.append(f"the optimum is not known: regret is from the best found, {comparison.best_value:g}")
    if len(found) == 1 and len(runs) > 1:
        same = f"{comparison.rules.report} {found.pop():g}"
        lines.append(f"every search had {same} from its first query on: all are alike")
    if comparison.rules.queries > comparison.size:
        size = _counted(int(comparison.size), "architecture")  # fewer than the queries, so not infinite
        asked = f"for {comparison.rules.queries} queries a search"
        lines.append(f"the benchmark has {size} {asked}: searches end when it is exhausted")
    for label in comparison.labels:
        early = comparison.summaries[label].endings.get(Ending.EXHAUSTED, 0)
        if early:
            lines.append(
                f"{label}: {early} of {comparison.settings.seeds} searches ended early, with nothing left to propose"
            )
    if comparison.yardstick is not None and not comparison.yardstick.is_true:
        lines.append("the front is not known: hypervolumes are shares of that of all points found")
    lines += _crash_lines(comparison)
    return lines


ALL_ROWS = (regret_rows, hypervolume_rows, search_rows, worker_rows)
"""What makes each table, in the order in which they are told."""


def _crash_lines(comparison: Comparison) -> list[str]:
    crashes = comparison.crashes
    if not crashes:
        return []
    lines = [f"{len(crashes)} searches CRASHED; each keeps what it had found until then:"]
    for run in crashes[:MAX_CRASHES]:
        workers = " with workers" if run.ended_s else ""
        lines += [f"  {run.label}, seed {run.seed}{workers}:", *(f"    {line}" for line in run.error.splitlines())]
    rest = crashes[MAX_CRASHES:]
    return [*lines, f"  and {_names(rest)}"] if rest else lines


def _names(runs: Iterable[SearchRun]) -> str:
    several = [f"{run.label} (seed {run.seed})" for run in runs]
    return ", ".join(several[:10]) + (f" and {len(several) - 10} more" if len(several) > 10 else "")


def _counted(number: int, one: str, several: str = "") -> str:
    return f"{number} {one if number == 1 else several or one + 's'}"


def _digits(comparison: Comparison) -> int:
    """Decimals of regrets: three where the largest mean that is shown is between 1 and 10."""
    shown = [count - 1 for count in counts_up_to(comparison.rules.queries)]
    curves = [comparison.summaries[label].regret for label in comparison.labels]
    means = [mean for curve in curves for mean in curve.mean[shown].tolist() if mean > 0]
    return min(8, max(0, 3 - math.floor(math.log10(max(means))))) if means else 3


def _at(curve: Curve, counts: Sequence[int], digits: int) -> list[str]:
    means, highs = curve.mean.tolist(), curve.high.tolist()
    return [_plus_minus(means[n - 1], highs[n - 1] - means[n - 1], digits) for n in counts]


def _plus_minus(mean: float, half: float, digits: int) -> str:
    return f"{mean:.{digits}f} ±{half:.{digits}f}" if math.isfinite(mean) else "-"


def _count(count: float | None) -> str:
    return "-" if count is None else f"{count:g}"
