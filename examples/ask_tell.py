"""A strategy driven by a plain loop over a function of one's own: no store and no processes."""

import netwright as nw
from netwright.strategies import BayesianOptimization

space = nw.SearchSpace(
    training={
        "depth": nw.integer("depth", 1, 12),
        "width": nw.choice("width", [16, 32, 64, 128]),
        "rate": nw.real("rate", 1e-4, 1e-1, log=True),
    }
)


def train(depth: int, width: int, rate: float) -> float:
    """A stand-in for training; best at a depth of 8, a width of 64 and a rate of 0.01."""
    return 0.95 - 0.004 * (depth - 8) ** 2 - 0.001 * abs(width - 64) - 20 * (rate - 0.01) ** 2


if __name__ == "__main__":
    history = []

    strategy = BayesianOptimization(space, seed=0)
    for number in range(40):
        (proposal,) = strategy.ask(1)
        accuracy = train(**proposal.architecture)
        strategy.tell([nw.Trial(number, proposal, 0, nw.TrialState.FINISHED, {"accuracy": accuracy})])

        history.append((accuracy, number, proposal.architecture))

    best, number, architecture = max(history, key=lambda entry: entry[0])
    print(f"best {best:.4f} at trial {number}: {architecture.to_json()}")
