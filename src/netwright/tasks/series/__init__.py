"""Time series: classification and forecasting.

reading.py  npz, rows with a class, tables in the order of time     windows.py  windows, season, naive forecast
task.py     the two tasks                                           spaces.py   default spaces and references
"""

from netwright.tasks.series.task import SeriesClassification, SeriesForecasting

__all__ = ["SeriesClassification", "SeriesForecasting"]
