"""Give a larger network the weights of a smaller one: it computes the same, and can learn more.

A network is trained on scikit-learn's digits; wider, deeper and with a larger kernel it begins where that one stopped.
Another activation is not the same function: what both have is inherited all the same, and the report says so.

    python examples/inherit_weights.py
"""

from __future__ import annotations

import torch
from torch.nn import functional

import netwright as nw
from netwright import nn
from netwright.inheritance import morph
from netwright.nn.networks import Networks

width = nw.choice("width", [8, 12, 16])
activation = nw.choice("activation", ["relu", "silu"])


def block(number: int) -> nn.Node:
    """A residual block of two convolutions."""
    body = nn.seq(
        nn.conv_norm_act(width, nw.choice("kernel", [1, 3])), nn.conv_norm_act(width, 1, activation="identity")
    )
    return nn.residual(body, activation="relu")


space = nw.SearchSpace(
    nn.seq(
        nn.conv_norm_act(width, stride=2, activation=activation),
        nn.repeat("depth", block, 1, 3),
        nn.global_pool(),
        nn.linear(10),
    )
)


def train(model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, steps: int) -> None:
    """Train a model for so many steps."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    source = torch.Generator().manual_seed(0)
    model.train()
    for _ in range(steps):
        batch = torch.randint(len(labels), (64,), generator=source)
        optimizer.zero_grad()
        functional.cross_entropy(model(images[batch]), labels[batch]).backward()
        optimizer.step()
    model.eval()


def main() -> None:
    """Train, grow, compare, train on."""
    torch.set_num_threads(1)
    task = nw.ImageClassification.load("digits")
    (pixels, labels), (held_out, wanted) = task.train(), task.validation()
    images, classes = torch.from_numpy(pixels).float() / task.scale, torch.from_numpy(labels)
    checked, right = torch.from_numpy(held_out).float() / task.scale, torch.from_numpy(wanted)
    networks = Networks(space, input_shape=task.input_shape)

    def accuracy(model: torch.nn.Module) -> float:
        with torch.no_grad():
            return float((model(checked).argmax(1) == right).float().mean())

    small = {"width": 8, "kernel": 1, "depth": 1, "activation": "relu"}
    parent = networks.make(space.architecture(small)).model
    train(parent, images, classes, 150)
    print(f"the parent: accuracy {accuracy(parent):.3f}")
    for change in ({"width": 12, "kernel": 3, "depth": 2}, {"activation": "silu"}):
        architecture = space.architecture({**small, **change})
        weights, found = morph(networks, space.architecture(small), parent.state_dict(), architecture)
        child = networks.make(architecture).model.eval()
        child.load_state_dict(weights)
        print(f"\n{change}\n{found}\nat once: accuracy {accuracy(child):.3f}")
        train(child, images, classes, 150)
        print(f"after as many steps again: accuracy {accuracy(child):.3f}")


if __name__ == "__main__":
    main()
