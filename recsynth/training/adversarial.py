"""Adversarial training: the gradient is also, or only, taken where a small push makes the loss worst.

Each function runs `backward`, which adds a step's gradients to the weights and returns its loss, once where the
weights are and once where they were pushed to, puts every weight back bit for bit, and returns the first loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from recsynth.model.towers import MatchModel

Backward = Callable[[], float]


def plain(model: MatchModel, epsilon: float, backward: Backward) -> float:
    """The step as it is; epsilon is not used."""
    return backward()


def fgm(model: MatchModel, epsilon: float, backward: Backward) -> float:
    """Fast gradient method: word embeddings E are pushed to E + epsilon g / |g|; both gradients add up.

    Source: Miyato, Dai and Goodfellow, ICLR 2017; the whole table is pushed by its one gradient, so that a step
    costs two, whatever it holds. Embeddings that do not learn are pushed all the same, and left without gradient.
    """
    encoder: Any = model.text.encoder
    words: nn.Parameter = encoder.get_input_embeddings().weight
    is_learning = words.requires_grad
    words.requires_grad_(True)
    try:
        loss = backward()
        if words.grad is not None and math.isfinite(loss):
            with pushed([(words, epsilon * _unit(words.grad))]):
                backward()
    finally:
        if not is_learning:
            words.requires_grad_(False)
            words.grad = None
    return loss


def awp(model: MatchModel, epsilon: float, backward: Backward) -> float:
    """Adversarial weight perturbation: each matrix W that learns is pushed to W + epsilon |W| g / |g|.

    The gradient there takes the place of the plain one. Source: Wu, Xia and Wang, NeurIPS 2020.
    """
    loss = backward()
    pushes = [
        (p, epsilon * p.detach().norm() * _unit(p.grad))
        for p in model.parameters()
        if p.requires_grad and p.grad is not None and p.ndim > 1
    ]
    if math.isfinite(loss):
        model.zero_grad()
        with pushed(pushes):
            backward()
    return loss


ADVERSARIES: dict[str, Callable[[MatchModel, float, Backward], float]] = {"none": plain, "fgm": fgm, "awp": awp}


@contextmanager
def pushed(pushes: list[tuple[nn.Parameter, Tensor]]) -> Iterator[None]:
    """Weights moved by so much within the block; after it they are what they were, not what subtraction gives."""
    kept = [p.detach().clone() for p, _ in pushes]
    try:
        with torch.no_grad():
            for parameter, push in pushes:
                parameter.add_(push)
        yield
    finally:
        with torch.no_grad():
            for (parameter, _), before in zip(pushes, kept, strict=True):
                parameter.copy_(before)


def _unit(gradient: Tensor) -> Tensor:
    """g / |g|, and zero where the gradient is zero."""
    norm = gradient.norm()
    return gradient / norm if norm > 0 else torch.zeros_like(gradient)
