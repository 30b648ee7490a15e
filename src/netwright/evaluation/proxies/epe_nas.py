"""EPE-NAS: whether a network's slopes differ between inputs of the same class.

References:
    V. Lopes et al., 2021, "EPE-NAS: Efficient Performance Estimation Without Training for Neural Architecture Search",
    equations 3 to 6: for each class c, the sum e(c) over pairs of its examples of log(|correlation| + k), k = 1e-5, of
    the gradients of the summed outputs by the inputs; the score is the sum over classes of |e(c)| where the network has
    at most 100 outputs. With more, e(c) is divided by the number of the class's examples, as in the paper's code, and
    the score is the mean over classes of the sum of |e(c) - e(d)| over the classes d after it. Classes of which the
    batch has a single example say nothing of differences, and are left out.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from netwright.errors import CapabilityError
from netwright.evaluation.proxies.base import Need, Proxy
from netwright.evaluation.proxies.jacob_cov import SMALL, correlations
from netwright.evaluation.proxies.probe import Probe

MANY = 100


def epe_nas(probe: Probe) -> float:
    """How little the slopes at inputs of one class are correlated.

    Args:
        probe: with labels, and inputs that are real numbers.

    Raises:
        CapabilityError: the batch has no class twice.
    """
    labels = probe.labels
    assert labels is not None
    many = probe.logits.shape[1] > MANY
    counts = torch.bincount(labels)
    usual = (counts > 1).nonzero().flatten().tolist()
    if not usual:
        raise CapabilityError("no class has two examples in the batch; make the batch larger")
    scores = torch.stack([_of_class(probe.input_gradients[labels == label], many) for label in usual])
    if not bool(scores.isfinite().all()):
        return math.nan
    if not many:
        return float(scores.abs().sum())
    return float((scores[:, None] - scores).abs().triu().sum() / len(scores))


def _of_class(gradients: Tensor, many: bool) -> Tensor:
    found = (correlations(gradients).abs() + SMALL).log().sum()
    return found / len(gradients) if many else found


PROXY = Proxy("epe_nas", epe_nas, frozenset({Need.LABELS, Need.REAL_INPUTS, Need.SEVERAL}), "Lopes et al., 2021")
