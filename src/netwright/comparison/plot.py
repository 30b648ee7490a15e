"""Mean regret by count of queries as an SVG picture: a logarithmic axis, a band for each 95 % interval, a legend.

Written by hand, so that a picture needs no plotting library. A regret of zero lies on the lower edge.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from netwright.comparison.results import Comparison
from netwright.comparison.statistics import Curve

WIDTH, HEIGHT = 820, 480
LEFT, RIGHT, TOP, BOTTOM = 70, 220, 40, 50
COLORS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#000000", "#ee7733", "#0077bb")
"""Colours that colour-blind people can tell apart (P. Tol, 2021, "Colour Schemes", bright and vibrant); then dashes."""

FONT = 'font-family="sans-serif" font-size="12"'
MOST_DECADES = 6
MAX_POINTS = 600
"""Points a curve is drawn with at most."""


def to_svg(comparison: Comparison) -> str:
    """Draw the mean regret of every strategy."""
    curves = {label: comparison.summaries[label].regret for label in comparison.labels}
    axes = Axes.around(curves.values(), comparison.rules.queries)
    from_what = "the optimum" if comparison.truth.optimum is not None else "the best found"
    title = f"{comparison.table}, protocol {comparison.rules.protocol}, {comparison.settings.seeds} seeds"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {FONT}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(LEFT, 22, title, 'font-size="14"'),
        *axes.drawn(),
        _text(LEFT + axes.width / 2, HEIGHT - 12, "queries", 'text-anchor="middle"'),
        _text(
            -(TOP + axes.height / 2),
            16,
            f"mean regret of {comparison.rules.report} from {from_what}",
            'text-anchor="middle" transform="rotate(-90)"',
        ),
    ]
    for number, (label, curve) in enumerate(curves.items()):
        parts += _curve(axes, curve, number)
        y = TOP + 12 + 18 * number
        parts.append(
            f'<line x1="{WIDTH - RIGHT + 12}" y1="{y - 4}" x2="{WIDTH - RIGHT + 36}" y2="{y - 4}" {_pen(number)}/>'
        )
        parts.append(_text(WIDTH - RIGHT + 42, y, label if len(label) <= 28 else label[:27] + "…"))
    return "\n".join([*parts, "</svg>", ""])


class Axes:
    """Where numbers lie in the picture: counts from left to right, regrets by their logarithm.

    Args:
        queries: the largest count.
        low: exponent of ten of the lower edge.
        high: exponent of ten of the upper edge, larger than ``low``.
    """

    width = WIDTH - LEFT - RIGHT
    height = HEIGHT - TOP - BOTTOM

    def __init__(self, queries: int, low: int, high: int) -> None:
        self.queries = queries
        self.low = low
        self.high = high

    @classmethod
    def around(cls, curves: Iterable[Curve], queries: int) -> Axes:
        """Axes with room for all means, over at most six decades."""
        means = [m for curve in curves for m in curve.mean.tolist() if math.isfinite(m) and m > 0]
        if not means:
            return cls(queries, -1, 0)
        high = math.floor(math.log10(max(means))) + 1
        return cls(queries, max(math.floor(math.log10(min(means))), high - MOST_DECADES), high)

    def x(self, count: float) -> float:
        """Place of a count of queries, in pixels."""
        return LEFT + self.width * (count - 1) / max(1, self.queries - 1)

    def y(self, regret: float) -> float:
        """Place of a regret, in pixels; what is beyond an edge lies on it."""
        exponent = math.log10(regret) if regret > 0 else -math.inf
        inside = min(float(self.high), max(float(self.low), exponent))
        return TOP + self.height * (self.high - inside) / (self.high - self.low)

    def drawn(self) -> list[str]:
        """Grid, ticks and frame."""
        parts = []
        for exponent in range(self.low, self.high + 1):
            y = self.y(10.0**exponent)
            parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{LEFT + self.width}" y2="{y:.1f}" stroke="#dddddd"/>')
            parts.append(_text(LEFT - 8, y + 4, f"{10.0**exponent:g}", 'text-anchor="end"'))
        for count in _ticks(self.queries):
            x = self.x(count)
            parts.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{TOP + self.height}" stroke="#eeeeee"/>')
            parts.append(_text(x, TOP + self.height + 18, str(count), 'text-anchor="middle"'))
        frame = f'x="{LEFT}" y="{TOP}" width="{self.width}" height="{self.height}"'
        return [*parts, f'<rect {frame} fill="none" stroke="#888888"/>']


def _ticks(queries: int) -> Sequence[int]:
    step = 10 ** math.floor(math.log10(max(1, queries)))
    step = next((part for part in (step // 5, step // 2, step) if part and queries / part <= 8), 2 * step)
    return [1, *range(step, queries + 1, step)] if step > 1 else range(1, queries + 1)


def _curve(axes: Axes, curve: Curve, number: int) -> list[str]:
    means, lows, highs = curve.mean.tolist(), curve.low.tolist(), curve.high.tolist()
    stride = max(1, len(means) // MAX_POINTS)
    places = [i for i in range(len(means)) if (i % stride == 0 or i == len(means) - 1) and math.isfinite(means[i])]
    if not places:
        return []
    upper = [f"{axes.x(i + 1):.1f},{axes.y(highs[i]):.1f}" for i in places]
    lower = [f"{axes.x(i + 1):.1f},{axes.y(lows[i]):.1f}" for i in reversed(places)]
    line = [f"{axes.x(i + 1):.1f},{axes.y(means[i]):.1f}" for i in places]
    color = COLORS[number % len(COLORS)]
    return [
        f'<polygon points="{" ".join([*upper, *lower])}" fill="{color}" fill-opacity="0.15"/>',
        f'<polyline points="{" ".join(line)}" fill="none" {_pen(number)}/>',
    ]


def _pen(number: int) -> str:
    dash = ' stroke-dasharray="6 3"' if number >= len(COLORS) else ""
    return f'stroke="{COLORS[number % len(COLORS)]}" stroke-width="2"{dash}'


def _text(x: float, y: float, text: str, attributes: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {attributes}>{escape(text)}</text>'
