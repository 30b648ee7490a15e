"""The module classes of tables in generated source, as text; see `netwright.nn.helpers`."""

from __future__ import annotations

TEXTS = '''\
class ColumnTokens(nn.Module):
    """Makes a token of each column of a table: first of the numbers, then of the categories, given by number."""

    def __init__(
        self,
        numbers: int,
        categories: tuple[int, ...],
        features: int,
        frequencies: int = 0,
        scale: float = 0.1,
        bins: int = 0,
    ) -> None:
        super().__init__()
        self.numbers = numbers
        self.categories = categories
        self.frequencies = frequencies
        self.bins = bins if numbers else 0
        if numbers:
            bound = (2 * frequencies + 1) ** -0.5
            self.weight = nn.Parameter(torch.empty(numbers, features).uniform_(-bound, bound))
            self.bias = nn.Parameter(torch.empty(numbers, features).uniform_(-bound, bound))
        if numbers and frequencies:
            self.waves = nn.Parameter(torch.randn(numbers, frequencies) * scale)
            self.sine = nn.Parameter(torch.empty(numbers, frequencies, features).uniform_(-bound, bound))
            self.cosine = nn.Parameter(torch.empty(numbers, frequencies, features).uniform_(-bound, bound))
        if self.bins:
            ranks = torch.linspace(0.00135, 0.99865, bins + 1, device="cpu", dtype=torch.float64)
            self.edges = torch.special.ndtri(ranks).tolist()
            self.pieces = nn.Parameter(torch.zeros(numbers, bins, features))
        if categories:
            self.table = nn.Parameter(torch.randn(sum(categories), features) * features**-0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = []
        if self.numbers:
            values = x[:, : self.numbers, None]
            token = values * self.weight + self.bias
            if self.frequencies:
                angle = 2 * torch.pi * values * self.waves
                token = token + torch.einsum("bnk,nkd->bnd", angle.sin(), self.sine)
                token = F.relu(token + torch.einsum("bnk,nkd->bnd", angle.cos(), self.cosine))
            if self.bins:
                edges = torch.tensor(self.edges, dtype=x.dtype, device=x.device)
                full = ((values - edges[:-1]) / (edges[1:] - edges[:-1])).clamp(0, 1)
                token = token + torch.einsum("bnk,nkd->bnd", full, self.pieces)
            tokens.append(token)
        if self.categories:
            tokens.append(F.embedding(self.rows(x), self.table))
        return torch.cat(tokens, dim=1)

    def rows(self, x: torch.Tensor) -> torch.Tensor:
        """Rows (batch, columns) of a table of all categories; what is no category counts as the first, 'other'."""
        limits = torch.tensor(self.categories, device=x.device)
        numbers = x[:, self.numbers : self.numbers + len(self.categories)].round().long()
        known = torch.where((numbers >= 0) & (numbers < limits), numbers, 0)
        return known + limits.cumsum(0) - limits


class ColumnVector(nn.Module):
    """Gives the numbers of a table as they are, and its categories one-hot."""

    def __init__(self, numbers: int, categories: tuple[int, ...]) -> None:
        super().__init__()
        self.numbers = numbers
        self.categories = categories

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.categories:
            return x[:, : self.numbers]
        rows = self.rows(x)
        zeros = torch.zeros(x.shape[0], sum(self.categories), dtype=x.dtype, device=x.device)
        return torch.cat([x[:, : self.numbers], zeros.scatter(1, rows, 1.0)], dim=1)

    def rows(self, x: torch.Tensor) -> torch.Tensor:
        """Rows (batch, columns) of a table of all categories; what is no category counts as the first, 'other'."""
        limits = torch.tensor(self.categories, device=x.device)
        numbers = x[:, self.numbers : self.numbers + len(self.categories)].round().long()
        known = torch.where((numbers >= 0) & (numbers < limits), numbers, 0)
        return known + limits.cumsum(0) - limits


class Members(nn.Module):
    """Gives a vector to each member of an ensemble, scaled by the member's own weights."""

    def __init__(self, count: int, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(1.0 + 0.5 * torch.randn(count, features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, None] * self.weight


class MemberLinear(nn.Module):
    """A linear layer of its own for each member of an ensemble."""

    def __init__(self, count: int, in_features: int, out_features: int) -> None:
        super().__init__()
        bound = in_features**-0.5
        self.weight = nn.Parameter(torch.empty(count, in_features, out_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(count, out_features).uniform_(-bound, bound))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bkd,kdf->bkf", x, self.weight) + self.bias


class CombineMembers(nn.Module):
    """While training, gives what each member says; then the mean: of values, or the log of that of probabilities."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            return x
        if self.mode == "values" or x.shape[1] == 1:
            return x.mean(1)
        return x.softmax(2).mean(1).clamp(min=1e-30).log()


class Temperature(nn.Module):
    """Divides logits by a number that is found after the training, so that probabilities are honest; 1 before."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / self.temperature
'''
