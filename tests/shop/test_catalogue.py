"""The catalogue: real sentences, prices, a long tail, new items every week, in two languages."""

from __future__ import annotations

import re

import numpy as np
import pytest

from recsynth.shop.catalogue import ANNOUNCED_DAYS, FILE_COLUMNS, WORDS, catalogue, described, snapshot
from recsynth.shop.settings import ShopSettings
from recsynth.shop.words import KINDS
from tests.shop.conftest import SEED, Shop


def test_the_seed_alone_decides() -> None:
    settings = ShopSettings(items=60)
    first = catalogue(settings, 1)
    catalogue.cache_clear()
    assert catalogue(settings, 1).equals(first)
    assert not catalogue(settings, 2).equals(first)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_sentences_say_the_attributes(language: str) -> None:
    items = described(catalogue(ShopSettings(items=200, language=language), SEED), language)
    for row in items.to_dict("records"):
        assert all(row[word] in row["description"] for word in WORDS)
        assert all(row[word] in row["title"] for word in WORDS if word != "use")
        assert not re.search(r"[{}]|\bnan\b", row["title"] + row["description"])
    # 6 sentences and the combinations of words leave hardly two items alike.
    assert items["description"].nunique() > 0.95 * len(items)
    assert set(items["currency"]) == {"EUR" if language == "en" else "CNY"}


def test_every_kind_is_there_with_prices_around_its_usual_one(shop: Shop) -> None:
    usual = {k.category: k.price for k in KINDS["en"]}
    middle = shop.items.groupby("category")["price"].median()
    assert set(middle.index) == set(usual)
    # The log of a price has a deviation of 0.35; the median of 20, about 0.1.
    assert all(0.7 < middle[category] / price < 1.4 for category, price in usual.items())
    assert (shop.items["price"] > 0).all()


def test_new_items_come_every_week(shop: Shop) -> None:
    new = shop.items.loc[shop.items["launch_day"] > 0, "launch_day"].value_counts()
    assert sorted(new.index) == [7 * week for week in range(1, 12)]
    # Dealt in turn: no week has more than one item above another.
    assert new.max() - new.min() <= 1
    # 400 draws with a chance of 0.3: 120, give or take 3 deviations of 9.2.
    assert abs(new.sum() - 120) < 28


def test_a_file_lists_what_is_or_will_soon_be_on_sale(shop: Shop) -> None:
    listed = snapshot(shop.items, 14)
    known = shop.items.set_index("item_id").loc[listed["item_id"]]
    assert list(listed.columns) == [*FILE_COLUMNS, "available"]
    assert known["launch_day"].max() == 14 + ANNOUNCED_DAYS
    retired = snapshot(shop.items, 83).set_index("item_id")["available"]
    assert set(retired[retired == "false"].index) == set(shop.items.loc[shop.items["retired_day"] <= 83, "item_id"])


def test_demand_has_a_long_tail(shop: Shop) -> None:
    """The top tenth of the items has two to six times its even share of the purchases; over half of the items sell."""
    sold = shop.events.loc[shop.events["event_type"] == "purchase", "item_id"].value_counts()
    top = np.sort(sold.to_numpy())[::-1][:40].sum() / sold.sum()
    assert 0.25 < top < 0.6
    assert len(sold) > 200


def test_the_chinese_catalogue_is_chinese(chinese_shop: Shop) -> None:
    assert chinese_shop.items["title"].str.contains(r"[\u4e00-\u9fff]{4}").all()
    assert not (chinese_shop.items["title"] + chinese_shop.items["description"]).str.contains("[A-Za-z]").any()
    searches = chinese_shop.events["query"].dropna()
    assert len(searches) > 100
    assert searches.str.contains(r"^[\u4e00-\u9fff]+$").all()
