"""Opinions: topics and entities counted by day, reposts folded, a planted surge raised at every level it reaches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from recsynth.apps.opinions import looked_at, opinions
from recsynth.apps.settings import OpinionSettings
from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.tables.model import CLASSIFIERS, TEXT_LABELS
from recsynth.tables.silver import ITEMS, REVIEWS
from tests.rows import night, table

AS_OF = date(2024, 6, 1)
LONG = "The delivery took three weeks and nobody at the shop could tell me where my parcel was, never again"


def at(**changed: Any) -> Night:
    return night(AS_OF, Settings.model_validate({"apps": {"opinions": changed}}))


def noon(days: int) -> datetime:
    """Noon, so many days before the as-of date."""
    return at().cutoff - timedelta(days=days) + timedelta(hours=12)


def reviews(spark: SparkSession, rows: Sequence[tuple[str, int, float | None, str | None]]) -> DataFrame:
    return table(spark, REVIEWS, [
        {"event_id": f"r{n:04d}", "user_id": f"u{n}", "item_id": item, "ts": noon(days), "rating": stars, "text": text,
         "source": "test"}
        for n, (item, days, stars, text) in enumerate(rows)
    ])  # fmt: skip


def found(spark: SparkSession, rows: Sequence[tuple[str, int, float | None, str | None]], at_night: Night) -> Any:
    items = table(spark, ITEMS, [
        {"item_id": i, "valid_from": noon(300), "brand": brand, "category": ["Kitchen", "Mugs"]}
        for i, brand in (("mug", "Ora"), ("cup", "Ora"), ("pot", "Vel"))
    ])  # fmt: skip
    # No classifier: what stars say is the truth here; how texts are read is tested where it is done.
    none = table(spark, CLASSIFIERS, []).withColumn("run_date", F.lit(AS_OF))
    made = opinions(reviews(spark, rows), items, none, table(spark, TEXT_LABELS, []), at_night)
    return {name: frame.collect() for name, frame in made.items()}


def usual() -> list[tuple[str, int, float | None, str | None]]:
    """Four reviews a day for ninety days, one of them bad every other day; then on five days eight bad mugs more."""
    rows: list[tuple[str, int, float | None, str | None]] = []
    for day in range(1, 91):
        rows += [("mug", day, 5.0, "Lovely."), ("cup", day, 5.0, None), ("pot", day, 5.0, None)]
        rows.append(("mug" if day % 4 else "pot", day, 1.0 if day % 2 else 4.0, f"so {day}"))
    rows += [("mug", day, 1.0, f"Broke at once, number {n}") for day in range(6, 11) for n in range(8)]
    return rows


@pytest.fixture(scope="module")
def made(spark: SparkSession) -> Any:
    return found(spark, usual(), at())


def test_texts_are_counted_for_item_brand_category_and_shop(made: Any) -> None:
    rows = {(r.topic, r.entity_kind, r.entity, (AS_OF - r.day).days): r for r in made["opinion_trends"]}
    shop = rows["all", "shop", "all", 6]
    assert (shop.texts, shop.positive_texts, shop.negative_texts, shop.neutral_texts) == (12, 4, 8, 0)
    assert shop.negative_share == pytest.approx(8 / 12, abs=1e-6)
    assert rows["all", "brand", "Ora", 6].texts == 11
    assert rows["all", "category", "Kitchen > Mugs", 6].texts == 12
    assert (rows["all", "item", "pot", 6].texts, rows["all", "item", "pot", 6].negative_texts) == (1, 0)
    # The four weeks before: half of the days had a bad one of four, four of them a part of the surge.
    assert shop.usual_negative_share == pytest.approx((14 + 32) / (28 * 4 + 32), abs=1e-6)
    assert max(days for *_, days in rows) == 28


def test_a_surge_is_raised_where_it_happened_and_above_with_its_beginning_and_its_texts(made: Any) -> None:
    alerts = {(r.topic, r.entity_kind, r.entity): r for r in made["opinion_alerts"]}
    assert set(alerts) == {
        ("all", "item", "mug"), ("all", "brand", "Ora"), ("all", "category", "Kitchen > Mugs"), ("all", "shop", "all")
    }  # fmt: skip
    alert = alerts["all", "item", "mug"]
    assert (AS_OF - alert.began).days == 10
    assert (AS_OF - alert.raised).days in (9, 10)
    assert alert.negatives >= 8 > alert.expected
    assert len(alert.event_ids) == len(alert.sentences) == 5
    assert all("Broke at once" in s or s.startswith("so ") for s in alert.sentences)


def test_a_long_text_said_again_of_an_item_is_a_repost_and_a_short_one_is_not(
    spark: SparkSession,
) -> None:
    rows = [("mug", 5, 1.0, LONG), ("mug", 4, 1.0, LONG.upper() + "!!!"), ("cup", 4, 1.0, LONG), ("mug", 4, 1.0, "Bad"),
            ("mug", 4, 1.0, "bad!")]  # fmt: skip
    whole = [r for r in found(spark, rows, at())["opinion_trends"] if r.topic == "all" and r.entity_kind == "shop"]
    by_day = {(AS_OF - r.day).days: (r.texts, r.reposts) for r in whole}
    assert by_day == {5: (1, 0), 4: (3, 1)}
    unfolded = found(spark, rows, at(fold_chars=1000))["opinion_trends"]
    assert sum(r.texts for r in unfolded if r.topic == "all" and r.entity_kind == "shop") == 5


def test_without_reviews_or_switched_off_the_tables_are_empty(spark: SparkSession, tmp_path: Path) -> None:
    assert found(spark, [], at()) == {"opinion_trends": [], "opinion_alerts": []}
    assert found(spark, usual(), at(enabled=False)) == {"opinion_trends": [], "opinion_alerts": []}


def test_the_oldest_day_shown_has_its_whole_baseline_behind_it() -> None:
    settings = OpinionSettings()
    watch = settings.surges
    assert looked_at(settings) - settings.shown_days >= watch.baseline_days + max(watch.windows)
