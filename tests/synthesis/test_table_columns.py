"""Columns as codes: what few people have is never told, numbers fall into bins and come back within them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsynth.synthesis.table_columns import Column, coded, columns_of, number_column, word_column
from recsynth.synthesis.table_rows import PERSON
from recsynth.synthesis.table_settings import TableSettings

LEAST = 5


def numbers(values: list[float | None], people: list[int] | None = None, most: int = 8) -> Column:
    who = pd.Series(people if people is not None else list(range(len(values))))
    return number_column(pd.Series(values, name="n", dtype=float), who, LEAST, most)


def drawn(column: Column, rows: int = 4000) -> np.ndarray:
    rng = np.random.default_rng(0)
    codes = rng.choice(len(column.shares), rows, p=column.shares)
    return column.decode(codes, rng)


def test_a_word_is_told_by_how_many_people_have_it_and_not_by_rows() -> None:
    words = ["often"] * 5 + ["once told often"] * 20 + ["rare"] * 4 + [None] * 3
    people = [*range(5), *[99] * 20, *range(4), *range(3)]
    column = word_column(pd.Series(words, name="w"), pd.Series(people), LEAST, most=10)
    assert column.words == ("often",)
    assert column.shares == pytest.approx((5 / 32, 27 / 32))
    assert column.encode(pd.Series(["often", "rare", None, "never seen"])).tolist() == [0, 1, 1, 1]
    assert set(drawn(column)) == {"often", None}


def test_of_many_words_the_most_frequent_are_told() -> None:
    words = pd.Series(["a"] * 6 + ["b"] * 8 + ["c"] * 7, name="w")
    assert word_column(words, pd.Series(range(21)), LEAST, most=2).words == ("b", "c")


def test_numbers_come_back_within_their_bin_and_as_often() -> None:
    rng = np.random.default_rng(1)
    values = rng.lognormal(3, 1, 2000)
    column = numbers(values.tolist(), most=16)
    assert 12 <= len(column.shares) - 1 <= 17
    codes = column.encode(pd.Series(values))
    assert (column.encode(column.decode(codes, rng)) == codes).mean() > 0.999
    for place in (0.1, 0.5, 0.9):
        assert np.quantile(drawn(column), place) == pytest.approx(np.quantile(values, place), rel=0.08)


def test_a_count_that_many_have_is_a_bin_of_its_own() -> None:
    values = [1.0] * 60 + [2.0] * 30 + [3.0] * 10
    column = numbers(values)
    assert column.whole
    found = dict(zip(*np.unique(drawn(column), return_counts=True), strict=True))
    assert set(found) == {1.0, 2.0, 3.0}
    assert found[1.0] / 4000 == pytest.approx(0.6, abs=0.03)


def test_the_greatest_number_of_one_person_is_never_told() -> None:
    values = [float(n) for n in range(100)] + [5000.0] * 40
    people = [*range(100), *[7] * 40]
    column = numbers(values, people)
    assert np.nanmax(drawn(column)) <= 96
    # The least as well: four people reach below the fifth.
    assert np.nanmin(drawn(column)) >= 4


def test_missing_numbers_are_a_code_of_their_own() -> None:
    column = numbers([1.0, 2.0] * 20 + [None] * 10)
    assert column.shares[-1] == pytest.approx(0.2)
    assert np.isnan(drawn(column)).mean() == pytest.approx(0.2, abs=0.03)
    assert column.encode(pd.Series([np.nan, 1.0])).tolist() == [2, 0]


@pytest.mark.parametrize(
    ("values", "codes"), [([3.0] * 30, 2), ([None] * 30, 1), ([1.0, 2.0, 3.0], 1), ([], 1)], ids=str
)
def test_a_column_that_is_constant_empty_or_of_too_few_people_is_coded(values: list[float | None], codes: int) -> None:
    column = numbers(values)
    assert len(column.shares) == codes
    assert len(column.encode(pd.Series(values, dtype=float))) == len(values)
    assert column.encode(pd.Series([3.0])).tolist() == [0]
    back = column.decode(np.zeros(3, int), np.random.default_rng(0))
    assert back.tolist() == [3.0] * 3 if codes == 2 else np.isnan(back).all()


def test_ids_that_are_all_different_are_nothing_to_tell() -> None:
    ids = pd.Series([f"u{n}" for n in range(50)], name="w")
    assert word_column(ids, pd.Series(range(50)), LEAST, most=100).words == ()


def test_columns_are_coded_by_name_and_survive_as_plain_values() -> None:
    rows = pd.DataFrame({PERSON: range(20), "w": ["x", "y"] * 10, "n": [1.0, 2.5] * 10})
    columns = columns_of(rows, ("w", "n"), {"w"}, TableSettings())
    assert [c.is_number for c in columns] == [False, True]
    again = tuple(Column.from_json(c.to_json()) for c in columns)
    assert again == columns
    assert (coded(rows, again) == coded(rows, columns)).all()
    assert coded(rows, ()).shape == (20, 0)


def test_a_network_reads_neighbouring_bins_as_neighbours_and_null_apart() -> None:
    read = numbers([float(n) for n in range(40)] + [None] * 5, most=4).features_KW
    apart = np.abs(read[0] - read[:-1]).sum(1)
    assert (np.diff(apart) > 0).all()
    assert (read[-1, :-1] == 0).all()
    assert (read[:-1, -1] == 0).all()
