"""What a step compares: by popularity, from the batch, and hard ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recsynth.training.sampling import HARD_PLACES, ItemSampler
from recsynth.training.shards import Batch, read_texts
from tests.training.planted import ITEMS, batches, quick, trainer, write_planted


def sampler(folder: Path, **changes: object) -> ItemSampler:
    return ItemSampler(read_texts(write_planted(folder / "shards")), quick(**changes), np.random.default_rng(1))


def unasked(batch: Batch) -> np.ndarray:
    raise AssertionError("nobody asked for hard items")


def batch_of(*histories: list[int]) -> Batch:
    texts = np.array(histories)
    return Batch(texts, np.full(texts.shape, 5), np.zeros(texts.shape, np.float32))


def test_of_the_catalogue_an_item_comes_as_often_as_its_popularity_says(tmp_path: Path) -> None:
    made = sampler(tmp_path, popularity_power=1.0)
    made.chance_M = np.where(np.arange(ITEMS) < 10, 0.09, 0.1 / (ITEMS - 10))
    drawn = [made.draw(batch_of([0]), 1, unasked) for _ in range(2000)]
    share = np.mean([sample.items_M[0] < 10 for sample in drawn])
    assert share == pytest.approx(0.9, abs=0.03)
    assert {round(float(np.exp(s.log_q_M[0])), 4) for s in drawn} == {0.09, round(0.1 / (ITEMS - 10), 4)}


def test_in_batch_takes_what_the_batch_has_and_nothing_else(tmp_path: Path) -> None:
    made = sampler(tmp_path, sampling="in_batch")
    batch = batch_of([3, 3, 3], [3, 7, 9])
    drawn = [made.draw(batch, 2, unasked) for _ in range(300)]
    assert {int(i) for sample in drawn for i in sample.items_M} == {3, 7, 9}
    # Item 3 has four of six events: it is expected in a sample of two more than once, the others a third of the time.
    assert {round(float(q), 3) for s in drawn for q in np.exp(s.log_q_M)} == {round(8 / 6, 3), round(2 / 6, 3)}


def test_a_batch_without_items_is_no_error(tmp_path: Path) -> None:
    searches = Batch(np.array([[ITEMS + 1]]), np.array([[1]]), np.zeros((1, 1), np.float32))
    assert len(sampler(tmp_path, sampling="in_batch").draw(searches, 5, unasked).items_M) == 1


def test_hard_items_are_ranked_high_by_those_who_do_not_have_them(tmp_path: Path) -> None:
    made, batch = sampler(tmp_path, hard_items=4), batch_of([0, 1], [0, 2])
    # Both users rank the items by their number: 0, 1 and 2 are theirs.
    sample = made.draw(batch, 12, lambda few: np.tile(-np.arange(ITEMS, dtype=float), (len(few.texts_BL), 1)))
    hard = sample.items_M[sample.log_q_M == 0]
    assert len(hard) == 4
    # The first user's list without 0 and 1, the second's without 0 and 2.
    assert set(hard) <= set(range(1, HARD_PLACES + 2))
    assert len(sample.items_M) <= 12
    assert len(set(sample.items_M)) == len(sample.items_M)
    assert list(sample.items_M) == sorted(sample.items_M)


@pytest.mark.parametrize("settings", [{"hard_items": 5}, {"sampling": "in_batch"}])
def test_each_way_learns_the_planted_taste(tmp_path: Path, settings: dict[str, object]) -> None:
    progress = trainer(tmp_path, **settings).run(tmp_path / "checkpoints")
    assert progress.best > progress.before + 0.05


def test_a_step_of_a_single_item_or_user_is_finite(tmp_path: Path) -> None:
    made = trainer(tmp_path, items_per_step=2)
    made.validate()
    one = next(batches(made))
    made._step(Batch(one.texts_BL[:1], one.types_BL[:1], one.ages_BL[:1]))
    assert made.progress.bad == 0
