"""Differentiable search in a space of one's own: a cell whose edges are choices, with a limit and an alarm."""

import torch
from sklearn.datasets import load_digits

from netwright import nn
from netwright.space import Node, SearchSpace
from netwright.supernet.differentiable import AlarmOptions, Options, Penalty, beta_darts
from netwright.types import Constraint


def edge(source: int, target: int) -> Node:
    """One of four operations from a node to a later one."""
    return nn.one_of(
        f"edge{source}-{target}",
        {
            "skip": nn.identity(),
            "pool": nn.avg_pool(3, stride=1),
            "conv1": nn.seq(nn.relu(), nn.conv(nn.stage_width(), 1, bias=False), nn.batch_norm()),
            "conv3": nn.seq(nn.relu(), nn.conv(nn.stage_width(), 3, bias=False), nn.batch_norm()),
        },
    )


space = SearchSpace(
    nn.seq(
        nn.conv_norm_act(8),
        nn.stages(nn.dense_cell(4, edge), [8, 16], between=nn.conv_norm_act(nn.stage_width(), stride=2)),
        nn.global_pool(),
        nn.linear(10),
    )
)


def batches(first: int, count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Some of scikit-learn's digits, in batches of 50."""
    digits = load_digits()
    x = torch.from_numpy(digits.images[first : first + count]).float()[:, None] / 16
    y = torch.from_numpy(digits.target[first : first + count])
    return list(zip(x.split(50), y.split(50), strict=True))


if __name__ == "__main__":
    print(f"{space.count()} architectures")
    found = beta_darts(
        space,
        batches(0, 600),
        batches(600, 600),
        Options(
            epochs=6,
            arch_learning_rate=0.03,
            limits=(Constraint.parse("params<=12k"),),
            penalty=Penalty("params", target=12_000),
            alarm=AlarmOptions(stop=True),
        ),
    )
    for record in found.history:
        print(f"epoch {record.epoch}: accuracy of the mixture {record.valid_accuracy:.3f}")
    print("alarm:", found.alarm.reason if found.alarm else "none")
    print(dict(found.architecture))
    print(f"{found.network.networks.profile(found.architecture).params} parameters")
    model = found.network.extract(found.architecture)  # a plain network with its part of the weights
    print(type(model).__name__, sum(p.numel() for p in model.parameters()))
