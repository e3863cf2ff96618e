"""Models of demand: means by hand, medians of what hardly sells, choice by record, quantiles that cover."""

from __future__ import annotations

import numpy as np
import pytest

from recsynth.apps.demand_models import (
    LEVELS,
    MODELS,
    QuantileTrees,
    chosen,
    errors,
    features,
    interval_ends,
    poisson_quantiles,
    rates,
)
from recsynth.apps.settings import DemandSettings

SETTINGS = DemandSettings(min_child_weight=20, trees=60, l2=1)


def poisson_panel(series: int, weeks: int, seed: int = 0, least: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Weeks of Poisson counts and each series' mean, from `least` to 200 times that."""
    rng = np.random.default_rng(seed)
    mean = np.exp(rng.uniform(np.log(least), np.log(200 * least), series))
    return rng.poisson(mean[:, None], (series, weeks)).astype(float), mean


def test_every_model_says_the_level_of_a_steady_series_and_the_mean_of_all_is_their_mean() -> None:
    found = rates(np.full((1, 20), 6.0))
    assert found == pytest.approx(np.full((1, len(MODELS)), 6.0), abs=1e-6)
    noisy = rates(poisson_panel(5, 30)[0])
    assert noisy[:, -1] == pytest.approx(noisy[:, :-1].mean(1))
    window = np.concatenate([np.full((1, 16), 9.0), [[1.0, 2.0, 3.0, 6.0]]], 1)
    assert rates(window)[0, MODELS.index("window_average")] == pytest.approx(3.0)


def test_a_series_begins_with_its_first_sale() -> None:
    late = np.concatenate([np.zeros((1, 40)), np.full((1, 8), 5.0)], 1)
    assert rates(late) == pytest.approx(np.full((1, len(MODELS)), 5.0), abs=1e-6)


@pytest.mark.parametrize("weeks", [[0.0] * 12, [0.0] * 11 + [3.0], [0.0] * 9 + [1.0, 0.0, 4.0], [1e7] * 12])
def test_a_series_of_zeros_or_of_three_points_has_finite_means_that_are_not_negative(weeks: list[float]) -> None:
    found, (x, scale) = rates(np.array([weeks])), features(np.array([weeks]))
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert np.isfinite(x).all()
    assert (scale > 0).all()


def test_no_series_is_no_error() -> None:
    assert rates(np.zeros((0, 8))).shape == (0, len(MODELS))


def test_features_do_not_hang_on_the_unit_but_for_the_level_itself() -> None:
    weeks = poisson_panel(10, 30)[0] + 5
    one, thousand = features(weeks), features(weeks * 1000)
    assert thousand[1] == pytest.approx(one[1] * 1000, rel=0.01)
    assert thousand[0][:, :-1] == pytest.approx(one[0][:, :-1], rel=0.01)


def test_choice_follows_the_series_own_record_only_as_far_as_it_goes() -> None:
    usual = np.array([1.0, 2.0, 3.0, 3.0, 3.0])
    own = np.array([[8.0, 4.0, 9.0, 9.0, 9.0]] * 2) * [[1.0], [10.0]]
    assert chosen(own, np.array([4.0, 40.0]), usual, shrinkage=8).tolist() == [0, 1]
    assert chosen(np.zeros((1, 5)), np.zeros(1), usual, shrinkage=8).tolist() == [0]


def test_one_freak_week_decides_nothing() -> None:
    freak = errors(np.array([[1.0, 2.0]]), np.array([1e6]), np.array([1.0]))
    assert freak[0, 0] == freak[0, 1]
    assert errors(np.array([[1.0, 4.0]]), np.array([2.0]), np.array([2.0])).tolist() == [[0.25, 1.0]]


def learned_and_later(least: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Quantiles said of 1,500 series, what came, their planted means and their past; other series were learned from."""
    learned, _ = poisson_panel(1500, 31, seed=1, least=least)
    x, scale = features(learned[:, :30])
    trees = QuantileTrees.fit(x, learned[:, 30] / scale, LEVELS, SETTINGS, seed=0)
    later, mean = poisson_panel(1500, 31, seed=2, least=least)
    x, scale = features(later[:, :30])
    return trees.predict(x) * scale[:, None], later[:, 30], mean, later[:, :30]


def test_quantiles_of_series_that_were_not_learned_from_cover_what_they_say() -> None:
    # Counts of ten and more: of smaller ones few lie between two quantiles, and more than their share upon one.
    said, y, _, _ = learned_and_later(least=10)
    assert (np.diff(said, axis=1) >= 0).all()
    for low, high, share in ((1, 4, 0.8), (0, 6, 0.95)):
        assert ((y >= said[:, low]) & (y <= said[:, high])).mean() == pytest.approx(share, abs=0.05)


def test_intervals_cover_what_they_say_of_what_hardly_sells_too_and_lie_within_one_another() -> None:
    said, y, mean, _ = learned_and_later(least=0.1)
    low_95, low_80, high_80, high_95 = interval_ends(said).T
    assert (low_95 <= low_80).all()
    assert (high_80 <= high_95).all()
    scarce = mean < 1
    assert (low_80[scarce] == 0).mean() > 0.9
    two_sided = (y[scarce] <= said[scarce, LEVELS.index(0.9)]).mean()
    one_sided = ((y >= low_80) & (y <= high_80))[scarce].mean()
    assert one_sided == pytest.approx(0.8, abs=0.05)
    assert two_sided > one_sided + 0.04
    by_hand = interval_ends(np.array([[0.0, 0.4, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6, 7]]))
    assert by_hand.tolist() == [[0, 0, 2, 4], [1, 2, 5, 7]]


def test_the_median_of_what_hardly_sells_is_nothing_and_misses_by_less_than_the_mean() -> None:
    said, y, mean, past = learned_and_later(least=0.1)
    assert (np.round(said[mean < 0.4, 2]) == 0).mean() > 0.95
    assert np.abs(y - said[:, 2]).mean() < np.abs(y - rates(past)[:, MODELS.index("imapa")]).mean()


def test_trees_are_the_same_for_the_same_rows_and_levels_stand_where_they_were_asked_for() -> None:
    weeks, _ = poisson_panel(300, 31)
    x, scale = features(weeks[:, :30])
    one, two = (QuantileTrees.fit(x, weeks[:, 30] / scale, (0.9, 0.1), SETTINGS, seed=3) for _ in range(2))
    assert one.booster == two.booster
    said = one.predict(x)
    assert (said[:, 0] >= said[:, 1]).all()
    assert said[:, 0].mean() > said[:, 1].mean()


def test_poisson_quantiles_are_those_of_scipy_and_zero_has_none_but_zero() -> None:
    found = poisson_quantiles(np.array([0.0, 4.0]), (0.025, 0.5, 0.975))
    assert found.tolist() == [[0.0, 0.0, 0.0], [1.0, 4.0, 8.0]]
