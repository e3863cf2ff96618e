"""What a step minimises: a user's sampled items, predicted from the rest of the history.

Shapes: B users, L history places, M sampled items, D = embedding_size.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from recsynth.model.folder import device
from recsynth.model.towers import MatchModel
from recsynth.training.encoding import TextEncoding
from recsynth.training.losses import LOSSES, linear_autoencoder, sampled_softmax
from recsynth.training.optimizers import TEXT
from recsynth.training.sampling import ItemSampler, Sample
from recsynth.training.settings import TrainingSettings
from recsynth.training.shards import Batch, Texts, sampled_positives


class Objective:
    """Losses and their gradients of one model; vectors: of all texts with their pictures, as `refresh` left them.

    Histories read those vectors (not differentiated), and while the encoder rests the sampled items read their texts'.
    penalty: added to the loss where the encoder learns.
    """

    def __init__(
        self,
        model: MatchModel,
        texts: Texts,
        settings: TrainingSettings,
        rng: np.random.Generator,
        penalty: Callable[[], Tensor | float],
    ) -> None:
        self.model, self.texts, self.settings, self.rng, self.penalty = model, texts, settings, rng, penalty
        self.encoding = TextEncoding(model.text, settings)
        self.sampler = ItemSampler(texts, settings, rng)
        self.images = torch.from_numpy(texts.images_MI).to(device())
        self.of_texts = self.vectors = torch.zeros(0)

    @torch.no_grad()
    def refresh(self, texts_MD: np.ndarray | None = None) -> None:
        """Take these vectors of the texts alone, if any are given, and what the pictures add to them by now."""
        if texts_MD is not None:
            self.of_texts = torch.from_numpy(texts_MD).to(device())
        self.vectors = self.model.items(self.of_texts, self.images)

    def sample(self, batch: Batch, is_resting: bool) -> Sample:
        """Items for a batch: many while the encoder rests, for they cost no text."""
        size = self.settings.head_items_per_step if is_resting else self.settings.items_per_step
        return self.sampler.draw(batch, size, self._scores)

    def backward(self, pairs: list[tuple[Batch, Sample]], is_resting: bool) -> float:
        """Add the mean gradient over batches and their sampled items to the weights; returns the mean loss."""
        total = 0.0
        for batch, sample in pairs:
            loss = self._loss(batch, sample, is_resting)
            if not is_resting:
                loss = loss + self.penalty()
            if not torch.isfinite(loss):
                return math.nan
            (loss / len(pairs)).backward()  # type: ignore[no-untyped-call]
            self.encoding.backward()
            total += float(loss.item()) / len(pairs)
        return total

    def learning(self, is_resting: bool) -> list[nn.Parameter]:
        """What learns now: while the encoder rests it must not decay either."""
        named = self.model.named_parameters()
        return [p for n, p in named if p.requires_grad and not (is_resting and n.startswith(TEXT))]

    def places(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Vectors (B, L, D), types and ages (B, L) of histories, as the user tower reads them."""
        texts, types, ages = (torch.from_numpy(x).to(device()) for x in (batch.texts_BL, batch.types_BL, batch.ages_BL))
        return self.vectors[texts], types, ages

    @torch.no_grad()
    def _scores(self, batch: Batch) -> np.ndarray:
        """Of each user (B) for each item of the catalogue (M)."""
        self.model.eval()
        users_BD = self.model.user(*self.places(batch))
        self.model.train()
        scores_BM: np.ndarray = (users_BD @ self.vectors[: self.texts.items].T).float().cpu().numpy()
        return scores_BM

    def _loss(self, batch: Batch, sample: Sample, is_resting: bool) -> Tensor:
        items_M = sample.items_M
        positives_BM, hidden_BL = sampled_positives(batch, items_M, self.texts.items)
        visible = Batch(batch.texts_BL, np.where(hidden_BL, 0, batch.types_BL), batch.ages_BL)
        # A user of whom nothing is left to see, or nothing to predict, says nothing.
        rows = (positives_BM.sum(1) > 0) & ((visible.types_BL > 0).sum(1) > 0)
        if not rows.any():
            return sum((p.sum() * 0.0 for p in self.learning(is_resting)), torch.zeros((), device=device()))
        users_BD = self.model.user(*(t[torch.from_numpy(rows)] for t in self.places(visible)))
        texts_MD = (
            self.of_texts[torch.from_numpy(items_M)]
            if is_resting
            else self.encoding.vectors(self.texts.read(items_M, self.rng))
        )
        items_MD = self.model.items(texts_MD, self.images[torch.from_numpy(items_M)])
        positives = torch.from_numpy(positives_BM[rows]).to(users_BD)
        log_q_M = torch.from_numpy(sample.log_q_M).to(users_BD)
        allowed = torch.ones_like(positives, dtype=torch.bool)
        if self.settings.loss != "linear_autoencoder":
            return LOSSES[self.settings.loss](self.model.logits(users_BD, items_MD), positives, allowed, log_q_M)
        # It knows no user tower: that learns by its own loss, from vectors that stand still.
        logits_BM = self.model.logits(users_BD, items_MD.detach())
        return linear_autoencoder(items_MD, positives) + sampled_softmax(logits_BM, positives, allowed, log_q_M)
