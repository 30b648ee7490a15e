"""Graphs: a search and hand-made networks alone, in the same wall time, on Cora with its public split.

    python benchmarks/graph_cora.py --budget 5m --seeds 0 1 2 --write docs/figures/graphs.md
    python benchmarks/graph_cora.py --arms gcn appnp --seeds 0

Accuracy of 1,000 test nodes, read once at the end of each run. With 140 labels one run says little: the standard
deviation over seeds of GAT is 0.007 in its paper (table 2), so read the means and their intervals. The
references are trained for the full number of steps, or until the time is up; more time does not make them better.
"""

from __future__ import annotations

from at_equal_time import Case, parser, run

REFERENCES = ("gcn", "gat", "appnp")


def main() -> None:
    """Run what the command line asks for."""
    given = parser(__doc__, "graphs").parse_args()
    data = str(given.shared / "graph" / "cora.npz")
    run([Case("cora", "node-classification", data, "test_accuracy", False, REFERENCES)], given, __doc__)


if __name__ == "__main__":
    main()
