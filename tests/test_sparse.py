"""The sparse view of R against a plain scipy twin."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession
from scipy.sparse import csr_matrix

from recsynth.sparse import rows_of, sparse_view


def plain_twin(pairs: pd.DataFrame) -> tuple[list[str], list[str], csr_matrix]:
    users, items = sorted(pairs.user_id.unique()), sorted(pairs.item_id.unique())
    at = (pairs.user_id.map(users.index), pairs.item_id.map(items.index))
    return users, items, csr_matrix((pairs.weight, at), shape=(len(users), len(items)))


def test_equals_the_plain_twin_however_the_rows_lie(spark: SparkSession) -> None:
    rng = np.random.default_rng(0)
    drawn = pd.DataFrame(
        {"user_id": rng.integers(0, 20, 150).astype(str), "item_id": rng.integers(0, 30, 150).astype(str)}
    )
    pairs = drawn.drop_duplicates().assign(weight=lambda p: np.arange(1.0, len(p) + 1))
    users, items, expected = plain_twin(pairs)
    for frame in (
        spark.createDataFrame(pairs),
        spark.createDataFrame(pairs.sample(frac=1, random_state=1)).repartition(5),
    ):
        view = sparse_view(frame, block_count=3)
        index = {r.item_id: r.item_index for r in view.items.collect()}
        assert index == {item: i for i, item in enumerate(items)}
        found = np.zeros(expected.shape)
        for _, block in view.blocks.toPandas().iterrows():
            for user_id, columns, values in rows_of(block):
                assert list(columns) == sorted(columns)
                found[users.index(user_id), columns] = values
        assert np.array_equal(found, expected.toarray())


def test_no_interactions_give_no_blocks(spark: SparkSession) -> None:
    view = sparse_view(spark.createDataFrame([], "user_id string, item_id string, weight double"), block_count=2)
    assert (view.items.count(), view.blocks.count()) == (0, 0)
