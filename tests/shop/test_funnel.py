"""The funnel: every type of event, at sensible rates; searches say what is clicked next."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from recsynth.shop.catalogue import WORDS
from recsynth.tables.silver import EVENT_TYPES
from tests.shop.conftest import Shop


@pytest.fixture(scope="module")
def counts(shop: Shop) -> pd.Series:
    return shop.events["event_type"].value_counts()


def test_every_type_of_event_occurs(counts: pd.Series) -> None:
    assert set(counts.index) == set(EVENT_TYPES)
    assert counts.min() > 50


def test_the_funnel_narrows_at_sensible_rates(counts: pd.Series) -> None:
    steps = ["view", "click", "cart", "purchase", "rating", "comment"]
    rates = {after: counts[after] / counts[before] for before, after in pairwise(steps)}
    bounds = {"click": (0.25, 0.6), "cart": (0.3, 0.65), "purchase": (0.55, 0.75), "rating": (0.1, 0.25),
              "comment": (0.4, 0.6)}  # fmt: skip
    assert all(low < rates[step] < high for step, (low, high) in bounds.items()), rates
    assert counts["return"] / counts["purchase"] == pytest.approx(0.03, abs=0.015)
    assert counts["share"] / counts["click"] == pytest.approx(0.02, abs=0.01)


def test_each_step_follows_the_one_before_it_in_the_session(shop: Shop) -> None:
    steps = ["view", "click", "cart", "purchase"]
    key = ["session", "item_id"]
    events = shop.events.assign(ts=pd.to_datetime(shop.events["ts"]))
    times = {step: events[events["event_type"] == step].groupby(key)["ts"].min() for step in steps}
    for before, after in pairwise(steps):
        assert (times[before].reindex(times[after].index) < times[after]).all()


def test_a_session_has_one_order_and_an_order_one_session(shop: Shop) -> None:
    bought = shop.events[shop.events["event_type"] == "purchase"]
    assert bought["order_id"].notna().all()
    assert (bought.groupby("session")["order_id"].nunique() == 1).all()
    assert (bought.groupby("order_id")["session"].nunique() == 1).all()
    assert bought.groupby("order_id").size().max() > 1
    assert set(bought["quantity"]) == {1, 2, 3}
    assert (bought["price"] > 0).all()
    assert set(bought["currency"]) == {"EUR"}


def test_what_follows_comes_days_after_a_purchase_and_refers_to_it(shop: Shop) -> None:
    bought = shop.events[shop.events["event_type"] == "purchase"]
    for step in ("return", "rating", "comment"):
        later = shop.events[shop.events["event_type"] == step].merge(bought, on=["user_id", "item_id"])
        days = later["day_x"] - later["day_y"]
        assert set(later.loc[days.between(2, 10), "event_id_x"]) == set(
            shop.events.loc[shop.events["event_type"] == step, "event_id"]
        )
    returned = shop.events[shop.events["event_type"] == "return"]
    assert set(returned["order_id"]) <= set(bought["order_id"])


def test_stars_and_words_agree_with_what_is_wanted(shop: Shop) -> None:
    said = shop.events[shop.events["event_type"] == "comment"]
    assert said["rating"].between(1, 5).all()
    assert said["text"].str.len().min() > 10
    assert said.loc[said["rating"] == 5, "text"].str.contains("Wonderful|Excellent|favourite").all()
    assert shop.events.loc[shop.events["event_type"] == "rating", "rating"].nunique() >= 4


def without(query: str, words: pd.Series) -> str:
    """What is left of a search once the words of an item are struck out, the longest first."""
    for word in sorted(words.str.lower(), key=len, reverse=True):
        query = query.replace(word, "")
    return query.strip()


@pytest.mark.parametrize("name", ["shop", "chinese_shop"])
def test_searches_say_words_of_their_target(name: str, request: pytest.FixtureRequest) -> None:
    shop: Shop = request.getfixturevalue(name)
    words = shop.items.set_index("item_id")[list(WORDS)]
    sought = shop.events[shop.events["event_type"] == "search"]
    rest = [without(q, words.loc[target]) for q, target in zip(sought["query"], sought["target"], strict=True)]
    is_said = np.array([left == "" for left in rest])
    has_typo = sought["has_typo"].to_numpy(dtype=bool)
    assert is_said[~has_typo].all()
    if name == "shop":
        # A slip is noticed, unless it doubled a space.
        assert is_said[has_typo].mean() < 0.3
        n = len(sought)
        # A swap of two like letters is no error: up to a fiftieth fewer.
        assert 0.08 * 0.95 - 4 * np.sqrt(0.08 * 0.92 / n) < has_typo.mean() < 0.08 + 4 * np.sqrt(0.08 * 0.92 / n)


def test_what_is_clicked_after_a_search_is_its_target_more_than_anything_else(shop: Shop) -> None:
    """The target is clicked in 8 of 10 visits, each of up to 5 others in 1 of 4; all are of one kind."""
    events = shop.events.sort_values(["session", "ts"], kind="stable")
    searches = events[events["event_type"] == "search"].set_index("session")
    clicks = events[events["event_type"] == "click"].drop_duplicates("session").set_index("session")
    both = searches[["target", "query", "has_typo"]].join(clicks[["item_id", "noun"]], how="inner")
    assert len(both) / len(searches) > 0.8
    assert (both["item_id"] == both["target"]).mean() > 0.6
    right = both[~both["has_typo"].astype(bool)]
    assert all(noun in query for noun, query in zip(right["noun"], right["query"], strict=True))
    kinds = shop.items.set_index("item_id")["noun"]
    assert (kinds[both["target"]].to_numpy() == both["noun"].to_numpy()).all()


def test_most_sessions_begin_with_a_search_and_none_has_two(shop: Shop) -> None:
    visits = shop.events[~shop.events["session"].str.contains("+", regex=False)]
    first = (
        visits.sort_values("ts", kind="stable").drop_duplicates("session")["event_type"].value_counts(normalize=True)
    )
    assert first["search"] == pytest.approx(0.6, abs=0.03)
    assert visits[visits["event_type"] == "search"]["session"].is_unique
