"""Which texts have no spaces between their words, by their letters. Knows no tasks."""

from __future__ import annotations

import re
from collections.abc import Iterable

_HAN = re.compile("[\u3400-\u9fff\U00020000-\U0003ffff]")
_OTHERS = re.compile("[\u0e00-\u109f\u1780-\u17ff\u3040-\u30ff]")
"""Letters of Thai, Lao, Tibetan, Burmese, Khmer and kana: no spaces stand between their words."""


def without_spaces(texts: Iterable[str]) -> str:
    """What most letters are that texts are written with, where no spaces stand between words; empty for others.

    Args:
        texts: of one language.

    Returns:
        ``han`` for Chinese; ``others`` for Japanese, Thai, Lao, Tibetan, Burmese and Khmer.

    Example:
        >>> without_spaces(["打开灯"]), without_spaces(["เปิดไฟ"]), without_spaces(["turn it on"])
        ('han', 'others', '')
    """
    total = han = others = 0
    for text in texts:
        total += len(text)
        han += len(_HAN.findall(text))
        others += len(_OTHERS.findall(text))
    if 2 * (han + others) <= total:
        return ""
    return "han" if 10 * others < han else "others"
