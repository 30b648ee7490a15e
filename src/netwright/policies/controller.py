"""A recurrent policy over the choices of any space, with its gradient written out.

The controller answers one question after the other (see `controller_questions`). Before question t it is in a state
``h_t`` that depends on all answers before::

    h_0 = 0,    h_(t+1) = tanh(R h_t + E[a_t])
    logit(a) = b[a] + U[a] . h_t + log(architectures behind a)

with a row of ``E``, ``U`` and ``b`` for each answer. ``b`` and ``U`` begin at zero: an untrained controller draws
uniformly over architectures, and what it learned is what it deviates from that.

Knows nothing of trials and rewards. Sizes: B episodes, T the most questions of one, S questions in all, N options in
all, G answers, H the size of the state.

References:
    B. Zoph and Q. V. Le, 2017, "Neural Architecture Search with Reinforcement Learning", section 3.1. Deviations: a
    state of tanh units (J. Elman, 1990) in place of an LSTM, as hundreds of trials do not train more; a bias for each
    answer; the number of architectures, as in spaces with branches a uniform softmax is far from uniform over those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netwright.policies.controller_questions import Question, Questions
from netwright.space.walk import Step
from netwright.types import Architecture

if TYPE_CHECKING:
    from netwright.space import SearchSpace

Parameters = dict[str, np.ndarray]
"""``bias`` (G,), ``output`` (G, H), ``embedding`` (G, H), ``recurrent`` (H, H)."""

SCALE = 0.5
"""Standard deviation of a first embedding."""

FACTORS = {"output": 0.1, "embedding": 0.1, "recurrent": 0.1}
"""Of the rate of learning: what depends on earlier answers is learned more slowly than what does not. Eight units
moving at once would outweigh the bias, and a few dozen trials say little about how decisions act together."""


@dataclass(frozen=True, eq=False, slots=True)
class Episode:
    """The questions that led to an architecture, and its answers.

    Args:
        questions: all that were asked.
        places: of the answers given, among those open; as many as questions.
    """

    questions: tuple[Question, ...]
    places: tuple[int, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Forward:
    """What the policy says of episodes, and what its gradient needs.

    Args:
        log_probs: of each episode, shape (B,); within parts of ranges every value counts as one.
        divergences: of each episode, the sum over its questions of the Kullback-Leibler divergence between the policy
            and the uniform distribution over architectures, shape (B,). Its mean over the policy's own episodes is the
            logarithm of the number of architectures minus the policy's entropy.
    """

    log_probs: np.ndarray
    divergences: np.ndarray
    chosen: np.ndarray  # (B, T) answers given, padded with 0
    there: np.ndarray  # (B, T) whether there is a question
    states: np.ndarray  # (B, T, H) before each question
    answers: np.ndarray  # (N,) open answers
    starts: np.ndarray  # (S,) where the options of each question start
    question_of: np.ndarray  # (N,) question of each option
    episode_of: np.ndarray  # (S,) episode of each question
    taken: np.ndarray  # (N,) 1 where an option was taken
    probabilities: np.ndarray  # (N,)
    excess: np.ndarray  # (N,) log of probability over uniform


class Controller:
    """The policy, its samples, likelihoods and gradients.

    Args:
        space: whose architectures it makes.
        rng: draws the first embeddings.
        size: of the state, >= 1.
    """

    def __init__(self, space: SearchSpace, rng: np.random.Generator, size: int) -> None:
        self._space = space
        self._rng = rng
        self._questions = Questions()
        self.size = size
        self.parameters: Parameters = {
            "bias": np.zeros(0),
            "output": np.zeros((0, size)),
            "embedding": np.zeros((0, size)),
            "recurrent": np.zeros((size, size)),
        }

    def sample(self, rng: np.random.Generator, temperature: float = 1.0) -> tuple[Architecture | None, Episode]:
        """Draw an architecture; None where the draw broke a constraint that holds by rejection.

        Args:
            rng: source of randomness.
            temperature: what preferences are divided by, > 0; the larger, the nearer to uniform.
        """
        state = np.zeros(self.size)

        def choose(step: Step, question: Question) -> int:
            nonlocal state
            logits = self._preferences(question, state) / temperature + question.log_weights
            chances = np.exp(logits - logits.max()).cumsum()
            place = int(chances.searchsorted(rng.random() * chances[-1], side="right"))
            embedding = self.parameters["embedding"][question.answers[place]]
            state = np.tanh(self.parameters["recurrent"] @ state + embedding)
            return place

        return self._play(choose, None, rng)

    def recall(self, arch: Architecture) -> Episode:
        """The episode that makes an architecture of the space."""
        episode = self._play(lambda step, question: question.place(arch[step.choice.name]), arch, self._rng)[1]
        self._grow()
        return episode

    def _play(
        self, choose: Callable[[Step, Question], int], given: Architecture | None, rng: np.random.Generator
    ) -> tuple[Architecture | None, Episode]:
        """Walk to the end; along an architecture where one is given."""
        questions: list[Question] = []
        places: list[int] = []
        walk = self._space.walk()
        while (step := walk.step) is not None:
            dialogue = self._questions.about(step, rng)
            place: int | None = None
            try:
                while True:
                    question = dialogue.send(place)  # type: ignore[arg-type]  # None starts it
                    place = choose(step, question)
                    questions.append(question)
                    places.append(place)
            except StopIteration as end:
                walk.take(given[step.choice.name] if given is not None else end.value)
        return walk.architecture(), Episode(tuple(questions), tuple(places))

    def _preferences(self, question: Question, state: np.ndarray) -> np.ndarray:
        self._grow()
        preferences = self.parameters["output"][question.answers] @ state
        preferences += self.parameters["bias"][question.answers]
        return np.asarray(preferences)

    def _grow(self) -> None:
        """Make rows for answers that are new."""
        have = len(self.parameters["bias"])
        if self._questions.num_answers <= have:
            return
        rows = max(64, have, self._questions.num_answers - have)
        new = {name: np.zeros((rows, *self.parameters[name].shape[1:])) for name in ("bias", "output")}
        new["embedding"] = SCALE * self._rng.standard_normal((rows, self.size))
        for name, more in new.items():
            self.parameters[name] = np.concatenate([self.parameters[name], more])

    # --- likelihood and gradient ---

    def forward(self, episodes: Sequence[Episode]) -> Forward:
        """Likelihoods of episodes; at least one of them has a question."""
        lengths = np.array([len(e.places) for e in episodes])
        there = np.arange(lengths.max()) < lengths[:, None]
        questions = [q for e in episodes for q in e.questions]
        sizes = np.array([len(q.answers) for q in questions])
        starts = np.cumsum(sizes) - sizes
        answers = np.concatenate([q.answers for q in questions])
        weights = np.concatenate([q.log_weights for q in questions])
        places = starts + np.array([place for e in episodes for place in e.places])
        chosen = np.zeros(there.shape, dtype=np.int64)
        chosen[there] = answers[places]
        states = self._states(chosen)
        question_of = np.repeat(np.arange(len(questions)), sizes)
        logits = self.parameters["bias"][answers] + weights
        logits += np.einsum("nh,nh->n", self.parameters["output"][answers], states[there][question_of])
        excess = _log_softmax(logits, starts, question_of) - _log_softmax(weights, starts, question_of)
        log_probabilities = _log_softmax(logits, starts, question_of)
        probabilities = np.exp(log_probabilities)
        episode_of = np.repeat(np.arange(len(episodes)), lengths)
        taken = np.zeros(len(answers))
        taken[places] = 1.0
        divergence = np.add.reduceat(probabilities * excess, starts)
        return Forward(
            np.bincount(episode_of, log_probabilities[places], len(episodes)),
            np.bincount(episode_of, divergence, len(episodes)),
            chosen, there, states, answers, starts, question_of, episode_of, taken, probabilities, excess,
        )  # fmt: skip

    def _states(self, chosen: np.ndarray) -> np.ndarray:
        states = np.zeros((*chosen.shape, self.size))
        embedded = self.parameters["embedding"][chosen]
        for t in range(1, chosen.shape[1]):
            states[:, t] = np.tanh(states[:, t - 1] @ self.parameters["recurrent"].T + embedded[:, t - 1])
        return states

    def gradient(self, forward: Forward, per_log_prob: np.ndarray, per_divergence: np.ndarray) -> Parameters:
        """Gradient of a function of log-probabilities and divergences.

        Args:
            forward: what the function was worked out from.
            per_log_prob: its derivative by the log-probability of each episode, shape (B,).
            per_divergence: its derivative by the divergence of each episode, shape (B,).

        Returns:
            The derivative by each parameter.
        """
        f, size = forward, self.size
        episode = f.episode_of[f.question_of]
        divergence = np.add.reduceat(f.probabilities * f.excess, f.starts)[f.question_of]
        by_logit = per_log_prob[episode] * (f.taken - f.probabilities)
        by_logit += per_divergence[episode] * f.probabilities * (f.excess - divergence)
        rows = len(self.parameters["bias"])
        by_output = by_logit[:, None] * f.states[f.there][f.question_of]
        by_state = np.zeros(f.states.shape)
        by_state[f.there] = np.add.reduceat(by_logit[:, None] * self.parameters["output"][f.answers], f.starts, axis=0)
        recurrent = np.zeros((size, size))
        by_input = np.zeros(f.states.shape)
        later = np.zeros(f.states[:, 0].shape)  # derivative by the state after t
        for t in reversed(range(f.states.shape[1] - 1)):
            later = by_state[:, t + 1] + later
            by_input[:, t] = later * (1.0 - f.states[:, t + 1] ** 2)
            recurrent += by_input[:, t].T @ f.states[:, t]
            later = by_input[:, t] @ self.parameters["recurrent"]
        return {
            "bias": np.bincount(f.answers, by_logit, rows),
            "output": _sum_rows(f.answers, by_output, rows),
            "embedding": _sum_rows(f.chosen.ravel(), by_input.reshape(-1, size), rows),
            "recurrent": recurrent,
        }


def _log_softmax(logits: np.ndarray, starts: np.ndarray, question_of: np.ndarray) -> np.ndarray:
    """Logarithms of the softmax within each question, shape (N,)."""
    shifted = logits - np.maximum.reduceat(logits, starts)[question_of]
    return np.asarray(shifted - np.log(np.add.reduceat(np.exp(shifted), starts))[question_of])


def _sum_rows(numbers: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """Sums of the rows with each number, shape (count, H)."""
    size = rows.shape[1]
    cells = (numbers[:, None] * size + np.arange(size)).ravel()
    sums = np.bincount(cells, rows.ravel(), count * size)
    return np.asarray(sums).reshape(count, size)
