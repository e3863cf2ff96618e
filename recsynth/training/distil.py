"""A smaller encoder that gives the champion's vectors: fewer layers, taught on the shop's own texts.

Source: DistilBERT (Sanh et al., 2019) for beginning with every so many of the teacher's layers; Reimers and Gurevych
(EMNLP 2020) for the squared error between sentence vectors, which needs no labels.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from recsynth.model.encoders import layers_of
from recsynth.model.towers import MatchModel
from recsynth.training.optimizers import schedule
from recsynth.training.settings import TrainingSettings
from recsynth.training.together import average_gradients, rank, shared_rows

log = logging.getLogger(__name__)


def distilled(model: MatchModel, texts: Sequence[str], settings: TrainingSettings, seed: int) -> MatchModel:
    """A copy of the model whose encoder has `distil_layers` layers and learned to give the same vectors.

    All of the small encoder learns, for `distil_steps` steps of `items_per_step` texts; centre, projection and user
    tower are the teacher's own. A model that has no more layers than that comes back as it is.
    """
    if len(layers_of(model.text.encoder)) <= settings.distil_layers:
        return model
    wanted_MD = torch.from_numpy(shared_rows(texts, model.text.encode)).to(model.text.mean_D.device)
    student = copy.deepcopy(model)
    keep_layers(student.text.encoder, settings.distil_layers)
    encoder: nn.Module = student.text.encoder
    for parameter in encoder.parameters():
        parameter.requires_grad = True
    learning = list(encoder.parameters())
    optimizer = torch.optim.AdamW(learning, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    rng = np.random.default_rng([seed, rank()])
    student.train()
    for step in range(settings.distil_steps):
        chosen = rng.choice(len(texts), min(settings.items_per_step, len(texts)), replace=False)
        vectors_MD = student.text([texts[i] for i in chosen])
        # Of unit vectors: twice one minus the cosine.
        loss = (vectors_MD - wanted_MD[torch.from_numpy(chosen)]).square().sum(-1).mean()
        optimizer.zero_grad()
        loss.backward()
        average_gradients(learning)
        torch.nn.utils.clip_grad_norm_(learning, settings.gradient_clip)
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * schedule(
                step, settings.warmup_steps, settings.distil_steps, settings.schedule
            )
        optimizer.step()
        if rank() == 0 and (step + 1) % 20 == 0:
            log.info("distilling: step %d of %d: loss %.4f", step + 1, settings.distil_steps, loss.item())
    return student.eval()


def keep_layers(encoder: Any, count: int) -> None:
    """Leave `count` of the encoder's layers, evenly spaced and the last among them."""
    layers = layers_of(encoder)
    kept = [layers[round((i + 1) * len(layers) / count) - 1] for i in range(count)]
    for module in list(encoder.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ModuleList) and list(child) == layers:
                setattr(module, name, nn.ModuleList(kept))
    encoder.config.num_hidden_layers = count
