"""A network for a table: wines told by their chemistry, with calibrated probabilities, beside a forest."""

import csv
import tempfile
from pathlib import Path

from sklearn.datasets import load_wine

import netwright as nw

if __name__ == "__main__":
    wines = load_wine()
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "wines.csv"
        with table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*wines.feature_names, "cultivar"])
            writer.writerows(
                [*row, wines.target_names[wine]] for row, wine in zip(wines.data, wines.target, strict=True)
            )
        result = nw.search(
            task="tabular-classification",
            data=str(table),
            task_options={"target": "cultivar"},
            budget="6 trials",
            max_epochs=20,
            out=Path(folder) / "run",
        )
        assert result.card is not None
        metrics = result.card["metrics"]
        for name in ("test_accuracy", "forest_test_accuracy", "test_ece_uncalibrated", "test_ece"):
            print(f"{name:22} {metrics.get(name, float('nan')):.4f}")
