"""Names of the searches by gradients, for those who must not import torch to know them."""

DIFFERENTIABLE = ("beta-darts", "darts", "drnas", "gdas", "pc-darts")
"""They stand in the place of a strategy; `netwright.supernet.differentiable.METHODS` holds them."""
