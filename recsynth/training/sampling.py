"""Which items a step's loss compares: by popularity, evenly, from the batch itself, and the hard ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recsynth.model.top_k import best
from recsynth.training.settings import TrainingSettings
from recsynth.training.shards import Batch, Texts

# Hard items are asked of so many users of a batch, the first of each one's list.
HARD_USERS, HARD_PLACES = 64, 10

Scores = Callable[[Batch], np.ndarray]


@dataclass(frozen=True)
class Sample:
    """M items of a step, ascending, and log q_M: the logarithm of how often each was expected in it."""

    items_M: np.ndarray
    log_q_M: np.ndarray


class ItemSampler:
    """Draws the items of a step, positives and negatives at once.

    catalogue: without replacement, in proportion to popularity to the power `popularity_power` (0: evenly). in_batch:
    the items of the batch's own histories, one event as likely as another, so that each user's items are the others'
    negatives. Of either, `hard_items` give way to items that the model now ranks first for users of the batch who do
    not have them; such an item stands for itself alone, log q = 0.
    """

    def __init__(self, texts: Texts, settings: TrainingSettings, rng: np.random.Generator) -> None:
        self.items, self.settings, self.rng = texts.items, settings, rng
        weights_M = (texts.popularity_M + 1.0) ** settings.popularity_power
        self.chance_M = weights_M / weights_M.sum()

    def draw(self, batch: Batch, size: int, scores: Scores) -> Sample:
        """At most `size` items; scores: of the first users of a batch, for each item of the catalogue."""
        hard_K = self._hard(batch, scores) if self.settings.hard_items else np.zeros(0, int)
        size = max(1, min(size, self.items) - len(hard_K))
        if self.settings.sampling == "in_batch":
            items_M, expected_M = self._from_batch(batch, size)
        else:
            items_M = self.rng.choice(self.items, size, replace=False, p=self.chance_M)
            expected_M = self.chance_M[items_M] * size
        is_twice_M = np.isin(items_M, hard_K)
        items_M = np.concatenate([items_M[~is_twice_M], hard_K])
        log_q_M = np.concatenate([np.log(expected_M[~is_twice_M]), np.zeros(len(hard_K))])
        order = np.argsort(items_M)
        return Sample(items_M[order], log_q_M[order])

    def _from_batch(self, batch: Batch, size: int) -> tuple[np.ndarray, np.ndarray]:
        is_item_BL = (batch.types_BL > 0) & (batch.texts_BL < self.items)
        found_K, times_K = np.unique(batch.texts_BL[is_item_BL], return_counts=True)
        if not len(found_K):
            return self.rng.choice(self.items, 1), np.ones(1)
        share_K = times_K / times_K.sum()
        size = min(size, len(found_K))
        places_M = self.rng.choice(len(found_K), size, replace=False, p=share_K)
        return found_K[places_M], share_K[places_M] * size

    def _hard(self, batch: Batch, scores: Scores) -> np.ndarray:
        few = Batch(batch.texts_BL[:HARD_USERS], batch.types_BL[:HARD_USERS], batch.ages_BL[:HARD_USERS])
        scores_UM = scores(few).copy()
        rows, places = np.nonzero((few.types_BL > 0) & (few.texts_BL < self.items))
        scores_UM[rows, few.texts_BL[rows, places]] = -np.inf
        first_K = np.unique(best(scores_UM, HARD_PLACES)[0])
        return np.sort(self.rng.choice(first_K, min(self.settings.hard_items, len(first_K)), replace=False))
