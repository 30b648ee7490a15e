"""A strategy of one's own in twenty lines, compared with ours; `netwright.testing.check_strategy` tests one's own."""

import numpy as np

import netwright as nw
from netwright.nn.spaces import nas_bench_201
from netwright.strategies import RandomSearch, RegularizedEvolution


class HillClimb:
    """Mutate the best architecture so far; begin anywhere."""

    def __init__(self, space: nw.SearchSpace, *, seed: int = 0) -> None:
        self.space, self.rng = space, np.random.default_rng(seed)
        self.best: nw.Trial | None = None

    def ask(self, n: int) -> list[nw.Proposal]:
        """Propose one architecture."""
        if self.best is None:
            return [nw.Proposal(self.space.sample(self.rng))]
        return [nw.Proposal(self.space.mutate(self.best.architecture, self.rng), parents=(self.best.id,))]

    def tell(self, trials: list[nw.Trial]) -> None:
        """Keep the best."""
        for trial in trials:
            if trial.state == "finished" and (self.best is None or score(trial) > score(self.best)):
                self.best = trial


def score(trial: nw.Trial) -> float:
    """What is maximised."""
    return trial.metrics["accuracy"]


def convolutions(arch: nw.Architecture, *, fidelity: nw.Fidelity, seed: int) -> dict[str, float]:
    """A stand-in for training: how many edges are 3 x 3 convolutions."""
    return {"accuracy": sum(op == "nor_conv_3x3" for op in arch.values()) / 6}


if __name__ == "__main__":
    space = nas_bench_201((3, 32, 32), 10)
    for strategy in (RandomSearch(space), RegularizedEvolution(space), HillClimb(space)):
        result = nw.search(space=space, evaluator=convolutions, strategy=strategy, budget="60 trials", isolated=False)
        print(f"{type(strategy).__name__:22} best {result.best.metrics['accuracy']:.2f} at trial {result.best.id}")
