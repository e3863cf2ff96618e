"""Known answers of what synthetic rows are worth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsynth.synthesis.table_columns import Column, columns_of
from recsynth.synthesis.table_judge import (
    METRICS,
    Sides,
    column_shape,
    judged,
    likeness,
    pair_trends,
    privacy,
    transfer,
)
from recsynth.synthesis.table_rows import PERSON
from recsynth.synthesis.table_settings import TableSettings


def columns() -> tuple[Column, ...]:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({PERSON: range(600), "w": rng.choice(list("abc"), 600), "n": rng.normal(size=600)})
    return columns_of(table, ("w", "n"), {"w"}, TableSettings(max_bins=10))


def codes(rows: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    word = rng.integers(0, 3, rows)
    return np.column_stack([word, np.clip(word * 3 + rng.integers(0, 4, rows), 0, 9)])


def test_equal_rows_have_everything_in_common_and_disjoint_ones_nothing() -> None:
    both = columns()
    one = codes(300, seed=1)
    assert pair_trends(one, one, both) == (1.0, 1.0)
    assert [column_shape(one[:, n], one[:, n], c) for n, c in enumerate(both)] == [1.0, 1.0]
    zeros, twos = np.zeros((50, 2), int), np.full((50, 2), 2)
    assert pair_trends(zeros, twos, both) == (0.0, 0.0)
    assert column_shape(zeros[:, 1], twos[:, 1], both[1]) == 0.0


def test_a_pair_counts_what_its_columns_alone_do_not_tell() -> None:
    both = columns()
    one = codes(2000, seed=1)
    mixed = np.column_stack([one[:, 0], np.random.default_rng(0).permutation(one[:, 1])])
    assert column_shape(mixed[:, 1], one[:, 1], both[1]) == 1.0
    assert pair_trends(mixed, one, both)[0] < 0.6


def test_rows_that_are_copies_of_those_learned_from_are_told_by_every_privacy_figure() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({PERSON: range(900), **{f"n{k}": rng.normal(size=900) for k in range(6)}})
    names = tuple(f"n{k}" for k in range(6))
    six = columns_of(table, names, set(), TableSettings(max_bins=50))
    learn, held, other = (rng.integers(0, 50, (200, 6)) for _ in range(3))
    copied = privacy(learn, Sides(learn, held), six)
    assert copied["closest"] == copied["copied"] == 1.0
    assert copied["membership"] > 0.99
    clean = privacy(other, Sides(learn, held), six)
    assert clean["closest"] == pytest.approx(0.5, abs=0.12)
    assert clean["membership"] == pytest.approx(0.5, abs=0.08)
    assert clean["copied"] == 0.0


def test_trees_learn_what_rows_teach_and_nothing_from_mixed_ones() -> None:
    held, real = codes(800, seed=2), codes(800, seed=1)
    mixed = np.column_stack([real[:, 0], np.random.default_rng(0).permutation(real[:, 1])])
    assert transfer(real, held, 0, seed=0) > 0.95
    assert transfer(mixed, held, 0, seed=0) < 0.7
    assert np.isnan(transfer(np.zeros((50, 2), int), held, 0, seed=0))


def test_every_figure_is_named_and_a_single_column_has_no_pairs() -> None:
    both, one = columns(), codes(120, seed=1)
    found = judged(codes(120, seed=3), Sides(one, codes(120, seed=2)), both, 0, seed=0)
    assert set(found) == set(METRICS)
    assert not {"pairs", "transfer"} & set(likeness(one[:, :1], one[:, :1], both[:1], 0, seed=0))
