"""The module classes of encoder-decoder networks, as text that generated source may contain, see `helpers`.

Each part of the decoder computes all positions at once (``forward``), or one more position with what it kept of those
before (``step``); both give the same numbers, from the same weights. What is kept is a tuple of tensors, batch first.
"""

from __future__ import annotations

TEXTS = '''\
class SourceAttention(nn.Module):
    """Multi-head attention of each position of a source to those that the mask admits."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(features, 3 * features)
        self.out = nn.Linear(features, features)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        q, k, v = self.query_key_value(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None])
        return self.out(x.transpose(1, 2).flatten(2))


class SourceConvolution(nn.Module):
    """A gate, a depthwise convolution and a linear layer over a source; padding counts as zeros."""

    def __init__(self, features: int, kernel_size: int) -> None:
        super().__init__()
        self.value_gate = nn.Linear(features, 2 * features)
        self.conv = nn.Conv1d(
            features, features, kernel_size, padding=kernel_size // 2, groups=features
        )
        self.out = nn.Linear(features, features)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = F.glu(self.value_gate(x)) * mask[:, :, None].to(x.dtype)
        return self.out(self.conv(x.transpose(1, 2)).transpose(1, 2))


class SourceRecurrent(nn.Module):
    """Two recurrent layers over a source, one of which reads it from its end."""

    def __init__(self, forwards: nn.GRU, backwards: nn.GRU) -> None:
        super().__init__()
        self.forwards = forwards
        self.backwards = backwards

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        positions = torch.arange(x.shape[1], device=x.device)
        # tokens in the opposite order, padding still at the end
        turned = (mask.sum(1, keepdim=True) - 1 - positions) % x.shape[1]
        there = self.forwards(x)[0]
        index = turned[:, :, None].expand(-1, -1, x.shape[2])
        back = self.backwards(x.gather(1, index))[0]
        back = back.gather(1, turned[:, :, None].expand(-1, -1, back.shape[2]))
        return torch.cat([there, back], dim=2) * mask[:, :, None].to(x.dtype)


class TargetAttention(nn.Module):
    """Multi-head attention of each position of a target to itself and those before it."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(features, 3 * features)
        self.out = nn.Linear(features, features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.query_key_value(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        x = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(x.transpose(1, 2).flatten(2))

    def begin(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What is kept before the first position: no keys and values."""
        nothing = x.new_zeros(x.shape[0], self.heads, 0, x.shape[2] // self.heads)
        return nothing, nothing

    def step(
        self, x: torch.Tensor, kept: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """One more position (batch, 1, features)."""
        q, k, v = self.query_key_value(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        k, v = torch.cat([kept[0], k], dim=2), torch.cat([kept[1], v], dim=2)
        x = F.scaled_dot_product_attention(q, k, v)
        return self.out(x.transpose(1, 2).flatten(2)), (k, v)


class TargetConvolution(nn.Module):
    """A gate, a depthwise convolution and a linear layer over a target; no position sees a later one."""

    def __init__(self, features: int, kernel_size: int) -> None:
        super().__init__()
        self.before = kernel_size - 1
        self.value_gate = nn.Linear(features, 2 * features)
        self.conv = nn.Conv1d(features, features, kernel_size, groups=features)
        self.out = nn.Linear(features, features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.pad(F.glu(self.value_gate(x)).transpose(1, 2), (self.before, 0))
        return self.out(self.conv(x).transpose(1, 2))

    def begin(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What is kept before the first position: zeros."""
        return (x.new_zeros(x.shape[0], x.shape[2], self.before),)

    def step(
        self, x: torch.Tensor, kept: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """One more position (batch, 1, features)."""
        x = torch.cat([kept[0], F.glu(self.value_gate(x)).transpose(1, 2)], dim=2)
        return self.out(self.conv(x).transpose(1, 2)), (x[:, :, 1:],)


class TargetRecurrent(nn.Module):
    """A recurrent layer over a target."""

    def __init__(self, layer: nn.GRU) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[0]

    def begin(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What is kept before the first position: zeros."""
        return (x.new_zeros(x.shape[0], self.layer.hidden_size),)

    def step(
        self, x: torch.Tensor, kept: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """One more position (batch, 1, features)."""
        x, last = self.layer(x, kept[0][None])
        return x, (last[0],)


class CrossAttention(nn.Module):
    """Multi-head attention of the positions of a target to those of a source."""

    def __init__(self, features: int, memory_features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(features, features)
        self.key_value = nn.Linear(memory_features, 2 * features)
        self.out = nn.Linear(features, features)

    def read(self, memory: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Keys and values of a source."""
        k, v = self.key_value(memory).unflatten(2, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return k, v

    def forward(
        self, x: torch.Tensor, memory: tuple[torch.Tensor, ...], mask: torch.Tensor
    ) -> torch.Tensor:
        q = self.query(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
        mask = mask[:, None, None]
        x = F.scaled_dot_product_attention(q, memory[0], memory[1], attn_mask=mask)
        return self.out(x.transpose(1, 2).flatten(2))


class EncoderLayer(nn.Module):
    """What mixes the positions of a source, and a small network at each; both are added to what comes in."""

    def __init__(
        self,
        first_norm: nn.Module,
        mixer: nn.Module,
        second_norm: nn.Module,
        mlp: nn.Module,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.first_norm = first_norm
        self.mixer = mixer
        self.second_norm = second_norm
        self.mlp = mlp
        self.dropout = dropout

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = x + F.dropout(self.mixer(self.first_norm(x), mask), self.dropout, self.training)
        return x + F.dropout(self.mlp(self.second_norm(x)), self.dropout, self.training)


class DecoderLayer(nn.Module):
    """What mixes the positions of a target, attention to layers of the encoder, and a small network at each."""

    def __init__(
        self,
        first_norm: nn.Module,
        mixer: nn.Module,
        cross_norm: nn.Module,
        cross: nn.Module,
        second_norm: nn.Module,
        mlp: nn.Module,
        reads: tuple[int, ...],
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.first_norm = first_norm
        self.mixer = mixer
        self.cross_norm = cross_norm
        self.cross = cross
        self.second_norm = second_norm
        self.mlp = mlp
        self.reads = reads
        self.dropout = dropout

    def read(
        self, memories: list[torch.Tensor], mask: torch.Tensor
    ) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
        """Keys and values of the encoder's layers that it attends to, side by side, and their mask."""
        memory = torch.cat([memories[number] for number in self.reads], dim=1)
        return self.cross.read(memory), torch.cat([mask for _ in self.reads], dim=1)

    def forward(
        self, x: torch.Tensor, memories: list[torch.Tensor], mask: torch.Tensor
    ) -> torch.Tensor:
        x = x + F.dropout(self.mixer(self.first_norm(x)), self.dropout, self.training)
        return self.after(x, *self.read(memories, mask))

    def after(
        self, x: torch.Tensor, memory: tuple[torch.Tensor, ...], mask: torch.Tensor
    ) -> torch.Tensor:
        """What comes after the positions are mixed."""
        seen = self.cross(self.cross_norm(x), memory, mask)
        x = x + F.dropout(seen, self.dropout, self.training)
        return x + F.dropout(self.mlp(self.second_norm(x)), self.dropout, self.training)


class EncoderDecoder(nn.Module):
    """Gives logits of each token of a target from a source and the tokens before it.

    A row holds the tokens of the source, then those of the target one place to the right. Token 0
    is padding, 1 stands before a target, 2 ends a source and a target.
    """

    trims = False  # whether what is padding in all rows is left out in evaluation, too

    def __init__(
        self,
        source_length: int,
        source: nn.Embedding,
        source_positions: nn.Module,
        encoder: list[nn.Module],
        encoder_norm: nn.Module,
        target: nn.Embedding,
        target_positions: nn.Module,
        decoder: list[nn.Module],
        decoder_norm: nn.Module,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.source_length = source_length
        self.source = source
        self.source_positions = source_positions
        self.encoder = nn.ModuleList(encoder)
        self.encoder_norm = encoder_norm
        self.target = target
        self.target_positions = target_positions
        self.decoder = nn.ModuleList(decoder)
        self.decoder_norm = decoder_norm
        self.dropout = dropout
        for table in (source, target):
            nn.init.normal_(table.weight, std=table.embedding_dim**-0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        source, target = x[:, : self.source_length], x[:, self.source_length :]
        if self.training or self.trims:
            source, target = self.trimmed(source), self.trimmed(target)
        memories, mask = self.encode(source)
        x = self.target_positions(self.target(target) * self.target.embedding_dim**0.5)
        x = F.dropout(x, self.dropout, self.training)
        for layer in self.decoder:
            x = layer(x, memories, mask)
        return self.logits(x)

    def trimmed(self, tokens: torch.Tensor) -> torch.Tensor:
        """The tokens without the columns at the end that hold nothing but padding."""
        used = (tokens != 0).any(0).nonzero()
        return tokens[:, : int(used[-1]) + 1] if len(used) else tokens[:, :1]

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of tokens; the weights are those of the target's embedding."""
        return F.linear(self.decoder_norm(x), self.target.weight)

    def encode(self, source: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        """What each layer of the encoder gives for tokens (batch, length), and which are no padding."""
        mask = source != 0
        mask = torch.cat([torch.ones_like(mask[:, :1]), mask[:, 1:]], dim=1)
        x = self.source_positions(self.source(source) * self.source.embedding_dim**0.5)
        x = F.dropout(x, self.dropout, self.training)
        memories = []
        for layer in self.encoder:
            x = layer(x, mask)
            memories.append(self.encoder_norm(x))
        return memories, mask

    def begin(self, source: torch.Tensor) -> tuple[list, list]:
        """What `step` needs: keys and values of the source with their masks, and what layers keep."""
        memories, mask = self.encode(self.trimmed(source))
        x = self.target.weight.new_zeros(len(source), 1, self.target.embedding_dim)
        return [layer.read(memories, mask) for layer in self.decoder], [
            layer.mixer.begin(x) for layer in self.decoder
        ]

    def step(
        self, tokens: torch.Tensor, position: int, read: list, kept: list
    ) -> tuple[torch.Tensor, list]:
        """Logits (batch, tokens) of what follows the tokens (batch,) at a position, and what is kept."""
        x = self.target(tokens[:, None]) * self.target.embedding_dim**0.5
        x = x + self.target_positions.weight[position]
        after = []
        for layer, (memory, mask), before in zip(self.decoder, read, kept):
            mixed, now = layer.mixer.step(layer.first_norm(x), before)
            x = layer.after(x + mixed, memory, mask)
            after.append(now)
        return self.logits(x)[:, 0], after

    @torch.no_grad()
    def translate(
        self, source: torch.Tensor, most: int, beams: int = 4, penalty: float = 1.0
    ) -> torch.Tensor:
        """Tokens (batch, length) of the likeliest targets that a beam search finds, 2 and then 0 at the end.

        A hypothesis of n tokens is worth its log likelihood divided by n**penalty; one beam is
        the greedy search. ``most`` tokens are given at most. Sentences that have ended leave the batch.
        """
        count, device = len(source), source.device
        most = min(most, len(self.target_positions.weight))
        read, kept = self.begin(source.repeat_interleave(beams, 0))
        tokens = source.new_full((count * beams,), 1)
        found = source.new_zeros(count * beams, 0)
        score = torch.full((count, beams), -torch.inf, device=device)
        score[:, 0] = 0.0  # all beams are one at first
        ended = torch.zeros(count, beams, dtype=torch.bool, device=device)
        length = torch.ones(count, beams, device=device)
        going, told = torch.arange(count, device=device), source.new_zeros(count, most)
        for position in range(most):
            first = torch.arange(len(going), device=device)[:, None] * beams
            logits, kept = self.step(tokens, position, read, kept)
            likely = logits.float().log_softmax(1).view(len(going), beams, -1)
            likely[:, :, :2] = -torch.inf  # padding, and what stands before a target
            if position == most - 1:
                likely[:, :, 3:] = -torch.inf
            only_padding = torch.full_like(likely, -torch.inf)
            only_padding[:, :, 0] = 0.0
            likely = torch.where(ended[:, :, None], only_padding, likely)
            total = score[:, :, None] + likely
            reached = torch.where(ended, length, length.new_tensor(position + 1.0))
            value = (total / reached[:, :, None] ** penalty).flatten(1)
            best = value.topk(beams, dim=1).indices
            beam, token = best // likely.shape[2], best % likely.shape[2]
            score = total.flatten(1).gather(1, best)
            length, ended = reached.gather(1, beam), ended.gather(1, beam) | (token == 2)
            rows, tokens = (first + beam).flatten(), token.flatten()
            kept = [tuple(part[rows] for part in layer) for layer in kept]
            found = torch.cat([found[rows], tokens[:, None]], dim=1)
            done = ended.all(1) | (position == most - 1)
            if not bool(done.any()):
                continue
            best = (score / length**penalty).argmax(1, keepdim=True)
            told[going[done], : position + 1] = found[(first + best).flatten()][done]
            if bool(done.all()):
                break
            going, score, length, ended = going[~done], score[~done], length[~done], ended[~done]
            rows = (first[~done] + torch.arange(beams, device=device)).flatten()
            tokens, found = tokens[rows], found[rows]
            kept = [tuple(part[rows] for part in layer) for layer in kept]
            read = [(tuple(part[rows] for part in pair), mask[rows]) for pair, mask in read]
        return told[:, : position + 1]
'''
