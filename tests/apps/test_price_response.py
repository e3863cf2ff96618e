"""How orders respond to prices: against statsmodels, planted responses found again, what a price is and is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from statsmodels.discrete.conditional_models import ConditionalPoisson

from recsynth.apps.price_response import (
    NEUTRAL,
    Cells,
    Days,
    Response,
    by_price,
    cells,
    chance_above,
    design,
    dispersion,
    fit,
    gain,
    joined,
    log_change,
    offered,
    quantile,
    spread,
)

FROM = 0.1
FLAT = Response(np.zeros(2), np.diag([1e6, 1e6]))
CUTS = np.log([1.0, 0.95, 0.7])
"""Prices of planted cells: the usual one, one that is no promotion yet, a promotion."""


def planted(items: int, elasticity: np.ndarray | float, lift: float, seed: int, level: float = 30.0) -> list[Cells]:
    """An item each: three prices, levels of its own, the same days."""
    rng = np.random.default_rng(seed)
    on = by_price(CUTS, FROM)
    x, made = design(CUTS, on), []
    for own in np.broadcast_to(elasticity, items):
        exposure = rng.uniform(1, 5, len(CUTS))
        mean = level * rng.uniform(0.5, 2) * exposure * np.exp(x @ np.array([own, lift]))
        made.append(Cells(np.zeros(len(CUTS), int), CUTS, on, rng.poisson(mean).astype(float), exposure))
    return made


def test_without_a_prior_it_is_the_conditional_poisson_of_statsmodels() -> None:
    # One exposure for all: that model knows no other.
    found = joined(planted(20, -2.0, 0.3, seed=1))
    found = replace(found, exposure=np.ones(len(found)))
    x = design(found.log_ratio, found.is_promotion)
    theirs = ConditionalPoisson(found.lines, x, groups=found.stratum).fit(disp=0)
    ours = fit(found, FLAT)
    assert ours.mean == pytest.approx(theirs.params, abs=1e-4)
    assert np.sqrt(np.diag(ours.covariance)) == pytest.approx(theirs.bse, rel=1e-3)


def test_a_planted_response_is_found_whatever_the_levels_and_days() -> None:
    found = fit(joined(planted(200, -2.0, 0.4, seed=2)), NEUTRAL)
    assert found.mean == pytest.approx([-2.0, 0.4], abs=3 * np.sqrt(np.diag(found.covariance)).max())
    assert np.sqrt(found.covariance[0, 0]) < 0.3


def test_few_orders_leave_the_prior_where_it_is() -> None:
    one = Cells(np.zeros(2, int), np.log([1.0, 0.8]), np.array([0.0, 1.0]), np.array([1.0, 0.0]), np.full(2, 5.0))
    found = fit(one, NEUTRAL)
    assert np.abs(found.mean - NEUTRAL.mean).max() < 0.5
    assert found.covariance[0, 0] == pytest.approx(NEUTRAL.covariance[0, 0], rel=0.1)
    nothing = fit(joined([]), NEUTRAL)
    assert nothing.mean == pytest.approx(NEUTRAL.mean)
    assert nothing.covariance == pytest.approx(NEUTRAL.covariance)


def test_items_that_differ_are_told_from_chance() -> None:
    rng = np.random.default_rng(3)
    for strays in (0.0, 1.0):
        parts = planted(300, rng.normal(-2.0, strays, 300), 0.0, seed=4, level=100.0)
        every, item = joined(parts), np.repeat(np.arange(300), len(CUTS))
        shop = fit(every, NEUTRAL)
        assert spread(every, item, shop, 1.0) == pytest.approx(strays**2, abs=0.25)
    assert spread(parts[0], np.zeros(len(CUTS), int), shop, 1.0) == 0.0  # one group has nothing to differ from


def test_orders_that_come_in_crowds_weigh_as_fewer() -> None:
    parts = planted(300, -2.0, 0.0, seed=5)
    crowded = joined([replace(p, lines=4 * p.lines) for p in parts])
    assert dispersion(joined(parts), fit(joined(parts), NEUTRAL)) == pytest.approx(1.0, abs=0.15)
    found = dispersion(crowded, fit(crowded, NEUTRAL))
    assert found == pytest.approx(4.0, rel=0.15)
    told = fit(crowded, FLAT, found).covariance[0, 0]
    assert told == pytest.approx(fit(joined(parts), FLAT).covariance[0, 0], rel=0.2)


def test_a_response_that_holds_gains_on_orders_that_nothing_learned_from() -> None:
    taught, later = joined(planted(100, -2.0, 0.4, seed=6)), joined(planted(100, -2.0, 0.4, seed=7))
    found = fit(taught, NEUTRAL)
    assert gain(later, found) > 0
    assert gain(later, Response(-found.mean, found.covariance)) < 0
    assert gain(later, Response(np.zeros(2), NEUTRAL.covariance)) == pytest.approx(0.0)


def test_the_price_of_a_day_is_what_most_saw_near_it() -> None:
    counts = np.array([[2.0, 0, 2, 0, 0, 0, 0, 0], [0.0, 0, 1, 0, 3, 0, 0, 0]])
    found = offered(counts, np.array([100, 80]), np.ones(8, bool), reach=1, least_seen=2)
    assert found.tolist() == [100, 100, 100, 80, 80, 80, 0, 0]
    # What the day itself has seen often enough counts before what its neighbours have.
    own = offered(np.array([[5.0, 0, 5], [0.0, 2, 0]]), np.array([100, 80]), np.ones(3, bool), reach=1, least_seen=2)
    assert own.tolist() == [100, 80, 100]
    tie = offered(np.array([[2.0], [2.0]]), np.array([80, 100]), np.ones(1, bool), reach=0, least_seen=2)
    assert tie.tolist() == [100]
    assert offered(np.zeros((0, 3)), np.zeros(0, int), np.ones(3, bool), 1, 1).tolist() == [0, 0, 0]
    # What is not asked about lends nothing and is told nothing.
    asked = np.array([True, False, True, True])
    some = offered(np.array([[2.0, 0, 0, 0], [0.0, 5, 0, 0]]), np.array([100, 80]), asked, reach=3, least_seen=2)
    assert some.tolist() == [100, 0, 100, 100]


def test_cells_are_orders_at_each_price_of_a_period_that_saw_two() -> None:
    #                  the period before: one price   the last: usual 100, on two days 80, one day not known
    prices = np.array([100, 100, 100, 100, 100, 100, 100, 100, 80, 80, 0, 100])
    lines, exposure = np.arange(12.0), np.full(12, 10.0)
    exposure[6] = 0.0  # a day on which the shop was closed
    found, unusual = cells(Days(prices, lines, exposure, None), 6, 0.5, FROM)
    assert found.stratum.tolist() == [0, 0]
    assert found.log_ratio == pytest.approx([np.log(0.8), 0.0])
    assert found.lines.tolist() == [8 + 9, 7 + 11]
    assert found.exposure.tolist() == [20.0, 20.0]
    assert found.is_promotion.tolist() == [1.0, 0.0]
    assert unusual == 2
    # Half of the days with a known price are not enough where more are asked for.
    assert len(cells(Days(prices, lines, exposure, None), 6, 0.9, FROM)[0]) == 0
    assert len(cells(Days(np.zeros(12, int), lines, exposure, None), 6, 0.5, FROM)[0]) == 0


def test_what_the_shop_names_a_promotion_is_one_whatever_the_price() -> None:
    prices = np.array([80, 80, 80, 80, 100, 100, 100, 70])
    promoted = np.array([True, True, True, True, False, True, False, False])
    found, unusual = cells(Days(prices, np.arange(8.0), np.ones(8), promoted), 8, 0.5, FROM)
    # The usual price is that of days without a promotion, though most days show another; 70 is cheap and no promotion.
    assert found.log_ratio == pytest.approx(np.log([0.7, 0.8, 1.0, 1.0]))
    assert found.is_promotion.tolist() == [0.0, 1.0, 0.0, 1.0]
    assert found.lines.tolist() == [7.0, 0 + 1 + 2 + 3, 4 + 6, 5.0]
    assert unusual == 6
    # A promotion at the usual price alone is something to learn from.
    at_price, days = cells(Days(np.full(8, 100), np.ones(8), np.ones(8), promoted), 8, 0.5, FROM)
    assert (at_price.is_promotion.tolist(), days) == ([0.0, 1.0], 5)
    assert len(cells(Days(np.full(8, 100), np.ones(8), np.ones(8), np.zeros(8, bool)), 8, 0.5, FROM)[0]) == 0
    always = cells(Days(prices, np.ones(8), np.ones(8), np.ones(8, bool)), 8, 0.5, FROM)[0]
    assert always.log_ratio.max() == pytest.approx(np.log(100 / 80))


def test_a_slip_is_no_price() -> None:
    prices = np.array([100, 100, 100, 1, 401, 80])
    found, unusual = cells(Days(prices, np.ones(6), np.ones(6), None), 6, 0.5, FROM)
    assert found.log_ratio == pytest.approx([np.log(0.8), 0.0])
    assert unusual == 1


def test_an_item_counts_from_its_first_price_on() -> None:
    prices = np.array([0, 0, 0, 0, 0, 0, 0, 100, 80, 100])
    found, _ = cells(Days(prices, np.ones(10), np.ones(10), None), 10, 0.9, FROM)
    assert found.lines.tolist() == [1.0, 2.0]


def test_periods_end_with_the_last_day_and_share_no_level() -> None:
    prices = np.array([100, 80, 100, 50, 40, 50])
    found, _ = cells(Days(prices, np.ones(6), np.ones(6), None), 3, 0.5, FROM)
    assert found.log_ratio == pytest.approx([np.log(0.8), 0.0] * 2)
    both = joined([found, found])
    assert both.stratum.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert both.taken(np.arange(8) >= 4).stratum.tolist() == [0, 0, 1, 1]


def test_intervals_and_chances_are_those_of_a_normal_distribution() -> None:
    x = np.array([[-0.5, 1.0]])
    response = Response(np.array([-2.0, 0.1]), np.array([[0.4, 0.1], [0.1, 0.2]]))
    both = log_change([response, NEUTRAL], np.stack([x, 2 * x]))
    assert (both[0][1, 0], both[1][1, 0]) == pytest.approx((1.0, 4 * (0.25 * 4 + 0.25)))
    mean, variance = (part[0] for part in both)
    assert (mean[0], variance[0]) == pytest.approx((1.1, 0.25 * 0.4 - 2 * 0.5 * 0.1 + 0.2))
    assert quantile(mean, variance, 0.5) == pytest.approx(np.exp(mean))
    assert quantile(mean, variance, 0.975) == pytest.approx(np.exp(mean + 1.959964 * variance**0.5))
    assert chance_above(np.array([0.0, 1.0, -1.0]), np.array([0.0, 0.0, 0.0])).tolist() == [0.5, 1.0, 0.0]
