"""Tables: classification and regression.

reading.py   files and data frames to columns of texts     parts.py        files of the parts, the target
dates.py     dates as days                                 label_texts.py  labels that were read as texts
encoding.py  columns to rows of numbers                    data.py         splits, classes, what was mended
task.py      the two tasks                                 spaces.py       the default space and its references
metrics.py   scores, the temperature                       forest.py       the rival that is no network
"""

from netwright.tasks.tabular.task import TabularClassification, TabularRegression

__all__ = ["TabularClassification", "TabularRegression"]
