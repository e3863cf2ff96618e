"""Item neighbours against slow plain twins, and answers known by reasoning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from pyspark.sql import DataFrame, SparkSession

from recsynth.candidates.item_neighbours import cosine_neighbours, dense, fit, gram
from recsynth.candidates.settings import ItemNeighbourSettings
from recsynth.model.ease import ease


def random_rows(users: int = 23, items: int = 9) -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.integers(1, 4, (users, items)) * (rng.random((users, items)) < 0.4).astype(float)


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


def test_ease_learns_from_the_gram_matrix_of_synthetic_users_too(spark: SparkSession, tmp_path: Path) -> None:
    real, made = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[1.0, 0.5], [0.5, 1.0]])
    for name, gram_MM in (("real", real), ("made", made)):
        pairs(spark, gram_MM).write.parquet(str(tmp_path / name))
    near = cosine_neighbours(pairs(spark, real), 2)
    found = fit(near, str(tmp_path / "real"), 2, ItemNeighbourSettings(max_items=2, l2=1.0), str(tmp_path / "made"))
    assert found == pytest.approx(ease(real + made, 1.0))


def test_gram_is_the_product_whatever_the_partitions(spark: SparkSession, tmp_path: Path) -> None:
    x_UM = random_rows()
    rows = [(np.flatnonzero(r).tolist(), r[r > 0].tolist()) for r in x_UM]
    frame = spark.createDataFrame(rows, "items array<int>, weights array<double>")
    for parts in (1, 3):
        folder = str(tmp_path / str(parts))
        gram(frame.repartition(parts), 9).write.parquet(folder)
        assert dense(folder, 9) == pytest.approx(x_UM.T @ x_UM)
