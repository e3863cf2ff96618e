"""Item neighbours against slow plain twins, and answers known by reasoning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from pyspark.sql import DataFrame, SparkSession

from recsynth.candidates.item_neighbours import cosine_neighbours, dense, ease, fit, gram
from recsynth.candidates.settings import ItemNeighbourSettings


def random_rows(users: int = 23, items: int = 9) -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.integers(1, 4, (users, items)) * (rng.random((users, items)) < 0.4).astype(float)


def test_ease_minimises_each_column_by_ridge_regression_on_the_others() -> None:
    x_UM, l2 = random_rows(), 3.0
    expected = np.zeros((9, 9))
    for item in range(9):
        others = [i for i in range(9) if i != item]
        a = x_UM[:, others]
        expected[others, item] = np.linalg.solve(a.T @ a + l2 * np.eye(8), a.T @ x_UM[:, item])
    assert ease(x_UM.T @ x_UM, l2) == pytest.approx(expected, abs=1e-5)


def pairs(spark: SparkSession, matrix_MM: np.ndarray) -> DataFrame:
    i, j = np.nonzero(matrix_MM)
    rows = [(int(a), int(b), float(matrix_MM[a, b])) for a, b in zip(i, j, strict=True)]
    return spark.createDataFrame(rows, "i int, j int, v double")


def test_cosine_keeps_the_nearest_and_never_the_item_itself(spark: SparkSession) -> None:
    x_UM = random_rows()
    kept: dict[int, dict[int, float]] = {item: {} for item in range(9)}
    for row in cosine_neighbours(pairs(spark, x_UM.T @ x_UM), 3).collect():
        kept[row.i][row.j] = row.cosine
    for item in range(9):
        cosine = {
            j: x_UM[:, item] @ x_UM[:, j] / np.linalg.norm(x_UM[:, item]) / np.linalg.norm(x_UM[:, j])
            for j in range(9)
            if j != item
        }
        best = sorted((j for j in cosine if cosine[j] > 0), key=lambda j: (-cosine[j], j))[:3]
        assert kept[item] == pytest.approx({j: cosine[j] for j in best})


def test_a_catalogue_beyond_the_bound_gets_sparse_neighbours(spark: SparkSession, tmp_path: Path) -> None:
    cells = pairs(spark, np.ones((4, 4)))
    cells.write.parquet(str(tmp_path / "gram"))
    near = cosine_neighbours(cells, 2)
    within, beyond = (
        fit(near, str(tmp_path / "gram"), 4, ItemNeighbourSettings(max_items=most, l2=1.0)) for most in (4, 3)
    )
    assert within == pytest.approx(ease(np.ones((4, 4)), 1.0))
    assert sp.issparse(beyond)
    assert np.diff(beyond.indptr).tolist() == [2, 2, 2, 2]


def test_gram_is_the_product_whatever_the_partitions(spark: SparkSession, tmp_path: Path) -> None:
    x_UM = random_rows()
    rows = [(np.flatnonzero(r).tolist(), r[r > 0].tolist()) for r in x_UM]
    frame = spark.createDataFrame(rows, "items array<int>, weights array<double>")
    for parts in (1, 3):
        folder = str(tmp_path / str(parts))
        gram(frame.repartition(parts), 9).write.parquet(folder)
        assert dense(folder, 9) == pytest.approx(x_UM.T @ x_UM)
