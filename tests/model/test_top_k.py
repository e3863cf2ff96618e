"""Blocked top-k against a full sort, ties included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pyspark.sql import SparkSession

from recsynth.model.top_k import ROWS_PER_BLOCK, blocked_top_k, top_k


def plain(users_UD: np.ndarray, items_MD: np.ndarray, k: int) -> list[list[int]]:
    scores_UM = users_UD @ items_MD.T
    return [sorted(range(len(items_MD)), key=lambda i: (-scores[i], i))[:k] for scores in scores_UM]


def small_whole_numbers(rows: int, seed: int) -> np.ndarray:
    """Products of small whole numbers are exact, so equal scores are truly ties."""
    return np.random.default_rng(seed).integers(-1, 2, (rows, 3)).astype(np.float32)


def test_like_a_full_sort_with_many_ties() -> None:
    users_UD, items_MD = small_whole_numbers(40, 1), small_whole_numbers(30, 2)
    for k in (1, 2, 7, 29, 30):
        chosen_UK, scores_UK = top_k(users_UD, items_MD, k)
        assert chosen_UK.tolist() == plain(users_UD, items_MD, k)
        assert (scores_UK == np.take_along_axis(users_UD @ items_MD.T, chosen_UK, axis=1)).all()


def test_k_beyond_the_catalogue_and_an_empty_catalogue() -> None:
    users_UD = small_whole_numbers(2, 1)
    assert top_k(users_UD, small_whole_numbers(3, 2), 9)[0].shape == (2, 3)
    assert top_k(users_UD, np.zeros((0, 3), np.float32), 9)[0].shape == (2, 0)


def test_in_spark_whatever_the_partitions(spark: SparkSession, tmp_path: Path) -> None:
    users_UD, items_MD = small_whole_numbers(ROWS_PER_BLOCK + 20, 1), small_whole_numbers(30, 2)
    items = spark.createDataFrame(
        [(f"i{i:02d}", v.tolist()) for i, v in enumerate(items_MD)], "item_id string, vector array<float>"
    )
    users = spark.createDataFrame([(u, v.tolist()) for u, v in enumerate(users_UD)], "u int, vector array<float>")
    expected = {
        (u, rank): (f"i{i:02d}", float(users_UD[u] @ items_MD[i]))
        for u, best in enumerate(plain(users_UD, items_MD, 4))
        for rank, i in enumerate(best, 1)
    }
    for parts in (1, 3):
        found = blocked_top_k(users.repartition(parts), items.repartition(parts), 4, tmp_path / str(parts))
        assert {(r.u, r["rank"]): (r.item_id, r.score) for r in found.collect()} == expected


def test_in_spark_without_items_nobody_has_a_row(spark: SparkSession, tmp_path: Path) -> None:
    users = spark.createDataFrame([("u", [1.0])], "user_id string, vector array<float>")
    items = spark.createDataFrame([], "item_id string, vector array<float>")
    assert blocked_top_k(users, items, 4, tmp_path / "none").collect() == []
