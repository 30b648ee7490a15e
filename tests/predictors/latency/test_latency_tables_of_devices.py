"""Measured devices of NAS-Bench-201: an unseen one is ranked after ten measurements."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from made_up_devices import SPACE
from scipy.stats import spearmanr

from netwright.predictors.latency import Knowledge, LatencyPredictor, LatencyTable, choose_to_measure
from netwright.types import Architecture

KNOWN = ("2080ti_32", "silver_4114", "samsung_a50", "pixel3", "fpga")
UNSEEN = {"gold_6226": 0.97, "titan_rtx_256": 0.99, "raspi4": 0.88}


def test_unseen_devices_are_ranked_after_ten_measurements(shared_data: Path) -> None:
    """A server, a GPU and a board, from five other devices with 150 measurements each."""
    with np.load(shared_data / "nasbench201" / "nasbench201.npz") as arrays:
        names, ops = [str(name) for name in arrays["op_names"]], arrays["ops"]
    places = np.random.default_rng(0).permutation(len(ops))[:600]
    cells = [Architecture({f"edge{i}": names[op] for i, op in enumerate(ops[place].tolist())}) for place in places]
    with np.load(shared_data / "nasbench201" / "latency.npz") as arrays:
        measured = {name: arrays[f"lat_ms__{name}"][places].astype(float) for name in (*KNOWN, *UNSEEN)}
    knowledge = Knowledge(SPACE, [LatencyTable.of(name, cells[:150], measured[name][:150]) for name in KNOWN])
    chosen = choose_to_measure(knowledge, 10, np.random.default_rng(0), cells[:300])
    for name, wanted in UNSEEN.items():
        by_cell = dict(zip(cells, measured[name].tolist(), strict=True))
        predictor = LatencyPredictor.fit(knowledge, LatencyTable.of(name, chosen, [by_cell[cell] for cell in chosen]))
        told = predictor.predict(cells[300:]).latencies_ms
        assert spearmanr(told, measured[name][300:]).statistic > wanted
