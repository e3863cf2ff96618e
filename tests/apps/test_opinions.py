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
from recsynth.apps.reposts import with_reposts
from recsynth.apps.settings import OpinionSettings
from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.tables.gold import CLICK_FARMS, POST_TOPICS
from recsynth.tables.model import CLASSIFIERS, TEXT_LABELS
from recsynth.tables.silver import ITEMS, POSTS, REVIEWS
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


def found(
    spark: SparkSession, rows: Sequence[tuple[str, int, float | None, str | None]], at_night: Night,
    posted: Sequence[dict[str, Any]] = (), near: Sequence[dict[str, Any]] = (), farm: Sequence[dict[str, Any]] = (),
) -> Any:  # fmt: skip
    items = table(spark, ITEMS, [
        {"item_id": i, "valid_from": noon(300), "brand": brand, "category": ["Kitchen", "Mugs"]}
        for i, brand in (("mug", "Ora"), ("cup", "Ora"), ("pot", "Vel"))
    ])  # fmt: skip
    # No classifier: what stars say is the truth here; how texts are read is tested where it is done.
    none = table(spark, CLASSIFIERS, []).withColumn("run_date", F.lit(AS_OF))
    posts = table(spark, POSTS, [{"source": "s", "post_id": f"p{n}", "copies": 1} | p for n, p in enumerate(posted)])
    topics, labels = table(spark, POST_TOPICS, near), table(spark, TEXT_LABELS, [])
    crowd = table(spark, CLICK_FARMS, farm)
    made = opinions(reviews(spark, rows), posts, items, crowd, topics, none, labels, at_night)
    return {name: frame.collect() for name, frame in made.items()}


def post(days: int, **told: Any) -> dict[str, Any]:
    return {"ts": noon(days), "text": "The parcel is late", "sentiment": "negative", "topic": "delivery"} | told


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
    nothing = {"opinion_trends": [], "opinion_alerts": [], "metrics": []}
    assert found(spark, [], at()) == nothing
    assert found(spark, usual(), at(enabled=False), [post(3)]) == nothing
    off = night(AS_OF, Settings.model_validate({"apps": {"posts": {"enabled": False}}}))
    assert found(spark, [], off, [post(3)]) == nothing


def test_the_oldest_day_shown_has_its_whole_baseline_behind_it() -> None:
    settings = OpinionSettings()
    watch = settings.surges
    assert looked_at(settings) - settings.shown_days >= watch.baseline_days + max(watch.windows)


def test_posts_count_by_topic_and_name_and_a_label_of_a_later_day_is_not_known(spark: SparkSession) -> None:
    later = at().cutoff + timedelta(hours=1)
    posted = [
        post(3, entity="Ora"), post(3, item_id="mug", sentiment="positive", topic=None, text="Nice mug"),
        post(2, topic=None, text="The app crashes"), post(2, labelled_at=later),
        post(2, text=None, sentiment="neutral"),
    ]  # fmt: skip
    crash = spark.range(1).select(F.sha2(F.lit("The app crashes"), 256).alias("h")).first()
    assert crash is not None
    near = [{"content_hash": crash.h, "topic": "app, crashes", "similarity": 0.9}]
    made = found(spark, [("mug", 3, 5.0, "Lovely.")], at(), posted, near)
    texts = {(r.topic, r.entity_kind, r.entity, (AS_OF - r.day).days): r.texts for r in made["opinion_trends"]}
    assert texts["all", "shop", "all", 3] == 3
    assert texts["delivery", "shop", "all", 3] == texts["delivery", "named", "Ora", 3] == 1
    assert texts["all", "item", "mug", 3] == texts["all", "category", "Kitchen > Mugs", 3] == 2
    # Whoever labelled it did so after the night; without a classifier nothing says what it means.
    assert texts["all", "shop", "all", 2] == 2
    assert texts["app, crashes", "shop", "all", 2] == texts["delivery", "shop", "all", 2] == 1
    counted = {(r.metric, r.segment): r.value for r in made["metrics"]}
    assert counted == {
        ("posts_read_by", "label"): 4, ("posts_read_by", "nothing"): 1,
        ("posts_topic_by", "label"): 2, ("posts_topic_by", "found"): 1, ("posts_topic_by", "nothing"): 2,
    }  # fmt: skip


def test_complaints_in_posts_that_surge_are_alerts_and_those_that_are_passed_on_are_not(spark: SparkSession) -> None:
    calm = [post(day, text=f"usual {day}", sentiment="positive" if day % 2 else "negative") for day in range(1, 91)]
    surge = [post(day, text=f"lost parcel {n} of {day}") for day in (5, 6, 7) for n in range(10)]
    alerts = found(spark, [], at(), calm + surge)["opinion_alerts"]
    assert {(r.topic, r.entity_kind) for r in alerts} == {("all", "shop"), ("delivery", "shop")}
    assert all(e.startswith("s/p") for r in alerts for e in r.event_ids)
    again = [post(7, text=LONG)] + [post(day, text=f"RT @friend{n}: {LONG} https://t.co/{n}") for day in (5, 6, 7)
                                    for n in range(10)]  # fmt: skip
    assert found(spark, [], at(), calm + again)["opinion_alerts"] == []


def reposted(spark: SparkSession, texts: Sequence[tuple[int, str]], **changed: Any) -> list[bool]:
    rows = [(f"e{n:02d}", "all", (noon(days)).date(), text, None) for n, (days, text) in enumerate(texts)]
    voices = spark.createDataFrame(rows, "event_id string, topic string, day date, text string, named string")
    made = with_reposts(voices, ("named",), OpinionSettings(**changed))
    return [r.is_repost for r in made.orderBy("event_id").collect()]


def test_a_text_is_a_repost_where_it_shares_its_words_with_one_of_the_days_before(spark: SparkSession) -> None:
    changed = LONG.replace("three weeks", "ages")
    other = "The fabric feels wonderful on the skin and the colour is the very one that the picture showed to me"
    chinese = "快递晚了两个星期，客服电话打不通，在线客服也不回复，我已经投诉了三次，完全没有人管，"
    chinese += "以后再也不会在这家店里买任何东西了，太失望了，钱也不退，真的很生气，请大家小心"
    assert reposted(spark, [(9, LONG), (8, changed), (8, other), (7, f"RT @x {LONG} http://y.io/1")]) == [
        False, True, False, True
    ]  # fmt: skip
    assert reposted(spark, [(9, LONG), (8, changed)], fold_share=1.0) == [False, False]
    assert reposted(spark, [(9, LONG), (1, LONG)]) == [False, False]
    assert reposted(spark, [(9, chinese), (8, chinese + "！")]) == [False, True]
    assert reposted(spark, [(9, "RT @ora: nice"), (8, "RT this")]) == [True, False]
    assert reposted(spark, [(9, "x" * 80), (9, "x" * 80), (9, "")]) == [False, True, False]


def test_what_a_click_farm_wrote_on_its_item_is_no_opinion_unless_told_so(spark: SparkSession) -> None:
    rows = [("mug", 3, 5.0, "Lovely."), ("mug", 3, 1.0, "Bad"), ("cup", 3, 1.0, "Bad")]
    crowd = [
        {"user_id": u, "item_id": "mug", "noticed": noon(2), "accounts": 30, "shallow_accounts": 29,
         "usual_share": 0.1, "chance": 1e-9} for u in ("u1", "u2")
    ]  # fmt: skip

    def texts(at_night: Night) -> dict[str, int]:
        trends = found(spark, rows, at_night, farm=crowd)["opinion_trends"]
        return {r.entity: r.texts for r in trends if r.entity_kind == "item" and r.topic == "all"}

    # u2 is one of the crowd, but not on the cup.
    assert texts(at()) == {"mug": 1, "cup": 1}
    told = night(AS_OF, Settings.model_validate({"gold": {"farms": {"leave_out": False}}}))
    assert texts(told) == {"mug": 2, "cup": 1}
