"""Tastes: drawn from the user's number alone, and found again in what the user buys."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsynth.shop.settings import ShopSettings
from recsynth.shop.tastes import taste, true_scores
from recsynth.shop.words import BRANDS, COLOURS, COUNTRIES
from tests.shop.conftest import Shop, simulated


@pytest.fixture(scope="module")
def purchases(shop: Shop) -> pd.DataFrame:
    return shop.events[shop.events["event_type"] == "purchase"]


def is_liked(shop: Shop, bought: pd.DataFrame, name: str) -> float:
    """The share of purchases whose brand or colour is one of the two that the user likes."""
    pairs = zip(bought["user_id"], bought[f"{name}_index"], strict=True)
    return float(np.mean([getattr(shop.tastes[user], f"{name}s")[int(index)] for user, index in pairs]))


def test_the_seed_and_the_number_alone_decide() -> None:
    settings = ShopSettings()
    first = taste(3, settings, 1)
    assert np.array_equal(first.kinds, taste(3, settings, 1).kinds)
    assert not np.array_equal(first.kinds, taste(4, settings, 1).kinds)
    assert not np.array_equal(first.kinds, taste(3, settings, 2).kinds)
    assert first.kinds.sum() == pytest.approx(1)


def test_a_mean_user_visits_once_in_the_mean_and_some_far_more(shop: Shop) -> None:
    activity = np.array([t.activity for t in shop.tastes.values()])
    assert activity.mean() == pytest.approx(1, abs=0.25)
    assert np.sort(activity)[-30:].sum() / activity.sum() > 0.3
    assert {t.country for t in shop.tastes.values()} == set(COUNTRIES["en"])


def test_what_is_bought_most_is_a_planted_kind(shop: Shop, purchases: pd.DataFrame) -> None:
    """By chance a kind is one of a user's three foremost of 20 in 3 / 20 = 15 % of cases."""
    bought = purchases.groupby("user_id")["kind_index"].agg(["size", lambda kinds: kinds.mode().iloc[0]])
    often = bought[bought["size"] >= 5]
    hits = [kind in np.argsort(shop.tastes[user].kinds)[-3:] for user, kind in often.iloc[:, 1].items()]
    assert len(hits) > 80
    assert np.mean(hits) > 0.75


def test_liked_brands_colours_and_materials_are_bought_above_chance(shop: Shop, purchases: pd.DataFrame) -> None:
    """A like of weight w among k of n raises its share from k / n to k e^w / (k e^w + n - k), the rest being even."""
    likes = {"brand": (2, len(BRANDS["en"]), 1.2), "colour": (2, len(COLOURS["en"]), 1.2)}
    for name, (k, n, w) in likes.items():
        planted = k * np.exp(w) / (k * np.exp(w) + n - k)
        assert is_liked(shop, purchases, name) == pytest.approx(planted, abs=0.1)
        assert is_liked(shop, purchases, name) > k / n + 0.1
    favourite = [
        shop.tastes[user].materials[kind] == material
        for user, kind, material in zip(
            purchases["user_id"], purchases["kind_index"].astype(int), purchases["material_index"], strict=True
        )
    ]
    assert np.mean(favourite) == pytest.approx(np.exp(0.8) / (np.exp(0.8) + 2), abs=0.1)


def test_people_buy_near_their_price(shop: Shop, purchases: pd.DataFrame) -> None:
    paid = purchases.groupby("user_id")["relative_price"].agg(["size", "mean"])
    often = paid[paid["size"] >= 5]
    liked = [shop.tastes[user].price_level for user in often.index]
    assert np.corrcoef(liked, often["mean"])[0, 1] > 0.4


def test_without_strength_only_chance_is_left() -> None:
    shop = simulated(users=150, taste_strength=0)
    bought = shop.events[shop.events["event_type"] == "purchase"]
    assert is_liked(shop, bought, "brand") == pytest.approx(2 / 10, abs=0.06)
    assert is_liked(shop, bought, "colour") == pytest.approx(2 / 8, abs=0.06)


def test_true_scores_rank_what_is_bought_near_the_top(shop: Shop, purchases: pd.DataFrame) -> None:
    """Chances that add up to 1; most purchases are in the tenth with the highest scores, by chance 10 %."""
    scores = {user: true_scores(t, shop.stock.shelves, shop.stock.settings) for user, t in shop.tastes.items()}
    assert all(np.exp(s).sum() == pytest.approx(1, rel=1e-6) for s in scores.values())
    top = {user: set(np.argsort(s)[-40:]) for user, s in scores.items()}
    rows = purchases["item_id"].str[1:].astype(int)
    assert np.mean([row in top[user] for user, row in zip(purchases["user_id"], rows, strict=True)]) > 0.6
