"""Declarations of what networks on tables need: columns as tokens or as a vector, ensembles in one network.

A row of a table is a vector: its numbers, prepared, and behind them its categories, as class numbers stored like the
others; number 0 of a column is the category 'other'. There may be further columns behind, which are not looked at. A
declaration is data and imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence

from netwright.errors import SpaceError, wrong
from netwright.nn.arguments import Size, Word, make_op, number, size, word
from netwright.nn.emitters.columns import COMBINED
from netwright.space.expressions import Expr
from netwright.space.nodes import Op


def column_tokens(
    features: Size,
    numbers: int,
    categories: Sequence[int] = (),
    *,
    frequencies: Size = 0,
    scale: Expr | float = 0.1,
    bins: int = 0,
    others: int = 0,
) -> Op:
    """Declare a token for each column of a row (numbers + categories + others,): gives a sequence (columns, features).

    Of a number x it is ``x w + b``; with frequencies ``relu(x w + b + S sin(2 pi c x) + C cos(2 pi c x))``, whose
    frequencies c are learned; with bins ``x w + b + W p(x)``, a straight line in each bin, where p says how full each
    bin is, from 0 to 1, and W begins at 0. Of a category it is a row of a table.

    Args:
        features: of a token.
        numbers: columns that hold numbers, the first ones.
        categories: how many categories each of the others has; what is no category counts as number 0.
        frequencies: for each number; 0 for none.
        scale: standard deviation of the first values of the frequencies.
        bins: of each number, each as probable as any other where numbers are normal, as those of a table are; their
            edges lie from -3 to 3. 0 for none.
        others: columns behind these that are not looked at.

    Raises:
        SpaceError: an argument cannot be.

    References:
        Gorishniy, Rubachev, Khrulkov, Babenko (2021), Revisiting Deep Learning Models for Tabular Data, section 3.3
        (the tokens; without its class token). Gorishniy, Rubachev, Babenko (2022), On Embeddings for Numerical Features
        in Tabular Deep Learning, section 3.3 (periodic, linear, ReLU); here the number itself stands beside the waves.
        The same, section 3.2 (piecewise linear), beside a linear token as in Gorishniy, Kotelnikov, Babenko (2025),
        TabM, appendix; bins are those of the normal distribution, since numbers were mapped to it.

    Example:
        >>> column_tokens(16, 3, (5, 2)).kind
        'column_tokens'
    """
    args: dict[str, object] = {"features": size("features", features), **_columns(numbers, categories, others)}
    args |= {"frequencies": size("frequencies", frequencies, minimum=0), "scale": number("scale", scale, 0.0, 100.0)}
    if bins:
        args["bins"] = size("bins", bins)
    return make_op("column_tokens", args)


def column_vector(numbers: int, categories: Sequence[int] = (), *, others: int = 0) -> Op:
    """Declare a row as a vector: its numbers as they are, its categories one-hot; arguments as of `column_tokens`."""
    return make_op("column_vector", _columns(numbers, categories, others))


def _columns(numbers: int, categories: Sequence[int], others: int) -> dict[str, object]:
    counts = tuple(categories)
    if not all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in counts):
        raise SpaceError(wrong("categories", categories, "how many categories each column has, whole numbers >= 1"))
    if isinstance(numbers, bool) or not isinstance(numbers, int) or numbers < 0 or numbers + len(counts) == 0:
        raise SpaceError(wrong("numbers", numbers, "a whole number >= 0, and a column at least"))
    if isinstance(others, bool) or not isinstance(others, int) or others < 0:
        raise SpaceError(wrong("others", others, "how many columns are not looked at, a whole number >= 0"))
    return {"numbers": numbers, "categories": counts, **({"others": others} if others else {})}


def members(count: Size) -> Op:
    """Declare the members of an ensemble that share all layers after it: (D,) becomes (count, D).

    Each member sees the features scaled by weights of its own, which begin at random around 1.

    References:
        Gorishniy, Kotelnikov, Babenko (2025), TabM: Advancing Tabular Deep Learning with Parameter-Efficient
        Ensembling, section 3 (its small version, whose scales begin as 1 or -1: slower to learn in short trainings);
        after Wen, Tran, Ba (2020), BatchEnsemble.
    """
    return make_op("members", {"count": size("count", count)})


def member_linear(features: Size) -> Op:
    """Declare a linear layer of its own for each position of a sequence (L, D), such as the heads of members."""
    return make_op("member_linear", {"features": size("features", features)})


def combine_members(mode: Word = "classes") -> Op:
    """Declare the mean of members (L, C), which is taken only where the network is used; gives (C,).

    While training it gives what each member says, (L, C), so that the loss is the mean of theirs.

    Args:
        mode: ``classes``: logits become the log of the mean probabilities; ``values``: the plain mean.
    """
    return make_op("combine_members", {"mode": word("mode", mode, COMBINED)})


def temperature() -> Op:
    """Declare a division of logits by one number, kept with the weights; it is 1 until it is set after a training.

    References:
        Guo, Pleiss, Sun, Weinberger (2017), On Calibration of Modern Neural Networks, section 4.2.
    """
    return make_op("temperature", {})
