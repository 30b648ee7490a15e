"""Names of the searches on weights that all networks share, for those who must not import torch to know them."""

DIFFERENTIABLE = ("beta-darts", "darts", "drnas", "enas", "gdas", "pc-darts")
"""They stand in the place of a strategy; `netwright.supernet.differentiable.METHODS` holds them."""

WITHOUT_RELAXATION = "enas"
"""The one that mixes nothing: it runs networks of a supernet one at a time, so that it searches every space."""
