"""Shelves: what is on sale in a week, what is promoted, what it costs."""

from __future__ import annotations

import numpy as np
import pytest

from recsynth.shop.settings import ShopSettings
from recsynth.shop.shelves import PROMOTION_LIFT, Stock
from recsynth.shop.truth import promotions
from tests.shop.conftest import SEED, Shop

EIGHTH = ShopSettings(items=400, days=84, promotion_share=0.125)


def test_shelves_hold_each_item_once(shop: Shop) -> None:
    rows = np.concatenate([shelf.rows for shelf in shop.stock.shelves])
    assert sorted(rows) == list(range(400))
    for shelf in shop.stock.shelves:
        assert shelf.item_id == shop.items["item_id"].iloc[shelf.rows].tolist()
        assert shelf.words(3, "en")["noun"] == shop.items["noun"].iloc[shelf.rows[3]]


def test_what_is_not_on_sale_never_arrives() -> None:
    stock = Stock(EIGHTH, SEED)
    for week in (0, 5, 11):
        for shelf in stock.shelves:
            is_off = (shelf.launch_day > 7 * week) | (shelf.retired_day <= 7 * week)
            assert np.array_equal(np.isinf(stock.delays(shelf.kind, week)), is_off)


def test_promotions_take_their_discount_and_lift() -> None:
    stock = Stock(EIGHTH, SEED)
    chosen = stock.promoted(4)
    # 400 draws with a chance of 1/8: 50, give or take 3 deviations of 6.6.
    assert abs(chosen.sum() - 50) < 20
    for shelf in stock.shelves:
        on, prices = chosen[shelf.rows], np.array(stock.prices(shelf.kind, 4))
        assert prices == pytest.approx(shelf.price * np.where(on, 0.8, 1), abs=0.0051)
        delays = stock.delays(shelf.kind, 4)
        assert set(delays[on & np.isfinite(delays)]) <= {np.exp(-PROMOTION_LIFT)}


def test_the_truth_tells_promotions_of_what_is_on_sale() -> None:
    stock = Stock(EIGHTH, SEED)
    told = promotions(stock)
    fifth = told[told["first_day"] == EIGHTH.date_of(28)]
    of_shelves = {
        item
        for shelf in stock.shelves
        for item, delay in zip(shelf.item_id, stock.delays(shelf.kind, 4), strict=True)
        if delay < 1
    }
    assert set(fifth["item_id"]) == of_shelves
    assert set(told["first_day"]) == {EIGHTH.date_of(7 * week) for week in range(12)}
    assert set(fifth["last_day"]) == {EIGHTH.date_of(34)}


def test_promoted_items_are_seen_more_and_sold_for_less(shop: Shop) -> None:
    """Within a kind, a lift of 1 multiplies the chance of being drawn by up to e = 2.7."""
    views = shop.events[shop.events["event_type"] == "view"]
    seen = views.groupby([views["day"] // 7, "item_id"]).size()
    on = {(week, item) for week in range(12) for item in shop.items["item_id"][shop.stock.promoted(week)]}
    on_sale = [
        (week, row.item_id)
        for week in range(12)
        for row in shop.items.itertuples()
        if row.launch_day <= 7 * week < row.retired_day
    ]
    counts = np.array([seen.get(pair, 0) for pair in on_sale])
    is_on = np.array([pair in on for pair in on_sale])
    assert 1.4 < counts[is_on].mean() / counts[~is_on].mean() < 2.9
    bought = shop.events[shop.events["event_type"] == "purchase"]
    is_promoted = [(day // 7, item) in on for day, item in zip(bought["day"], bought["item_id"], strict=True)]
    paid = (bought["price"] / bought["price_listed"]).to_numpy()
    assert paid == pytest.approx(np.where(is_promoted, 0.8, 1), abs=0.002)
