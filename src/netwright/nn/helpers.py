"""The small module classes that generated source may contain, as text; only those used are written.

They are ordinary torch modules and know nothing of netwright. Each text stands as ``ruff format`` prints it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from netwright.nn import column_modules, graph_modules, translation_helpers

_TEXTS = '''\
class Residual(nn.Module):
    """Adds its input, or a shortcut of it, to what the body gives."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        self.shortcut = nn.Identity() if shortcut is None else shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.shortcut(x) + self.body(x)


class Sum(nn.Module):
    """Sum of its branches, all run on the same input."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.branches[0](x)
        for branch in self.branches[1:]:
            out = out + branch(x)
        return out


class Mean(nn.Module):
    """Mean of its branches, all run on the same input."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.branches[0](x)
        for branch in self.branches[1:]:
            out = out + branch(x)
        return out / len(self.branches)


class Product(nn.Module):
    """Product of its branches, all run on the same input."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.branches[0](x)
        for branch in self.branches[1:]:
            out = out * branch(x)
        return out


class Concat(nn.Module):
    """Its branches, all run on the same input, side by side along one dimension."""

    def __init__(self, *branches: nn.Module, dim: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.dim = dim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=self.dim)


class Zero(nn.Module):
    """Gives zeros of its input's shape."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(x)


class DropPath(nn.Module):
    """While training, drops whole examples with probability p and scales the others (stochastic depth)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        keep = torch.rand((x.shape[0],) + (1,) * (x.dim() - 1), device=x.device) >= self.p
        return x * keep.to(x.dtype) / (1 - self.p)


class ChannelsLast(nn.Module):
    """Runs the body with the channels as the last dimension."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x.movedim(1, -1)).movedim(-1, 1)


class SqueezeExcite(nn.Module):
    """Weights the channels of an image by a small network over their means."""

    def __init__(self, channels: int, hidden_channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, hidden_channels, kernel_size=1)
        self.expand = nn.Conv2d(hidden_channels, channels, kernel_size=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights = F.relu(self.reduce(x.mean((2, 3), keepdim=True)))
        return x * F.hardsigmoid(self.expand(weights))


class FactorizedReduce(nn.Module):
    """Halves the extent by two convolutions, one over the even and one over the odd positions."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        half = out_channels // 2
        self.even = nn.Conv2d(in_channels, half, kernel_size=1, stride=2, bias=False)
        self.odd = nn.Conv2d(in_channels, out_channels - half, kernel_size=1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(x)
        shifted = F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        return self.norm(torch.cat([self.even(x), self.odd(shifted)], dim=1))


class GlobalPool(nn.Module):
    """Mean or maximum over the positions of a sequence (batch, positions, features)."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=1) if self.mode == "avg" else x.amax(dim=1)


class TokenEmbedding(nn.Module):
    """A vector for each token, drawn with a standard deviation; zeros for padding, which is token 0 behind others."""

    def __init__(self, table: nn.Embedding, std: float, padded: bool = False) -> None:
        super().__init__()
        self.table = table
        self.padded = padded
        nn.init.normal_(table.weight, std=std)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        vectors = self.table(x)
        if not self.padded:
            return vectors
        kept = torch.cat([torch.ones_like(x[:, :1]), x[:, 1:]], dim=1) != 0
        return vectors * kept[:, :, None].to(vectors.dtype)


class KeepPadding(nn.Module):
    """Runs the body, and gives zeros at the positions where all features of its input are: they are padding."""

    def __init__(self, body: nn.Module, dim: int) -> None:
        super().__init__()
        self.body = body
        self.dim = dim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x) * (x != 0).any(dim=self.dim, keepdim=True).to(x.dtype)


class PaddedPool(nn.Module):
    """Mean or maximum over the positions of a sequence (batch, positions, features) that are not all zeros, else 0."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = (x != 0).any(dim=2, keepdim=True)
        if self.mode == "avg":
            return x.sum(dim=1) / kept.to(x.dtype).sum(dim=1).clamp(min=1)
        return x.masked_fill(~kept, -1e9).amax(dim=1) * kept.any(dim=1).to(x.dtype)


class SelfAttention(nn.Module):
    """Multi-head self-attention over (batch, positions, features); ``padded``: to no position of zeros."""

    def __init__(
        self, features: int, heads: int, causal: bool = False, dropout: float = 0.0, padded: bool = False
    ) -> None:
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.dropout = dropout
        self.padded = padded
        self.query_key_value = nn.Linear(features, 3 * features)
        self.out = nn.Linear(features, features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.query_key_value(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        mask = None
        if self.padded:
            mask = -1e9 * (x == 0).all(dim=2)[:, None, None].to(x.dtype)
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=self.causal)
        return self.out(x.transpose(1, 2).flatten(2))


class PositionalEmbedding(nn.Module):
    """Adds a learned vector to each position; sequences may be shorter than ``length``."""

    def __init__(self, length: int, features: int, std: float = 0.02) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(length, features) * std)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.weight[: x.shape[1]]


class Recurrent(nn.Module):
    """Gives the outputs of a recurrent layer: all, or the last of each direction."""

    def __init__(self, layer: nn.RNNBase, returns: str = "sequence") -> None:
        super().__init__()
        self.layer = layer
        self.returns = returns

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        layer = self.layer
        zeros = (0 * x[:, :1, :1]).transpose(0, 1)  # made of x: a traced batch keeps any size
        state = zeros.expand(layer.num_layers * (1 + layer.bidirectional), -1, layer.hidden_size).contiguous()
        out, _ = layer(x, (state, state) if isinstance(layer, nn.LSTM) else state)
        if self.returns == "sequence":
            return out
        if not self.layer.bidirectional:
            return out[:, -1]
        forwards, backwards = out.chunk(2, dim=2)
        return torch.cat([forwards[:, -1], backwards[:, 0]], dim=1)


class PaddedRecurrent(nn.Module):
    """Gives what ``Recurrent`` does for sequences that end before their padding, which is rows of zeros."""

    def __init__(self, layer: nn.RNNBase, returns: str = "sequence") -> None:
        super().__init__()
        self.layer = layer
        self.returns = returns

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        positions = torch.arange(x.shape[1], device=x.device)
        length = ((x != 0).any(dim=2) * (positions + 1)).amax(dim=1, keepdim=True).clamp(min=1)
        turned = ((length - 1 - positions) % x.shape[1])[:, :, None]  # the other order, padding still at the end
        last = (length - 1)[:, :, None].expand(-1, -1, self.layer.hidden_size)
        for number in range(self.layer.num_layers):
            out = self.one_way(x, f"l{number}")
            ends = out.gather(1, last)[:, 0]
            if self.layer.bidirectional:
                back = self.one_way(x.gather(1, turned.expand(-1, -1, x.shape[2])), f"l{number}_reverse")
                ends = torch.cat([ends, back.gather(1, last)[:, 0]], dim=1)
                out = torch.cat([out, back.gather(1, turned.expand(-1, -1, back.shape[2]))], dim=2)
            x = out
        return x if self.returns == "sequence" else ends

    def one_way(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """What one layer gives in one direction, from the first position to the last."""
        layer = self.layer
        weights = [getattr(layer, f"{kind}_{name}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        zeros = (0 * x[:, :1, :1]).transpose(0, 1)  # made of x: a traced batch keeps any size
        state = zeros.expand(1, -1, layer.hidden_size).contiguous()
        options = (True, 1, 0.0, self.training, False, True)
        if isinstance(layer, nn.LSTM):
            return torch.lstm(x, (state, state), weights, *options)[0]
        run = torch.gru if isinstance(layer, nn.GRU) else torch.rnn_tanh
        return run(x, state, weights, *options)[0]


class OverPositions(nn.Module):
    """Runs the body on the positions of an image as a sequence (batch, positions, channels)."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.body(x.flatten(2).transpose(1, 2))
        return out.transpose(1, 2).unflatten(2, x.shape[2:])


class ReversibleNorm(nn.Module):
    """Runs the body on a window (batch, channels, steps) of mean 0 and deviation 1, and gives back both after it."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = x.mean(2, keepdim=True)
        deviation = ((x - mean).square().mean(2, keepdim=True) + 1e-5).sqrt()
        out = self.body((x - mean) / deviation)
        return out * deviation[:, : out.shape[1]] + mean[:, : out.shape[1]]


class SeriesNorm(nn.Module):
    """Brings each channel of a series (batch, channels, steps) to mean 0 and deviation 1."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x - x.mean(2, keepdim=True)
        return x / (x.square().mean(2, keepdim=True) + 1e-8).sqrt()


class ToSequence(nn.Module):
    """Turns (batch, channels, extent...) into (batch, positions, channels)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(2).transpose(1, 2)


class ToChannels(nn.Module):
    """Turns (batch, positions, channels) into (batch, channels, extent...)."""

    def __init__(self, extent: tuple[int, ...]) -> None:
        super().__init__()
        self.extent = extent

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.transpose(1, 2).unflatten(2, self.extent)


class Permute(nn.Module):
    """Brings the dimensions into another order; the batch stays first."""

    def __init__(self, *order: int) -> None:
        super().__init__()
        self.order = order

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, *self.order)


class TakeChannels(nn.Module):
    """Gives the first channels."""

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        self.channels = channels
        self.dim = dim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.narrow(self.dim, 0, self.channels)


class Normalize(nn.Module):
    """Subtracts the mean of each channel and divides by its standard deviation."""

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...], shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).reshape(shape))
        self.register_buffer("std", torch.tensor(std).reshape(shape))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - self.mean) / self.std


class DecodeBoxes(nn.Module):
    """Makes boxes in pixels of what a detector says at each point of its maps: distances to four sides, and classes."""

    def __init__(
        self, extents: tuple[tuple[int, int], ...], strides: tuple[int, ...], side: float, log_odds: float
    ) -> None:
        super().__init__()
        points = []
        for (height, width), stride in zip(extents, strides, strict=True):
            y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
            centres = (torch.stack([x, y], 2).reshape(-1, 2) + 0.5) * stride
            points.append(torch.cat([centres, torch.full((height * width, 1), float(stride))], 1))
        self.register_buffer("points", torch.cat(points))
        self.side = side
        self.log_odds = log_odds

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        centres, strides = self.points[:, :2], self.points[:, 2:]
        distances = nn.functional.softplus(x[:, :, :4]) * (strides * self.side)
        corners = [centres - distances[:, :, :2], centres + distances[:, :, 2:], x[:, :, 4:] + self.log_odds]
        return torch.cat(corners, 2)


class Joint(nn.Module):
    """Brings two inputs to one shape and gives them to a cell."""

    def __init__(self, before0: nn.Module, before1: nn.Module, cell: nn.Module) -> None:
        super().__init__()
        self.before0 = before0
        self.before1 = before1
        self.cell = cell

    def forward(self, x0: torch.Tensor, x1: torch.Tensor) -> torch.Tensor:
        return self.cell(self.before0(x0), self.before1(x1))


class CellChain(nn.Module):
    """Runs cells one after the other, each on what the two before it gave."""

    def __init__(self, *cells: nn.Module) -> None:
        super().__init__()
        self.cells = nn.ModuleList(cells)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        before, last = x, x
        for cell in self.cells:
            before, last = last, cell(before, last)
        return last
'''


def _split(texts: str) -> dict[str, str]:
    blocks = [block.strip("\n") for block in re.split(r"\n\n\n(?=class )", texts)]
    return {block[len("class ") : block.index("(")]: block for block in blocks}


HELPERS: Mapping[str, str] = MappingProxyType(
    {
        name: text
        for texts in (_TEXTS, column_modules.TEXTS, graph_modules.TEXTS, translation_helpers.TEXTS)
        for name, text in _split(texts).items()
    }
)
"""Text of each helper class by its name, in the order in which they are written."""
