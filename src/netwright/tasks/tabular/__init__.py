"""Tables: classification and regression.

reading.py     files and data frames to columns of texts   parts.py        files of the parts, the target
missing.py     words for no value                          categories.py   numbers of categories
amounts.py     numbers as people write them                marks.py        columns of such numbers
days.py        a date as days                              dates.py        columns of dates
label_texts.py labels that were read as texts              encoding.py     columns to rows of numbers
resolution.py  what float32 makes of numbers               data.py         splits, classes, what was mended
task.py        the two tasks                               spaces.py       the default space and its references
metrics.py     scores, the temperature                     forest.py       the rival that is no network
"""

from netwright.tasks.tabular.task import TabularClassification, TabularRegression

__all__ = ["TabularClassification", "TabularRegression"]
