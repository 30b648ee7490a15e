"""Latency of any architecture of any space from few measurements, with what other devices' tables teach.

    tables.py       what was measured on a device         descriptors.py   what latency may be a sum over
    devices.py      other devices as functions of these   knowledge.py     the models that may be
    design.py       which architectures to measure        process.py       regression by a sum of kernels
    predictor.py    fit, choice of the model, intervals   files.py         saved as JSON and npz

Knows no torch and measures nothing.
"""

from netwright.predictors.latency.design import choose_to_measure
from netwright.predictors.latency.files import load_latency_predictor, save_latency_predictor
from netwright.predictors.latency.knowledge import Knowledge
from netwright.predictors.latency.predictor import LatencyPrediction, LatencyPredictor
from netwright.predictors.latency.tables import LatencyTable

__all__ = [
    "Knowledge",
    "LatencyPrediction",
    "LatencyPredictor",
    "LatencyTable",
    "choose_to_measure",
    "load_latency_predictor",
    "save_latency_predictor",
]
