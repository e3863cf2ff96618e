"""Item neighbours against slow plain twins, and answers known by reasoning."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from pyspark.sql import SparkSession

from recsynth.candidates.item_neighbours import cosine_neighbours, ease, fit, gram
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


def test_cosine_keeps_the_nearest_and_never_the_item_itself() -> None:
    x_UM = random_rows()
    kept = cosine_neighbours(sp.csr_matrix(x_UM.T @ x_UM), 3).toarray()
    for item in range(9):
        cosine = {
            j: x_UM[:, item] @ x_UM[:, j] / np.linalg.norm(x_UM[:, item]) / np.linalg.norm(x_UM[:, j])
            for j in range(9)
            if j != item
        }
        best = sorted((j for j in cosine if cosine[j] > 0), key=lambda j: (-cosine[j], j))[:3]
        assert set(np.flatnonzero(kept[item])) == set(best)
        assert [kept[item, j] for j in best] == pytest.approx([cosine[j] for j in best], abs=1e-6)


def test_a_catalogue_beyond_the_bound_gets_sparse_neighbours() -> None:
    g = sp.csr_matrix(np.ones((4, 4)))
    assert isinstance(fit(g, ItemNeighbourSettings(max_items=4)), np.ndarray)
    beyond = fit(g, ItemNeighbourSettings(max_items=3, neighbours=2))
    assert sp.issparse(beyond)
    assert np.diff(beyond.indptr).max() == 2


def test_gram_is_the_product_whatever_the_partitions(spark: SparkSession) -> None:
    x_UM = random_rows()
    rows = [(np.flatnonzero(r).tolist(), r[r > 0].tolist()) for r in x_UM]
    frame = spark.createDataFrame(rows, "items array<int>, weights array<double>")
    for parts in (1, 3):
        assert gram(frame.repartition(parts), 9).toarray() == pytest.approx(x_UM.T @ x_UM)
