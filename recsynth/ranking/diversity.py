"""Variety within a list: the next line is the best that is not too much like those before it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.model.vectors import load_vectors, vectors_of

_PLACED = "user_id string, item_id string, varied int"


def varied(lines: DataFrame, vectors: str, weight: float, length: int) -> DataFrame:
    """Lines with the first `length` ranks of each user given out anew by maximal marginal relevance.

    lines: user_id, item_id, score, rank (1 is best, without gaps) and `is_beyond`, what stands behind all that is not;
    vectors: folder of the items' unit vectors (model.vectors). A line behind `length` keeps its rank.
    Source: Carbonell and Goldstein, SIGIR 1998.
    """
    first = lines.where(F.col("rank") <= length).select("user_id", "item_id", "score", "rank", "is_beyond")
    placed = first.groupBy("user_id").applyInPandas(_placed(vectors, weight), _PLACED)
    joined = lines.join(placed, on=["user_id", "item_id"], how="left")
    return joined.withColumn("rank", F.coalesce("varied", "rank")).drop("varied")


def maximal_marginal_relevance(scores_K: np.ndarray, vectors_KD: np.ndarray, weight: float) -> np.ndarray:
    """Order of K items: each time the greatest (1 - weight) * relevance - weight * greatest cosine to one before it.

    scores_K: any scale, best first; relevance is where a score lies between the least (0) and the greatest (1).
    vectors_KD: unit vectors; a row of zeros is like nothing. Ties go to the earlier item.

    >>> maximal_marginal_relevance(np.array([3.0, 2.9, 0.0]), np.eye(2)[[0, 0, 1]], 0.6).tolist()
    [0, 2, 1]
    """
    spread = float(np.ptp(scores_K)) or 1.0
    relevance_K = (scores_K - scores_K.min()) / spread
    cosine_KK = vectors_KD @ vectors_KD.T
    order: list[int] = []
    nearest_K = np.zeros(len(scores_K))
    is_left_K = np.ones(len(scores_K), bool)
    for _ in range(len(scores_K)):
        value_K = np.where(is_left_K, (1 - weight) * relevance_K - weight * nearest_K, -np.inf)
        # Rounded: products of vectors differ in their last digits from one machine to the next.
        chosen = int(np.argmax(np.round(value_K, 6)))
        order.append(chosen)
        is_left_K[chosen] = False
        nearest_K = np.maximum(nearest_K, cosine_KK[chosen])
    return np.array(order, int)


def _placed(vectors: str, weight: float) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The applyInPandas function from the lines of one user to their new ranks."""

    def placed(lines: pd.DataFrame) -> pd.DataFrame:
        lines = lines.sort_values(["is_beyond", "rank"]).reset_index(drop=True)
        vectors_KD = vectors_of(lines["item_id"].to_numpy(object), *load_vectors(vectors))
        scores_K, is_beyond_K = lines["score"].to_numpy(float), lines["is_beyond"].to_numpy(bool)
        parts = [part for part in (np.flatnonzero(~is_beyond_K), np.flatnonzero(is_beyond_K)) if len(part)]
        order = np.concatenate([p[maximal_marginal_relevance(scores_K[p], vectors_KD[p], weight)] for p in parts])
        ranks = np.arange(1, len(order) + 1, dtype=np.int32)
        return lines[["user_id", "item_id"]].iloc[order].assign(varied=ranks)

    return placed
