"""Models that learn from evaluated architectures what others would score: features, and models over them.

    from netwright.predictors import Predictor, load_predictor, save_predictor   # accuracy, with conformal intervals
    from netwright.predictors.curves import Curve, extrapolate                   # where a training will end
    from netwright.predictors.latency import Knowledge, LatencyPredictor, LatencyTable

Strategies (as surrogates) and performance estimation (as predictors) share them. Knows no torch, no strategy and no
trial.
"""

from netwright.predictors.files import load_predictor, save_predictor
from netwright.predictors.predictor import Prediction, Predictor

__all__ = ["Prediction", "Predictor", "load_predictor", "save_predictor"]
