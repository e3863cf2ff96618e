"""Draws against distributions that are known by reasoning, and against slow plain twins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from recsynth.synthesis.draw import (
    ACTIVITY,
    BINS,
    GROUPS,
    Drawing,
    Wanted,
    draw,
    gumbel_top,
    mixed,
    recalibrated,
    rounds,
    tilt,
)

ITEMS, USERS = 30, 400
POPULARITY = np.linspace(1.5, -1.5, ITEMS).astype(np.float32)


def drawing(weights: sp.csr_matrix | None = None) -> Drawing:
    none = sp.csr_matrix((ITEMS, ITEMS), dtype=np.float32)
    mix = np.tile(np.array([[1.0], [1.0], [-4.0]], np.float32), len(BINS) + 1)
    return Drawing(
        none if weights is None else weights, mix, POPULARITY, np.zeros(ITEMS, int),
        np.zeros((len(ACTIVITY) + 1, len(GROUPS) + 1), np.float32), np.zeros(ITEMS, np.float32),
    )  # fmt: skip


def wanted(size: int, mean: float = 0.0, spread: float = 0.9, logits: np.ndarray | None = None) -> Wanted:
    level = np.zeros((USERS, ITEMS), np.float32) if logits is None else np.tile(logits, (USERS, 1)).astype(np.float32)
    return Wanted(np.full(USERS, size), level, np.full(USERS, mean), np.full(USERS, spread))


def test_the_first_item_is_drawn_in_proportion_and_the_second_without_it() -> None:
    share = np.array([0.5, 0.3, 0.2])
    logits = np.tile(np.log(share), (20_000, 1)).astype(np.float32)
    rng = np.random.default_rng(0)
    one = gumbel_top(logits, np.ones(len(logits), int), rng)
    assert np.asarray(one.mean(0)).ravel() == pytest.approx(share, abs=0.02)
    two = gumbel_top(logits, np.full(len(logits), 2), rng)
    # An item is left out if the two others come: in either order, the second in proportion to what is left.
    left = [0.3 * 0.2 / 0.7 + 0.2 * 0.3 / 0.8, 0.5 * 0.2 / 0.5 + 0.2 * 0.5 / 0.8, 0.5 * 0.3 / 0.5 + 0.3 * 0.5 / 0.7]
    assert 1 - np.asarray(two.mean(0)).ravel() == pytest.approx(np.array(left), abs=0.02)


@pytest.mark.parametrize("size", [1, 2, 7, 30])
def test_a_row_has_the_wanted_number_of_different_items(size: int) -> None:
    rows = draw(wanted(size), drawing(), np.random.default_rng(0))
    assert np.diff(rows.indptr).tolist() == [size] * USERS
    assert set(rows.data) == {1.0}


def test_a_size_beyond_the_catalogue_is_the_whole_of_it() -> None:
    rows = draw(wanted(ITEMS + 5), drawing(), np.random.default_rng(0))
    assert rows.nnz == USERS * ITEMS


def test_the_rounds_of_a_user_add_up() -> None:
    sizes = np.array([1, 3, 8, 100, 1000])
    drawn = np.array(list(rounds(sizes)))
    assert drawn.sum(0).tolist() == sizes.tolist()
    assert (drawn >= 0).all()


@pytest.mark.parametrize("mean", [-0.8, 0.0, 0.8])
def test_users_end_with_the_mean_popularity_that_is_asked_for(mean: float) -> None:
    rows = draw(wanted(10, mean=mean, spread=0.6), drawing(), np.random.default_rng(0))
    means = rows @ POPULARITY / 10
    assert means.mean() == pytest.approx(mean, abs=0.12)
    spread = np.sqrt(rows @ POPULARITY**2 / 10 - means**2)
    assert spread.mean() == pytest.approx(0.6, abs=0.15)


def test_the_tilt_gives_the_moments_that_a_search_gives() -> None:
    features = np.column_stack([POPULARITY, POPULARITY**2])
    logits = np.random.default_rng(1).normal(size=(1, ITEMS)).astype(np.float32)
    moments = np.array([[0.3, 0.6]])
    found = tilt(logits, features, moments)[0]

    def distance(t: np.ndarray) -> float:
        chance = np.exp(logits[0] + features @ t)
        return float(np.abs(chance / chance.sum() @ features - moments[0]).sum())

    grid = [np.array([a, b]) for a in np.linspace(-2, 2, 41) for b in np.linspace(-1, 1, 41)]
    best = min(grid, key=distance)
    assert distance(found) < distance(np.zeros(2)) / 3
    assert found == pytest.approx(best, abs=0.25)


def test_what_goes_together_is_drawn_together() -> None:
    # Item i pulls i + 15 and the other way round.
    pairs = sp.csr_matrix((np.full(ITEMS, 2.0, np.float32), (np.arange(ITEMS), (np.arange(ITEMS) + 15) % ITEMS)))
    rows = draw(wanted(6), drawing(pairs), np.random.default_rng(0)).toarray()
    apart = draw(wanted(6), drawing(), np.random.default_rng(0)).toarray()
    both, by_chance = ((x[:, :15] * x[:, 15:]).sum(1).mean() for x in (rows, apart))
    assert both > 3 * by_chance


def test_with_nothing_drawn_yet_the_taste_alone_decides() -> None:
    logits, mix = np.zeros((1, 2), np.float32), np.tile([[2.0], [3.0], [0.0]], len(BINS) + 1)
    pull = np.array([[1.0, 0.0]], np.float32)
    assert mixed(logits + 0.5, pull, np.array([0]), mix)[0].tolist() == [1.0, 1.0]
    pulled = mixed(logits + 0.5, pull, np.array([4]), mix)[0]
    assert pulled == pytest.approx([1.0 + 3 * np.log(2.0), 1.0])


def test_calibration_brings_the_shares_of_items_to_the_real_ones() -> None:
    rng = np.random.default_rng(3)
    share = np.linspace(3, 1, ITEMS)
    real = gumbel_top(np.tile(np.log(share), (USERS, 1)).astype(np.float32), np.full(USERS, 5), rng)
    start = replace(drawing(), group_M=(np.arange(ITEMS) >= 15).astype(int))
    # Tastes that know nothing of popularity, free to end with any.
    asked = wanted(5, mean=float((share / share.sum()) @ POPULARITY), spread=0.9)

    def distance(found: sp.csr_matrix) -> float:
        return float(np.abs(np.asarray(found.mean(0)) - np.asarray(real.mean(0))).sum())

    first = now = draw(asked, start, np.random.default_rng(4))
    model = start
    for seed in range(3):
        model = recalibrated(model, now, real)
        now = draw(asked, model, np.random.default_rng(seed))
    assert distance(now) < 0.75 * distance(first)
