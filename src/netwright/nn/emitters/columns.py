"""Tables: columns as tokens or as a vector, ensembles in one network, and the temperature of logits."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from netwright.errors import wrong
from netwright.nn.code import IDENTITY, Call, Lit, call, placed
from netwright.nn.site import Emitted, Site
from netwright.types import Value

COMBINED = ("classes", "values")


def _columns(site: Site) -> tuple[int, tuple[int, ...]]:
    """Numbers, and how many categories each other column has; columns behind these are not looked at."""
    site.need_float("give rows of numbers and of the numbers of categories, as float32")
    numbers, categories = site.integer("numbers", minimum=0), site.term.arg("categories", ())
    others = site.integer("others", minimum=0, default=0)
    counts = tuple(n for n in categories if isinstance(n, int)) if isinstance(categories, tuple) else ()
    if site.flow.shape != (numbers + len(counts) + others,):
        site.fail(wrong("numbers, categories, others", (numbers, counts, others), f"{site.flow.size} columns of a row"))
    return numbers, counts


def _column_tokens(site: Site) -> Emitted:
    numbers, categories = _columns(site)
    features, frequencies = site.integer("features"), site.integer("frequencies", minimum=0, default=0)
    scale, bins = site.number("scale", 0.0, 100.0, 0.1), site.integer("bins", minimum=0, default=0)
    waves, pieces = numbers * frequencies, numbers * bins
    out = site.flow.reshaped((numbers + len(categories), features), "channels last", deeper=1)
    site.tally.add(
        params=2 * numbers * features + waves + (2 * waves + pieces + sum(categories)) * features,
        macs=numbers * features + waves + (2 * waves + pieces) * features,
        values=out.size + 3 * waves + 2 * pieces,
    )
    options: dict[str, Value] = {"frequencies": frequencies, "scale": scale} if waves else {}
    options |= {"bins": bins} if pieces else {}
    code = call("ColumnTokens", Lit(numbers, "numbers"), Lit(categories), Lit(features, "features"), **options)
    return Emitted(placed(code, site.place("tokens")), out)


def _column_vector(site: Site) -> Emitted:
    numbers, categories = _columns(site)
    if site.flow.size == numbers:
        return Emitted(IDENTITY, site.flow)
    out = site.flow.reshaped((numbers + sum(categories),))
    site.tally.add(values=out.size)
    return Emitted(call("ColumnVector", Lit(numbers, "numbers"), Lit(categories)), out)


def _members(site: Site) -> Emitted:
    site.need_float()
    if site.flow.rank != 1:
        site.fail("needs a vector (D,); put flatten() or global_pool() before it")
    count = site.integer("count")
    out = site.flow.reshaped((count, site.flow.size), "channels last")
    site.tally.add(params=out.size, values=out.size)
    code = call("Members", Lit(count, "count"), Lit(site.flow.size, "features"))
    return Emitted(placed(code, site.place("members")), out)


def _member_linear(site: Site) -> Emitted:
    site.need_sequence()
    (count, inputs), features = site.flow.shape, site.integer("features")
    out = site.flow.reshaped((count, features), "channels last", deeper=1)
    weights = count * inputs * features
    site.tally.add(params=weights + out.size, macs=weights, values=out.size)
    code = call("MemberLinear", Lit(count, "count"), Lit(inputs, "in_features"), Lit(features, "out_features"))
    return Emitted(placed(code, site.place("heads")), out)


def _combine_members(site: Site) -> Emitted:
    site.need_sequence()
    mode = site.word("mode", COMBINED, "classes")
    site.tally.add(values=site.flow.shape[1])
    return Emitted(call("CombineMembers", Lit(mode, "mode")), site.flow.reshaped((site.flow.shape[1],), ""))


def _temperature(site: Site) -> Emitted:
    site.need_float()
    site.tally.add(values=site.flow.size, buffers=1)
    return Emitted(Call("Temperature"), site.flow)


EMITTERS: Mapping[str, Callable[[Site], Emitted]] = {
    "column_tokens": _column_tokens,
    "column_vector": _column_vector,
    "members": _members,
    "member_linear": _member_linear,
    "combine_members": _combine_members,
    "temperature": _temperature,
}
