"""Translation: sentences of one language into another, with vocabularies and networks made from the data alone."""

from netwright.tasks.translation.task import Translation

__all__ = ["Translation"]
