"""User profiles: shares and interests by arithmetic, segments by fifths, nothing sensitive, a default for strangers."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from sklearn.metrics import adjusted_rand_score

from recsynth.apps.segments import adjusted_rand
from recsynth.apps.user_profiles import user_profiles
from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.tables.gold import HISTORIES, INTERACTIONS, WINDOW_INTERACTIONS, WINDOW_LABELS
from recsynth.tables.output import STRANGER
from recsynth.tables.silver import ITEMS
from tests.rows import events, night, table

AS_OF = date(2024, 6, 3)  # a Monday
CATALOGUE = {
    "mug": (["Kitchen", "Mugs"], "Ora", "red", 10), "cup": (["Kitchen", "Mugs"], "Ora", "blue", 20),
    "lamp": (["Light"], "Vel", "red", 50), "test": (["Health", "HIV tests"], "Vel", "blue", 5),
    "statue": (["Ornamental"], "Vel", "grey", 99),
}  # fmt: skip


def at(**changed: Any) -> Night:
    return night(AS_OF, Settings.model_validate({"apps": {"profiles": changed}}))


def before(days: float) -> datetime:
    return at().cutoff - timedelta(days=days)


def pair(user: str, item: str, weight: float) -> dict[str, Any]:
    return {"user_id": user, "item_id": item, "weight": weight, "views": 1, "carts": 0, "purchases": 0, "quantity": 0,
            "opinions": 0, "first_ts": before(9), "last_ts": before(2)}  # fmt: skip


R = [("ann", "mug", 6.0), ("ann", "cup", 2.0), ("bob", "lamp", 4.0), ("bob", "test", 4.0), ("bob", "statue", 4.0)]
PAST = [("ann", "mug", "purchase", before(1.5), 2), ("ann", "mug", "purchase", before(30)),
        ("bob", "lamp", "purchase", before(90)), ("eve", "lamp", "view", before(3))]  # fmt: skip
SEARCHES = [(before(2.5), "search", None, "  Red   Mug"), (before(2.4), "search", None, "red mug"),
            (before(2.3), "search", None, "blue cup"), (before(2.2), "search", None, "hiv test at home"),
            (before(1.5), "purchase", "mug", None)]  # fmt: skip


def made(spark: SparkSession, at_night: Night, r: Any = R, past: Any = PAST, labels: Any = ()) -> dict[str, DataFrame]:
    shop = [
        {
            "item_id": i,
            "valid_from": before(300),
            "category": c,
            "brand": b,
            "price": Decimal(p),
            "attributes": {"colour": a},
        }
        for i, (c, b, a, p) in CATALOGUE.items()
    ]
    stale = {"item_id": "mug", "valid_from": before(400), "category": ["Old"], "brand": "Old", "price": Decimal(1)}
    rows = [pair(*x) for x in r]
    return dict(user_profiles(
        events(spark, past), table(spark, ITEMS, [*shop, stale]), table(spark, INTERACTIONS, rows),
        table(spark, WINDOW_INTERACTIONS, [{"cutoff": before(28), **row} for row in rows]),
        table(spark, WINDOW_LABELS, [
            {"cutoff": before(28), "user_id": u, "item_id": i, "purchases": 1, "first_ts": before(5)} for u, i in labels
        ]),
        table(spark, HISTORIES, [{"user_id": "ann", "events": SEARCHES}] if r else []), at_night,
    ))  # fmt: skip


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> dict[str, Row]:
    return {r.user_id: r for r in made(spark, at())["user_profiles"].collect()}


def test_everyone_with_an_event_has_a_row_and_a_stranger_the_default(found: dict[str, Row]) -> None:
    assert set(found) == {"ann", "bob", "eve", STRANGER}
    assert [u for u, r in found.items() if r.is_default] == [STRANGER]
    eve, stranger = found["eve"], found[STRANGER]
    assert (eve.segment, eve.orders, eve.recency_days, eve.interests) == ("looker", None, None, None)
    assert stranger.segment == "unknown"
    assert stranger.price_level == 0.5
    # Of R in categories that are not sensitive: 8 of mugs, 4 of light, 4 of ornaments.
    assert stranger.category_shares == pytest.approx({"Kitchen > Mugs": 0.5, "Light": 0.25, "Ornamental": 0.25})
    assert stranger.next_categories[0].category == "Kitchen > Mugs"


def test_shares_interests_and_price_level_are_arithmetic_over_the_latest_catalogue(found: dict[str, Row]) -> None:
    ann = found["ann"]
    assert ann.category_shares == {"Kitchen > Mugs": 1.0}
    assert ann.brand_shares == {"Ora": 1.0}
    interests = {(i.kind, i.term): i for i in ann.interests}
    assert interests["colour", "red"].share == pytest.approx(0.75)
    # Red is 10 of the 20 of R that have a colour.
    assert interests["colour", "red"].weight == pytest.approx(0.75 * 0.405465, abs=1e-5)
    assert interests["brand", "Ora"].item_ids == ["mug", "cup"]
    assert ("colour", "blue") not in interests, "met less than usual"
    weights = [i.weight for i in ann.interests]
    assert weights == sorted(weights, reverse=True)
    assert ann.price_level == pytest.approx((6 * 0 + 2 * 1) / 8)
    assert found["bob"].price_level == pytest.approx(0.5), "alone in its category"


def test_buying_is_told_with_a_segment_and_a_rhythm(found: dict[str, Row]) -> None:
    ann, bob = found["ann"], found["bob"]
    assert (ann.recency_days, ann.orders, ann.spend) == (2, 2, 4.5)
    assert (bob.recency_days, bob.orders, bob.spend) == (90, 1, 1.5)
    assert ann.recency_score > bob.recency_score
    assert ann.frequency_score > bob.frequency_score
    assert ann.monetary_score > bob.monetary_score
    assert sum(ann.weekday_shares) == pytest.approx(1.0, abs=1e-5)
    assert sum(ann.part_shares) == pytest.approx(1.0, abs=1e-5)
    assert ann.top_searches == ["red mug", "blue cup"]


def test_no_sensitive_trait_is_read_from_anything_but_an_ornament_is_none(found: dict[str, Row]) -> None:
    assert "hiv" not in str(list(found.values())).lower()
    assert "Ornamental" in found["bob"].category_shares
    assert set(found["bob"].category_shares) == {"Light", "Ornamental"}


def test_the_summary_says_the_rows_own_facts_alone(found: dict[str, Row]) -> None:
    ann = found["ann"]
    assert ann.summary.endswith("Prices: cheap. Next most likely: Kitchen > Mugs.")
    assert " Orders: 2; days since the last: 2. Drawn to " in ann.summary
    assert found["eve"].summary.startswith("Looker: has looked and not bought. ")
    assert found[STRANGER].summary.startswith("Unknown: nothing is known.")


@pytest.mark.slow
def test_the_next_category_draws_towards_the_shop_as_far_as_earlier_purchases_ask_for(spark: SparkSession) -> None:
    def chance(labels: Any) -> dict[str, float]:
        rows = {r.user_id: r for r in made(spark, at(), labels=labels)["user_profiles"].collect()}
        chances = {c.category: c.probability for c in rows["ann"].next_categories}
        assert sum(chances.values()) == pytest.approx(1.0, abs=1e-5)
        return chances

    true_to_themselves = chance([("ann", "mug"), ("bob", "lamp"), ("bob", "statue")])
    strangers = chance([("ann", "lamp"), ("ann", "statue"), ("bob", "mug")])
    assert true_to_themselves["Kitchen > Mugs"] > 0.97
    assert strangers["Kitchen > Mugs"] < 0.6
    assert min(strangers.values()) > 0


def test_lists_are_no_longer_than_they_are_said_to_be(spark: SparkSession) -> None:
    short = at(interests=1, shares=1, searches=1, categories=2)
    rows = {r.user_id: r for r in made(spark, short)["user_profiles"].collect()}
    bob, ann = rows["bob"], rows["ann"]
    assert [len(x) for x in (bob.interests, bob.category_shares, bob.brand_shares, bob.next_categories)] == [1, 1, 1, 2]
    assert ann.top_searches == ["red mug"]


def test_segments_are_cut_by_fifths_and_compared_with_the_day_before(spark: SparkSession) -> None:
    past = [(f"u{n:02d}", "mug", "purchase", before(1 + 5 * n + 0.1 * k)) for n in range(20) for k in range(20 - n)]
    frames = made(spark, at(), r=[], past=past)
    found = {r.user_id: r for r in frames["user_profiles"].collect()}
    assert [found[u].recency_score for u in ("u00", "u19")] == [5, 1]
    assert [found[u].frequency_score for u in ("u00", "u19")] == [5, 1]
    assert {found[u].segment for u in ("u00", "u19")} == {"champion", "asleep"}
    counts = [sum(r.recency_score == s for r in found.values()) for s in range(1, 6)]
    assert max(counts) - min(counts) <= 2
    (row,) = frames["metrics"].collect()
    assert (row.metric, row.segment) == ("adjusted_rand_index", "day before")
    assert 0.5 < row.value <= 1.0


def test_the_adjusted_rand_index_is_scikit_learns() -> None:
    a, b = list("aaabbbccdd"), list("xxyyyyzzzx")
    pairs = [(i, j, sum((p, q) == (i, j) for p, q in zip(a, b, strict=True))) for i in set(a) for j in set(b)]
    assert adjusted_rand(pairs) == pytest.approx(adjusted_rand_score(a, b))


def test_one_user_of_whom_r_knows_nothing_and_none_at_all(spark: SparkSession) -> None:
    rows = made(spark, at(), r=[], past=PAST[-1:])["user_profiles"].collect()
    assert {(r.user_id, r.segment) for r in rows} == {("eve", "looker"), (STRANGER, "unknown")}
    assert made(spark, at(), r=[], past=[])["user_profiles"].count() == 0
    assert made(spark, at(enabled=False))["user_profiles"].count() == 0
