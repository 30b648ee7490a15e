"""Pairs of sentences as rows of tokens, learned by teacher forcing, scored by perplexity and, at the end, by BLEU.

While networks are compared, none translates: what is compared is the perplexity of the reference translations, a token
of the target at a time with those before it given. At the end the best network translates the test part by beam search,
and sacreBLEU and chrF measure that. Knows no search spaces.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError, SpecError, wrong
from netwright.space import SearchSpace
from netwright.tasks.base import Examples, ExportInfo, Reference, Task
from netwright.tasks.learning import LearningTask, any_moved
from netwright.tasks.loaded import remembered
from netwright.tasks.numbering import Numbering
from netwright.tasks.subwords import FEWEST, Subwords, learn_merges, meanings, written
from netwright.tasks.translation.files import Corpus, Pair, clean_text, lower_text, read_corpora
from netwright.tasks.translation.scoring import DEFAULT, bleu_and_chrf, signatures, tokenizer_of
from netwright.types import Architecture, Objective, Value

if TYPE_CHECKING:
    from torch import Tensor, nn

PAD, BEGIN, END = 0, 1, 2
BEAMS = 4
MOST_PERPLEXITY = 1e22
_TRANSLATED_AT_ONCE = 50
_TRANSLATED = 4.0
"""What translating a sentence by `BEAMS` costs, in pairs that are trained on: 1.7 to 1.9 for each hand-made network
where what is found is as long as the reference, and more where a network goes on to the end of a row."""

_LONGEST = 0.999
"""Share of the training sentences that a row has room for; of longer ones the pair is left out."""

_FULL_PAIRS = 1.2e6
"""Pairs seen in a training after which little is gained, if they are many."""

_BATCH, _LARGE_BATCH, _MANY_PAIRS = 64, 128, 10_000
"""Pairs a step, and where there are many."""

_SEEN = 2000
"""Training pairs by whose letters is decided where the words of a language end."""

_LIMITS: Mapping[str, tuple[int, int]] = MappingProxyType({"vocabulary": (FEWEST, 30_000), "most_tokens": (4, 1024)})
"""Of options that are whole numbers."""

_FEWEST_PAIRS = 20
_HELD_OUT = 0.1
_MOST_HELD_OUT = 1000


class Translation(LearningTask):
    """Sentences into another language. Made by `load` or `from_pairs`.

    Args:
        parts: pairs of texts by part: ``train``, ``validation``, ``test``.
        merges: of the source's and of the target's subwords, as text.
        lengths: tokens of a source and of a target that a row has room for, marks included.
        lowercase: whether the texts are made lower case, as what is translated then must be.
        bleu_tokenizer: with which BLEU finds words, by sacreBLEU's name.
        others: as of `LearningTask`.
    """

    name = "translation"
    objective = Objective("perplexity", "min")
    directions = MappingProxyType({"perplexity": "min", "token_accuracy": "max"})
    metric_ranges = MappingProxyType(
        {"perplexity": (1.0, MOST_PERPLEXITY), "token_accuracy": (0.0, 1.0), "loss": (0.0, float("inf"))}
    )
    input_dtype = "int64"
    least_steps = 100

    def __init__(
        self,
        parts: Mapping[str, Sequence[Pair]],
        merges: tuple[tuple[str, ...], tuple[str, ...]],
        lengths: tuple[int, int],
        lowercase: bool = False,
        bleu_tokenizer: str = DEFAULT,
        **others: object,
    ) -> None:
        self.parts, self.merges, self.lowercase, self.bleu_tokenizer = parts, merges, lowercase, bleu_tokenizer
        self.source, self.target = map(_subwords, merges)
        self.source_length, self.target_length = lengths
        train, validation = self._rows(parts["train"]), self._rows(parts["validation"])
        num_test = len(parts["test"])
        super().__init__(
            train,
            validation,
            lambda: self._rows(parts["test"]),
            num_test=num_test,
            **others,  # type: ignore[arg-type]
        )
        self.full_epochs = float(np.clip(round(_FULL_PAIRS / len(train[1])), 12, 60))

    @classmethod
    @remembered
    def load(
        cls,
        data: str | Path,
        *,
        seed: int = 0,
        source: str = "",
        target: str = "",
        train: str = "",
        validation: str = "",
        test: str = "",
        vocabulary: int = 4000,
        joint: bool = False,
        lowercase: bool = False,
        most_tokens: int = 128,
        bleu_tokenizer: str = "",
    ) -> Translation:
        """Read a parallel corpus; parts that it has not are split off.

        Args:
            data: as of `netwright.tasks.translation.files.read_corpora`.
            seed: of the split.
            source: ending of the source's files, where there are several languages.
            target: ending of the target's files.
            train: name of the training files without ending, if it is not ``train``.
            validation: the same of the validation part.
            test: the same of the test part.
            vocabulary: most subwords of each language (of both together with ``joint``), from 259 to 30,000.
            joint: one vocabulary for both, for languages with common words.
            lowercase: whether everything is made lower case first, references included.
            most_tokens: of a sentence, at most; longer training pairs are left out.
            bleu_tokenizer: as of `netwright.tasks.translation.scoring.tokenizer_of`; empty to go by the letters.

        Raises:
            DataError: the data cannot be used.
            SpecError: an option is wrong.
            MissingDependencyError: the package tokenizers or sacrebleu is not installed.
        """
        _check_options({"vocabulary": vocabulary, "most_tokens": most_tokens}, {"joint": joint, "lowercase": lowercase})
        parts, notes = _read(data, seed, (source, target), {"train": train, "validation": validation, "test": test})
        return cls.from_pairs(
            parts,
            vocabulary=vocabulary,
            joint=joint,
            lowercase=lowercase,
            most_tokens=most_tokens,
            bleu_tokenizer=str(bleu_tokenizer),
            data_name=Path(str(data)).name or str(data),
            seed=seed,
            notes=notes,
        )

    @classmethod
    def from_pairs(
        cls,
        parts: Mapping[str, Sequence[Pair]],
        *,
        vocabulary: int = 4000,
        joint: bool = False,
        lowercase: bool = False,
        most_tokens: int = 128,
        bleu_tokenizer: str = "",
        data_name: str = "pairs",
        seed: int = 0,
        notes: Sequence[str] = (),
    ) -> Translation:
        """Make the task of pairs of texts, by part: ``train``, ``validation``, ``test``; options as of `load`.

        Raises:
            DataError: too few training pairs are left.
            SpecError: there is no such tokenizer.
            MissingDependencyError: the package tokenizers or sacrebleu is not installed.
        """
        words = tokenizer_of((theirs for _, theirs in parts["train"][:_SEEN]), bleu_tokenizer)
        if lowercase:
            parts = {part: [(lower_text(a), lower_text(b)) for a, b in pairs] for part, pairs in parts.items()}
        merges = _learned(parts["train"], vocabulary, joint=joint)
        counts = _num_tokens(parts["train"], merges)
        room = [min(most_tokens, 4 * -(-int(np.quantile(side, _LONGEST)) // 4)) for side in counts]
        limit = f"of more than {room[0]} source or {room[1]} target tokens"
        fits = np.all(counts <= np.array(room)[:, None], axis=0)
        train = [pair for pair, fit in zip(parts["train"], list(fits), strict=True) if fit]
        if len(train) < _FEWEST_PAIRS:
            raise DataError(f"{data_name}: {len(train)} training pairs remain, needs at least {_FEWEST_PAIRS}")
        told = [*notes, *([] if np.all(fits) else [f"{int((~fits).sum())} training pairs {limit} are left out"])]
        for part in ("validation", "test"):
            cut = int(np.any(_num_tokens(parts[part], merges) > np.array(room)[:, None], axis=0).sum())
            told += [f"of {cut} {part} pairs {limit} the beginnings are read"] if cut else []
        told += [*_overlaps(train, parts), f"at the end: {signatures(words)}"]
        parts = {**parts, "train": train}
        return cls(
            parts, merges, (room[0], room[1]), lowercase, words, data_name=data_name, seed=seed, notes=tuple(told)
        )

    # --- data

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Logits of each token of the target."""
        return self.target_length, len(self.target)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """(N,) by which training pairs are put together: tokens of the target, then of the source."""
        inputs, targets = self.train()
        source = (inputs[:, : self.source_length] != PAD).sum(1)
        return np.asarray((targets >= 0).sum(1) * 1024 + source)

    @cached_property
    def mean_length(self) -> float:
        """Mean number of tokens of a training target."""
        return float((self.train()[1] >= 0).sum(1).mean())

    @property
    def work(self) -> float:
        """What a pair costs, in pixels of an image.

        The transformer of 128 features takes 0.12 ms for each token on one machine and 0.33 ms on another; this is 0.2.
        """
        return 113.0 * float((self.train()[0] != PAD).sum(1).mean())

    @property
    def final_examples(self) -> float:  # type: ignore[override]  # it depends on the number of sentences here
        """What translating the test part costs, in training pairs."""
        return _TRANSLATED * len(self.parts["test"])

    @property
    def numbering(self) -> Numbering:
        """The text of each subword of both languages; the target's table is the output layer, too."""
        return {"source": meanings(self.source), "target": meanings(self.target)}

    def tests_what_was_learned(self, there: Task) -> bool:
        """Whether a sentence is held out here that another reading of the same data trains on.

        Other languages, vocabularies or a change of case make other rows of it, which is no matter.
        """
        if not isinstance(there, Translation):
            return super().tests_what_was_learned(there)
        held_out = self.sentences("validation") | self.sentences("test")
        return any_moved(there.sentences("train"), self.sentences("train"), held_out)

    def sentences(self, part: str) -> set[str]:
        """The sentences of both languages of a part, in any case."""
        return {text.casefold() for pair in self.parts[part] for text in pair}

    def _rows(self, pairs: Sequence[Pair]) -> Examples:
        """Tokens of sources and, one place to the right, of targets; and the targets with -1 behind them.

        What is longer than there is room for is cut off; no training pair is.
        """
        inputs = np.zeros((len(pairs), self.source_length + self.target_length), dtype=np.int16)
        targets = np.full((len(pairs), self.target_length), -1, dtype=np.int16)
        for row, (ours, theirs) in enumerate(pairs):
            source = [*self.source.encode(ours)[: self.source_length - 1], END]
            target = [*self.target.encode(theirs)[: self.target_length - 1], END]
            inputs[row, : len(source)] = source
            inputs[row, self.source_length : self.source_length + len(target)] = [BEGIN, *target[:-1]]
            targets[row, : len(target)] = target
        return inputs, targets

    # --- learning

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Cross entropy in nats a token; every token of the training data counts the same."""
        from netwright.tasks.tokens import token_loss

        return token_loss(outputs, targets, label_smoothing, self.mean_length)

    def scores(self, answers: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """``perplexity`` and ``token_accuracy`` of the references, and ``loss`` in nats a token."""
        from netwright.tasks.tokens import token_scores

        return token_scores(answers)

    def recipe(self) -> Mapping[str, Value]:
        """Measured with ``benchmarks/translation_multi30k.py``, but for the larger batches."""
        return {
            "optimizer": "muon-all",
            "learning_rate": 0.02,
            "side_learning_rate": 2e-3,
            "batch_size": _LARGE_BATCH if len(self.train()[1]) >= _MANY_PAIRS else _BATCH,
            "warmup_steps": 100,
            "clip_norm": 1.0,
        }

    def final_scores(self, network: nn.Module, part: str) -> dict[str, float]:
        """``bleu`` and ``chrf`` of a network's translations of a part, in [0, 100]."""
        pairs = self.parts[part]
        found, wanted = self.translate(network, [ours for ours, _ in pairs]), [theirs for _, theirs in pairs]
        return bleu_and_chrf(found, wanted, self.bleu_tokenizer)

    def translate(self, network: nn.Module, texts: Sequence[str], beams: int = BEAMS) -> list[str]:
        """Translate texts by beam search; one beam is the greedy search."""
        import torch

        inner = cast(Any, next(module for module in network.modules() if hasattr(module, "translate")))
        network.eval()
        rows, _ = self._rows([(self.prepared(text), "") for text in texts])
        source = torch.from_numpy(rows[:, : self.source_length].astype(np.int64))
        source = source.to(next(network.parameters()).device)
        order = torch.argsort((source != PAD).sum(1), stable=True).tolist()
        found = [""] * len(texts)
        for start in range(0, len(texts), _TRANSLATED_AT_ONCE):
            part = order[start : start + _TRANSLATED_AT_ONCE]
            tokens = inner.translate(source[part], self.target_length, beams)
            for number, row in zip(part, tokens.tolist(), strict=True):
                found[number] = self.target.decode(row)
        return found

    def prepared(self, text: str) -> str:
        """A sentence as the networks read it."""
        clean = clean_text(text)
        return lower_text(clean) if self.lowercase else clean

    # --- networks

    def default_space(self) -> SearchSpace:
        from netwright.tasks.translation.spaces import translation_space

        return translation_space(self.source_length, len(self.source), len(self.target))

    def references(self) -> tuple[Reference, ...]:
        from netwright.tasks.translation.spaces import translation_references

        return translation_references(self.default_space())

    def narrowed(self, admits: Callable[[Architecture], bool]) -> tuple[Reference, ...]:
        from netwright.tasks.translation.spaces import narrowed

        return narrowed(self.default_space(), admits)

    def export_info(self) -> ExportInfo:
        """What an exported network must know."""
        return ExportInfo(
            task=self.name,
            input_shape=self.input_shape,
            input_dtype=self.input_dtype,
            output_shape=self.output_shape,
            runtime="translation",
            constants={
                "SOURCE_LENGTH": self.source_length,
                "TARGET_LENGTH": self.target_length,
                "SOURCE_MERGES": self.merges[0],
                "TARGET_MERGES": self.merges[1],
                "LOWERCASE": self.lowercase,
            },
            num_values=min(len(self.source), len(self.target)),
        )

    @cached_property
    def _fingerprint(self) -> str:
        state = hashlib.blake2b(json.dumps([self.merges, self.seed]).encode(), digest_size=16)
        for array in (*self.train(), *self.validation()):
            state.update(np.ascontiguousarray(array).data)
        return state.hexdigest()

    def data_line(self) -> str:
        """What is learned from, in one line."""
        sizes = ", ".join(f"{part} {len(self.parts[part])}" for part in ("train", "validation", "test"))
        room = f"up to {self.source_length} source and {self.target_length} target tokens"
        return f"{self.data_name}: pairs of sentences, {sizes}; {room} of {len(self.source)} and {len(self.target)}"

    def summary(self) -> str:
        """What a person checks before a search: counts, lengths, an example, notes."""
        ours, theirs = self.parts["train"][0]
        return f"{super().summary()}\nfirst pair: {ours!r} -> {theirs!r}"


def _check_options(counts: Mapping[str, object], flags: Mapping[str, object]) -> None:
    """Refuse numbers outside `_LIMITS`, and flags that are none.

    Raises:
        SpecError: names the option.
    """
    for name, value in counts.items():
        low, high = _LIMITS[name]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise SpecError(wrong(f"task option {name}", value, f"a whole number in [{low}, {high}]"))
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            raise SpecError(wrong(f"task option {name}", flag, "true or false"))


def _read(
    data: str | Path, seed: int, languages: tuple[str, str], names: Mapping[str, str]
) -> tuple[dict[str, list[Pair]], list[str]]:
    """The pairs of each part, and what is to be told of them; options of names may have been read as numbers."""
    source, target = map(str, languages)
    corpora = read_corpora(data, source, target, {part: str(name) for part, name in names.items()})
    notes = [note for corpus in corpora.values() for note in corpus.notes]
    return _split(corpora, seed, notes), notes


@lru_cache(maxsize=4)
def _subwords(merges: tuple[str, ...]) -> Subwords:
    """A vocabulary that remembers words; reading a corpus goes through it several times."""
    return Subwords(merges)


def _learned(pairs: Sequence[Pair], vocabulary: int, *, joint: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Merges of the source and of the target, the same ones where they are of both together."""
    ours, theirs = ([pair[side] for pair in pairs] for side in (0, 1))
    if joint:
        both = written(learn_merges([*ours, *theirs], vocabulary))
        return both, both
    return written(learn_merges(ours, vocabulary)), written(learn_merges(theirs, vocabulary))


def _num_tokens(pairs: Sequence[Pair], merges: tuple[tuple[str, ...], tuple[str, ...]]) -> NDArray[np.int64]:
    """(2, N): tokens of each source and target, with a mark."""
    codes = [_subwords(merge) for merge in merges]
    return np.array([[len(code.encode(p[side])) + 1 for p in pairs] for side, code in enumerate(codes)], dtype=np.int64)


def _split(corpora: Mapping[str, Corpus], seed: int, notes: list[str]) -> dict[str, list[Pair]]:
    """The parts there are, and those that have to be split off the training pairs."""
    train = corpora["train"].pairs
    missing = [part for part in ("validation", "test") if part not in corpora]
    count = min(_MOST_HELD_OUT, int(_HELD_OUT * len(train)))
    if len(train) - count * len(missing) < _FEWEST_PAIRS or (missing and not count):
        raise DataError(f"{corpora['train'].where}: {len(train)} pairs are too few; give at least {2 * _FEWEST_PAIRS}")
    found = {part: corpora[part].pairs for part in corpora if part != "train"}
    order = np.random.default_rng([0, 71]).permutation(len(train))
    for part in reversed(missing):
        if part == "validation":
            order = order[np.random.default_rng([seed, 72]).permutation(len(order))]
        chosen = _first(train, order.tolist(), count)
        if not chosen:
            few = f"its {len(set(map(_source, train)))} different sources are too few to split the {part} part off"
            raise DataError(f"{corpora['train'].where}: {few}; give that part, or other pairs")
        order = order[~np.isin(order, chosen)]
        found[part] = [train[i] for i in sorted(chosen)]
        notes.append(f"{part}: {len(chosen)} pairs are split off the training pairs")
    return {"train": [train[i] for i in np.sort(order)], **found}


def _first(pairs: Sequence[Pair], order: Sequence[int], count: int) -> list[int]:
    """The first of an order, at most so many; pairs of one source together, as no part is to know those of another.

    Example:
        >>> _first([("a", "b"), ("c", "d"), ("A", "x"), ("e", "f")], [1, 0, 3, 2], 3)
        [1, 0, 2]
    """
    alike: dict[str, list[int]] = {}
    for row in order:
        alike.setdefault(_source(pairs[row]), []).append(row)
    chosen: list[int] = []
    for rows in alike.values():
        chosen += rows if len(rows) <= count - len(chosen) else []
    return chosen


def _source(pair: Pair) -> str:
    """By which pairs are known again, whatever options make of them: the source, in any case."""
    return pair[0].casefold()


def _overlaps(train: Sequence[Pair], parts: Mapping[str, Sequence[Pair]]) -> list[str]:
    """What is told of pairs that stand in training, too, or only their sources."""
    known, sources = set(train), {_source(pair) for pair in train}
    told = []
    for part in ("validation", "test"):
        again = sum(pair in known for pair in parts[part])
        others = sum(_source(pair) in sources for pair in parts[part]) - again
        told += [f"{again} {part} pairs are training pairs, too"] if again else []
        told += [f"{others} {part} sources are training sources, too, with other targets"] if others else []
    return told
