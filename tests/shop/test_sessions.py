"""Sessions: the same for the same seed, in time, about what the user likes."""

from __future__ import annotations

import pandas as pd
import pytest

from recsynth.shop.sessions import MOST_SHOWN, User
from recsynth.shop.settings import ShopSettings
from recsynth.shop.shelves import Stock
from tests.shop.conftest import SEED, Shop


def test_the_seed_and_the_number_alone_decide(shop: Shop) -> None:
    fresh = Stock(shop.stock.settings, SEED)
    # In another order, on another worker's stock.
    assert [User(n, fresh).events() for n in (5, 2, 9)] == [shop.by_user[n] for n in (5, 2, 9)]
    other = Stock(shop.stock.settings, SEED + 1)
    assert User(5, other).events() != shop.by_user[5]


def test_visits_are_as_many_as_declared(shop: Shop) -> None:
    """300 users * 84 days * 0.3, by the users' activity and the season; at most 4 a day."""
    visits = shop.events[~shop.events["session"].str.contains("+", regex=False)].drop_duplicates("session")
    activity = sum(min(t.activity, 8) for t in shop.tastes.values())
    planned = 0.3 * activity * shop.stock.seasons.visits.sum()
    assert len(visits) == pytest.approx(planned, rel=0.1)
    assert visits.groupby(["user_id", "day"]).size().max() <= 4


def test_events_lie_within_the_simulated_days_and_have_ids_of_their_own(shop: Shop) -> None:
    ts = pd.to_datetime(shop.events["ts"])
    first = pd.Timestamp(shop.stock.settings.start)
    assert ts.min() >= first
    assert ts.max() < first + pd.Timedelta(days=84)
    assert ((ts - first).dt.days == shop.events["day"]).all()
    assert shop.events["event_id"].is_unique


def test_nobody_sees_an_item_before_its_launch_or_after_its_end(shop: Shop) -> None:
    views = shop.events[shop.events["event_type"] == "view"]
    assert (views["day"] >= views["launch_day"]).all()
    assert (views["day"] < views["retired_day"]).all()
    about_items = shop.events.dropna(subset="item_id")
    assert (about_items["day"] >= about_items["launch_day"]).all()
    assert (views["launch_day"] > 0).sum() > 500


def test_the_visits_of_a_user_are_an_hour_apart_and_their_events_minutes(shop: Shop) -> None:
    visits = shop.events[~shop.events["session"].str.contains("+", regex=False)]
    visits = visits.assign(ts=pd.to_datetime(visits["ts"])).sort_values(["user_id", "ts"])
    gap = visits.groupby("user_id")["ts"].diff().dt.total_seconds()
    is_same = visits["session"] == visits.groupby("user_id")["session"].shift()
    assert gap[is_same].max() < 30 * 60
    assert gap[~is_same].min() >= 3600


def test_a_visit_shows_a_few_items_of_one_kind(shop: Shop) -> None:
    views = shop.events[shop.events["event_type"] == "view"].groupby("session")
    assert (views["kind_index"].nunique() == 1).all()
    assert (views["item_id"].nunique() == views.size()).all()
    # Up to 6 others beside something that is bought again.
    assert views.size().between(1, MOST_SHOWN + 1).all()
    assert 2.5 < views.size().mean() < 4.5


def test_what_is_used_up_is_bought_again_and_nothing_else_much() -> None:
    stock = Stock(ShopSettings(users=100, items=400, sessions_per_day=0.3, repeat_share=0.9), SEED)
    pairs: dict[tuple[str, str], int] = {}
    for number in range(100):
        for event in User(number, stock).events():
            if event.sent["event_type"] == "purchase":
                key = event.sent["user_id"], event.sent["item_id"]
                pairs[key] = pairs.get(key, 0) + 1
    used_up = {item for shelf in stock.shelves if shelf.is_consumable for item in shelf.item_id}
    again = {kind: [n > 1 for (_, item), n in pairs.items() if (item in used_up) == kind] for kind in (True, False)}
    assert sum(again[True]) / len(again[True]) > 1.5 * sum(again[False]) / len(again[False])


def test_a_shop_of_a_day_works() -> None:
    stock = Stock(ShopSettings(users=5, items=20, days=1, sessions_per_day=2), SEED)
    events = [e for n in range(5) for e in User(n, stock).events()]
    assert events
    assert {e.day for e in events} == {0}


def test_chances_are_those_that_purchases_are_drawn_by(shop: Shop) -> None:
    """Over many users as many items are bought as their chances add up to, and the likely ones more than others."""
    first, days = shop.stock.settings.days - 30, 30
    numbers = range(120)
    expected, likely, hits = 0.0, 0.0, 0
    actual = 0
    for number in numbers:
        chances = User(number, shop.stock).chances(first, days, draws=40)
        bought = {e.sent["item_id"] for e in shop.by_user[number] if e.sent["event_type"] == "purchase"
                  and e.day >= first}  # fmt: skip
        expected, actual = expected + sum(chances.values()), actual + len(bought)
        best = sorted(chances, key=lambda item: (-chances[item], item))[:10]
        likely, hits = likely + sum(chances[item] for item in best), hits + len(bought & set(best))
    assert actual == pytest.approx(expected, rel=0.15)
    # The ten likeliest were chosen on the draws themselves, which is kind to their chances.
    assert 0.6 * likely < hits < 1.1 * likely


def test_chances_know_what_was_bought_before_and_nothing_of_what_came(shop: Shop) -> None:
    number = max(range(60), key=lambda n: len(shop.by_user[n]))
    first = shop.stock.settings.days // 2
    assert User(number, shop.stock).chances(first, 20, 20) == User(number, shop.stock).chances(first, 20, 20)
    user = User(number, shop.stock)
    user.chances(first, 20, 1)
    past = [e for e in user.funnel.events if e.day < first]
    # Reviews and returns come days after what they are of.
    whole = [e for e in shop.by_user[number] if e.day < first and "+" not in e.session]
    assert [e for e in past if "+" not in e.session] == whole
