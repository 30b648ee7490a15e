"""Time series: classification and forecasting.

reading.py  npz, rows with a class, tables in the order of time     windows.py  windows, season, naive forecast
arrays.py   arrays of a npz file as columns of a forecast
gaps.py     what is missing, filled from its past                   spaces.py   default spaces and references
task.py     the two tasks
"""

from netwright.tasks.series.task import SeriesClassification, SeriesForecasting

__all__ = ["SeriesClassification", "SeriesForecasting"]
