"""Whether a text finds the item that it was written of, and which items have none yet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.model.towers import TextTower
from recsynth.model.vectors import load_vectors
from recsynth.synthesis.writer import unit

COLUMNS = ["source_id", "content_hash", "text", "draws", "found_rank"]
WRITTEN = "source_id string, content_hash string, text string, draws int, found_rank int"
# The last digits of what is encoded in other company may make an item its own rival.
_LEVEL = 1e-6


class Rivals:
    """Items among which a text must find its own, as `model.vectors.write_vectors` left them: all in memory."""

    def __init__(self, folder: str) -> None:
        self.ids, plain_MD = load_vectors(folder)
        self.mean_D = plain_MD.mean(0)
        self.items_MD = unit(plain_MD, self.mean_D)
        self.place = {item: n for n, item in enumerate(self.ids)}

    def ranks(self, tower: TextTower, item_id: str, source: str, texts: Sequence[str]) -> np.ndarray:
        """(T,) place of the item by likeness to each text, 1 the best; one that is no rival stands by its own text."""
        if not texts:
            return np.zeros(0, int)
        place = self.place.get(item_id)
        own_D = self._unit(tower, [source])[0] if place is None else self.items_MD[place]
        texts_TD = self._unit(tower, texts)
        found: np.ndarray = 1 + (texts_TD @ self.items_MD.T > (texts_TD @ own_D)[:, None] + _LEVEL).sum(1)
        return found

    def places(self, tower: TextTower, queries: pd.Series, item_ids: pd.Series) -> np.ndarray:
        """(P,) the same of pairs; 1 where the item is no rival."""
        distinct, at = np.unique(queries.to_numpy(object), return_inverse=True)
        queries_QD = self._unit(tower, distinct.tolist())
        found = np.ones(len(queries), int)
        for row, item_id in enumerate(item_ids):
            if item_id in self.place:
                scores_M = self.items_MD @ queries_QD[at[row]]
                found[row] = 1 + int((scores_M > scores_M[self.place[item_id]] + _LEVEL).sum())
        return found

    def _unit(self, tower: TextTower, texts: Sequence[str]) -> np.ndarray:
        return unit(tower.encode_plain(texts), self.mean_D)


def rivals(item_text: DataFrame, most: int) -> DataFrame:
    """The items among which texts must find their own, at most so many, by hash."""
    return item_text.orderBy(F.xxhash64("item_id"), "item_id").limit(most)


def unwritten(before: DataFrame, item_text: DataFrame, most: int) -> tuple[DataFrame, DataFrame]:
    """What was written and still holds, and the items (item_id, content_hash, text) to be written of, spread out.

    before: rows of synthesis.written_texts by the same model. An item's texts hold while its own text is the same.
    At most `most` items, new ones first, then by hash.
    """
    items = item_text.select(F.col("item_id").alias("source_id"), "content_hash")
    kept = before.join(items, on=["source_id", "content_hash"], how="left_semi")
    done = kept.select(F.col("source_id").alias("item_id")).distinct()
    wanted = item_text.join(done, on="item_id", how="left_anti").orderBy(F.desc("is_cold"), F.xxhash64("item_id"))
    chosen = wanted.select("item_id", "content_hash", "text").limit(most)
    return kept.drop("run_date"), chosen.repartition(2 * chosen.sparkSession.sparkContext.defaultParallelism, "item_id")
