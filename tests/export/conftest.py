"""One export that many tests read."""

from __future__ import annotations

import pytest
from export_networks import TERMS, Exported, Info, card_of, trained

from netwright.export import export_network


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A small CNN with its ONNX file."""
    info = Info()
    weights, examples = trained(TERMS["cnn"], info)
    out = tmp_path_factory.mktemp("export") / "best"
    both = {"test": examples}
    export_network(TERMS["cnn"], weights, info=info, out=out, card=card_of(weights), examples=both)
    return Exported(out, weights, both, info)
