"""The tabular GAN finds what hangs together, is the same for the same seed, and keeps of its play only what helps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from recsynth.errors import ModelError
from recsynth.synthesis.generator import GAN, GAUSSIAN, INDEPENDENT, KINDS
from recsynth.synthesis.table_columns import coded, columns_of
from recsynth.synthesis.table_gan import fit_table
from recsynth.synthesis.table_generator import TableGenerator, Tables, read_tables, write_tables
from recsynth.synthesis.table_judge import Sides, judged, pair_trends, reference
from recsynth.synthesis.table_rows import PERSON
from recsynth.synthesis.table_settings import PlaySettings, TableSettings

SETTINGS = TableSettings(steps=300, gan=PlaySettings(steps=20, learning_rate=2e-4, critic_steps=1, batch_size=128))


def rows(number: int, seed: int) -> pd.DataFrame:
    """A size that is given; a colour by it; a price near 10 or near 90 by the colour, in the middle for blue."""
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 9, number)
    colour = np.where(rng.random(number) < 0.9, np.where(size > 4, "red", "green"), "blue")
    middle = np.select([colour == "red", colour == "green"], [np.where(rng.random(number) < 0.5, 10, 90), 50], 30)
    return pd.DataFrame({PERSON: np.arange(number), "size": size, "colour": colour,
                         "price": middle + rng.normal(0, 3, number)})  # fmt: skip


@pytest.fixture(scope="module")
def fitted() -> TableGenerator:
    table = rows(1500, seed=1)
    return fit_table(table, columns_of(table, ("size", "colour", "price"), {"colour"}, SETTINGS), 1, SETTINGS, seed=3)


@pytest.fixture(scope="module")
def sides(fitted: TableGenerator) -> Sides:
    return Sides(coded(rows(1500, seed=1), fitted.columns), coded(rows(1500, seed=2), fitted.columns))


def test_it_is_nearer_to_held_out_rows_than_both_baselines(fitted: TableGenerator, sides: Sides) -> None:
    found = {
        kind: judged(fitted.draw(kind, sides.held_BC[:, :1], np.random.default_rng(0)), sides, fitted.columns, 1, 0)
        for kind in KINDS
    }
    real = reference(sides, fitted.columns, 1, 0)
    pairs = {kind: f["pairs"] for kind, f in found.items()}
    assert pairs[GAN] > pairs[GAUSSIAN] + 0.05 > pairs[INDEPENDENT]
    assert pairs[GAN] > 0.95 * real["pairs"]
    assert found[GAN]["discriminator"] < 0.58 < found[GAUSSIAN]["discriminator"]
    assert found[GAN]["transfer"] > 0.9 * real["transfer"] > found[INDEPENDENT]["transfer"]
    assert found[GAN]["closest"] < 0.54
    assert found[GAN]["membership"] < 0.54


def test_what_is_given_stands_and_decides(fitted: TableGenerator) -> None:
    given = np.repeat(fitted.columns[0].encode(pd.Series([1, 8])), 500)[:, None]
    drawn = fitted.draw(GAN, given, np.random.default_rng(0))
    assert (drawn[:, :1] == given).all()
    red = drawn[:, 1] == fitted.columns[1].words.index("red")  # type: ignore[union-attr]
    assert red[:500].mean() < 0.1 < 0.8 < red[500:].mean()


def test_a_dependence_that_has_no_direction_is_found_by_the_gan_alone(fitted: TableGenerator) -> None:
    """Red things cost 10 or 90 and never 50: a copula of normal scores sees no order in it."""
    given = np.repeat(fitted.columns[0].encode(pd.Series([8])), 2000)[:, None]

    def middling(kind: str) -> float:
        rng = np.random.default_rng(0)
        drawn = fitted.draw(kind, given, rng)
        price = fitted.columns[2].decode(drawn[:, 2], rng)
        red = drawn[:, 1] == fitted.columns[1].words.index("red")  # type: ignore[union-attr]
        return float(((price > 40) & (price < 60))[red].mean())

    assert middling(GAN) < 0.12
    assert middling(GAUSSIAN) > 0.2


def test_the_play_is_kept_only_where_rows_apart_say_so() -> None:
    table = rows(400, seed=1)
    columns = columns_of(table, ("size", "colour", "price"), {"colour"}, SETTINGS)
    weights = {}
    for steps, rate in ((1, 2e-4), (40, 5e-2)):
        gan = PlaySettings(steps=steps, learning_rate=rate, critic_steps=1, batch_size=64)
        made = fit_table(table, columns, 1, TableSettings(steps=100, gan=gan), seed=3)
        looks = made.arrays["play"]
        assert len(looks) >= 2
        weights[rate] = (looks, made.arrays["heads.0.2.bias"])
    # A rate that tears the generator apart is seen by the looks, and what was before it stays.
    torn, kept = weights[5e-2]
    assert torn[1:].max() < torn[0]
    untouched = fit_table(
        table, columns, 1, TableSettings(steps=100, gan=PlaySettings(steps=1, learning_rate=1e-12)), 3
    )
    assert kept == pytest.approx(untouched.arrays["heads.0.2.bias"], abs=1e-6)


def test_the_same_seed_gives_the_same_and_leaves_random_numbers_alone(fitted: TableGenerator) -> None:
    table = rows(1500, seed=1)
    torch.manual_seed(11)
    expected = torch.randn(3)
    torch.manual_seed(11)
    again = fit_table(table, fitted.columns, 1, SETTINGS, seed=3)
    assert torch.equal(torch.randn(3), expected)
    assert all((again.arrays[name] == array).all() for name, array in fitted.arrays.items())


def test_a_written_generator_draws_the_same_and_a_changed_file_is_refused(
    fitted: TableGenerator, tmp_path: Path
) -> None:
    write_tables(Tables({"t": fitted}, {"a/b": np.arange(3.0)}, {"usual": "view"}), tmp_path / "one", {})
    read = read_tables(str(tmp_path / "one"))
    assert read.facts == {"usual": "view"}
    assert read.arrays["a/b"].tolist() == [0, 1, 2]
    given = np.zeros((50, 1), int)
    for kind in KINDS:
        first, second = (g.draw(kind, given, np.random.default_rng(1)) for g in (fitted, read.generators["t"]))
        assert (first == second).all()
    (tmp_path / "one" / "tables.json").write_text("{}")
    read_tables.cache_clear()
    with pytest.raises(ModelError, match=r"tables\.json: expected sha256"):
        read_tables(str(tmp_path / "one"))


def test_a_table_without_given_columns_and_a_constant_one_is_learned() -> None:
    table = pd.DataFrame({PERSON: range(60), "c": ["x"] * 60, "w": ["a", "b", "b"] * 20})
    columns = columns_of(table, ("c", "w"), {"c", "w"}, SETTINGS)
    made = fit_table(table, columns, 0, TableSettings(steps=60, gan=PlaySettings(steps=2)), seed=1)
    drawn = made.draw(GAN, np.zeros((600, 0), int), np.random.default_rng(0))
    assert set(columns[0].decode(drawn[:, 0], np.random.default_rng(0))) == {"x"}
    assert (drawn[:, 1] == 0).mean() == pytest.approx(2 / 3, abs=0.1)
    assert pair_trends(drawn, coded(table, columns), columns)[0] > 0.9
