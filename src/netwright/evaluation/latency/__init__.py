"""How long a network takes for one batch, measured: what is meant, the runtimes, a device elsewhere, noise.

    spec.py       what latency is meant            measure.py   one network in one runtime
    timing.py     repeats, interval, noise         several.py   one network in several runtimes, side by side
    runtimes/     one file a runtime               device.py    a device elsewhere, by a command of the user's
    onnx_file.py  a network as ONNX                int8.py      quantised to 8 bits
    accuracy.py   right answers of the network in a runtime, which int8 changes

Importing this loads neither torch nor a runtime. It knows nothing of training and constraints.
"""

from netwright.evaluation.latency.accuracy import Accuracy, measure_accuracy
from netwright.evaluation.latency.measure import Latency, measure_latency
from netwright.evaluation.latency.runtimes import require_runtime
from netwright.evaluation.latency.several import Unavailable, measure_several
from netwright.evaluation.latency.spec import LatencySpec
from netwright.runtimes import DEVICE, PRECISIONS, RUNTIMES, RuntimeName

__all__ = [
    "DEVICE",
    "PRECISIONS",
    "RUNTIMES",
    "Accuracy",
    "Latency",
    "LatencySpec",
    "RuntimeName",
    "Unavailable",
    "measure_accuracy",
    "measure_latency",
    "measure_several",
    "require_runtime",
]
