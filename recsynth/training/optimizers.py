"""Who moves the weights, and how fast: optimizer, learning rate by layer, schedule."""

from __future__ import annotations

import math
from typing import Any

import torch

from recsynth.model.encoders import layers_of
from recsynth.model.towers import MatchModel
from recsynth.training.settings import TrainingSettings

# The encoder and, where there is one, its projection.
TEXT = "text."


def make_optimizer(model: MatchModel, settings: TrainingSettings) -> torch.optim.Optimizer:
    """AdamW or Adafactor over what learns; each group carries its `peak` learning rate.

    The encoder's layer d below the top has learning_rate * layer_decay^d, the embeddings lie one below the last.
    """
    groups: dict[tuple[bool, float], list[torch.nn.Parameter]] = {}
    depth = _depths(model)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            is_head = not name.startswith(TEXT)
            decayed = settings.learning_rate * settings.layer_decay ** depth.get(id(parameter), 0)
            peak = settings.head_learning_rate if is_head else decayed
            groups.setdefault((is_head, peak), []).append(parameter)
    listed: list[dict[str, Any]] = [{"params": ps, "lr": peak, "peak": peak} for (_, peak), ps in groups.items()]
    if settings.optimizer == "adafactor":
        return torch.optim.Adafactor(listed, weight_decay=settings.weight_decay)
    return torch.optim.AdamW(listed, weight_decay=settings.weight_decay, fused=True)


def _depths(model: MatchModel) -> dict[int, int]:
    """How far below the top layer each weight of the encoder lies, by its identity."""
    layers = layers_of(model.text.encoder)
    depths = {id(p): len(layers) for p in model.text.encoder.parameters()}
    for below, layer in enumerate(reversed(layers)):
        depths |= {id(p): below for p in layer.parameters()}
    return depths


def schedule(step: int, warmup_steps: int, max_steps: int, shape: str = "cosine") -> float:
    """Linear warm-up to 1, then a cosine or a line to 0 at max_steps, or 1 to the end.

    >>> [round(schedule(s, 2, 10), 2) for s in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    >>> [round(schedule(s, 2, 10, "linear"), 2) for s in (0, 1, 2, 4, 10)]
    [0.5, 1.0, 1.0, 0.75, 0.0]
    >>> [round(schedule(s, 2, 10, "constant"), 2) for s in (0, 1, 10)]
    [0.5, 1.0, 1.0]
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    done = min(1.0, (step - warmup_steps) / max(1, max_steps - warmup_steps))
    return {"cosine": 0.5 * (1 + math.cos(math.pi * done)), "linear": 1 - done, "constant": 1.0}[shape]
