"""BLEU and chrF of translations, as sacreBLEU computes them. Knows no networks.

References:
    Papineni et al. (2002), BLEU; Popović (2015), chrF; as Post (2018), A Call for Clarity in Reporting BLEU Scores,
    computes them: cased, not tokenised, the package's defaults, but for what stands between the words of BLEU.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from netwright.errors import MissingDependencyError, SpecError, unknown, wrong
from netwright.tasks.scripts import without_spaces

DEFAULT = "13a"
"""How BLEU finds words where there are spaces between them; sacreBLEU's default."""


def tokenizer_of(texts: Iterable[str], asked: str = "") -> str:
    """The name of sacreBLEU's tokenizer for a language: what was asked for, else what its letters want.

    Args:
        texts: of the language.
        asked: a name; empty to go by the letters.

    Returns:
        ``13a``; ``zh`` for Chinese; ``char``, which counts letters, where there are no spaces either.

    Raises:
        SpecError: no such tokenizer, or one that cannot be used here.
        MissingDependencyError: the package sacrebleu is not installed.
    """
    name = asked or {"": DEFAULT, "han": "zh", "others": "char"}[without_spaces(texts)]
    _metrics(name)
    return name


def bleu_and_chrf(found: Sequence[str], wanted: Sequence[str], tokenizer: str = DEFAULT) -> dict[str, float]:
    """BLEU and chrF of translations, in [0, 100].

    Raises:
        MissingDependencyError: the package sacrebleu is not installed.
    """
    bleu, chrf = _metrics(tokenizer)
    references = [list(wanted)]
    return {
        "bleu": float(bleu.corpus_score(list(found), references).score),
        "chrf": float(chrf.corpus_score(list(found), references).score),
    }


def signatures(tokenizer: str) -> str:
    """What sacreBLEU says of how both are computed."""
    metrics = _metrics(tokenizer)
    for metric in metrics:
        metric.corpus_score(["-"], [["-"]])  # a signature tells the number of references
    return ", ".join(f"{name} {metric.get_signature()}" for name, metric in zip(("BLEU", "chrF"), metrics, strict=True))


def _metrics(tokenizer: str) -> tuple[Any, Any]:
    """The package's two metrics."""
    try:
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
    except ImportError:
        raise MissingDependencyError("sacrebleu", "text", "BLEU and chrF") from None
    if tokenizer not in BLEU.TOKENIZERS:
        raise SpecError(unknown("task option bleu_tokenizer", tokenizer, sorted(BLEU.TOKENIZERS)))
    try:
        return BLEU(tokenize=tokenizer), CHRF()
    except (RuntimeError, OSError, ImportError) as error:  # a further package, or a file that it fetches, is missing
        reason = " ".join(str(error).split())
        raise SpecError(wrong("task option bleu_tokenizer", tokenizer, "one that can be used here", reason)) from error
