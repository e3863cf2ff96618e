"""Review sentiment: taught by stars, judged on texts never learned from, counted by item, day and aspect."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql.types import DateType, StructField, StructType

from recsynth.apps.read_texts import label_texts, teach_texts
from recsynth.apps.review_sentiment import review_sentiment, told
from recsynth.settings import Settings
from recsynth.stage import Frames, Night
from recsynth.tables.gold import CLICK_FARMS
from recsynth.tables.model import CLASSIFIERS, TEXT_LABELS
from recsynth.tables.silver import ITEMS, POSTS, REVIEWS, TICKETS
from recsynth.tables.synthesis import SYNTHETIC_TEXTS
from tests.rows import night, table

AS_OF = date(2024, 6, 1)
WORDS = {5.0: ("wonderful", "excellent", "love"), 3.0: ("fine", "average", "okay"), 1.0: ("awful", "broken", "useless")}


def at(lake: Path, **changed: Any) -> Night:
    plain = {"min_each": 10, "classifier": {"epochs": 0, "validation_share": 0.2}}
    settings = {"paths": {"lake": str(lake)}, "apps": {"sentiment": plain | changed}, "evaluation": {"resamples": 100}}
    return night(AS_OF, Settings.model_validate(settings))


def reviews(spark: SparkSession, rows: Sequence[tuple[str, float, float | None, str | None]]) -> DataFrame:
    """silver.reviews of (item_id, days before the as-of date, stars, text)."""
    cutoff = night(AS_OF).cutoff
    return table(spark, REVIEWS, [
        {"event_id": f"r{n}", "user_id": f"u{n}", "item_id": item, "ts": cutoff - timedelta(days=days),
         "rating": stars, "text": text, "source": "test"}
        for n, (item, days, stars, text) in enumerate(rows)
    ])  # fmt: skip


def taught_by(spark: SparkSession, each: int = 60) -> DataFrame:
    return reviews(spark, [
        ("old", 200 + n, stars, f"{words[n % 3]} thing number {n}")
        for stars, words in WORDS.items() for n in range(each)
    ])  # fmt: skip


def taught(spark: SparkSession, said: DataFrame, before: DataFrame, at_night: Night) -> Frames:
    none = (POSTS, TICKETS, ITEMS, CLICK_FARMS, SYNTHETIC_TEXTS)
    return teach_texts(said, *(table(spark, t, []) for t in none), before, at_night)


def with_date(spark: SparkSession, rows: Sequence[Row] = (), made: date = AS_OF) -> DataFrame:
    """model.classifiers as a stage sees it: with `run_date`."""
    schema = StructType([*CLASSIFIERS.schema.fields, StructField("run_date", DateType())])
    return spark.createDataFrame([(*row, made) for row in rows], schema)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lake")


@pytest.fixture(scope="module")
def made(spark: SparkSession, lake: Path) -> dict[str, list[Row]]:
    found = taught(spark, taught_by(spark), with_date(spark), at(lake))
    return {name: frame.collect() for name, frame in found.items()}


def test_the_first_classifier_is_champion_and_judged_beside_what_is_plain(made: dict[str, list[Row]]) -> None:
    (row,) = made["classifiers"]
    assert row.is_champion
    assert row.base == "words"
    assert row.classes == ["negative", "neutral", "positive"]
    assert 100 < row.texts < 180, "a tenth is kept for judging"
    figures = {(r.metric, r.model): r for r in made["metrics"]}
    assert figures["macro_f1", "challenger"].value > 0.9
    assert figures["macro_f1", "majority"].value < 0.4
    assert figures["accuracy", "challenger"]["count"] == 180 - row.texts
    assert figures["expected_calibration_error", "challenger"].value < 0.3


def test_a_champion_stays_until_it_is_due_and_until_it_is_beaten(
    spark: SparkSession, lake: Path, made: dict[str, list[Row]]
) -> None:
    lately = with_date(spark, made["classifiers"], AS_OF - timedelta(days=6))
    assert not any(frame.count() for frame in taught(spark, taught_by(spark), lately, at(lake)).values())
    # So strong a ridge leaves nothing to be learned: it must lose, and the champion stay.
    due = with_date(spark, made["classifiers"], AS_OF - timedelta(days=7))
    weak = at(lake, classifier={"epochs": 0, "word_c": 1e-6})
    found = taught(spark, taught_by(spark), due, weak)
    (row,) = found["classifiers"].collect()
    figures = {r.model: r.value for r in found["metrics"].where("metric = 'macro_f1'").collect()}
    assert figures["champion"] > 0.9 > figures["challenger"]
    assert not row.is_champion


def test_too_few_of_a_polarity_teach_nothing(spark: SparkSession, lake: Path) -> None:
    few = reviews(spark, [("i", 5, 5.0, f"love it {n}") for n in range(50)] + [("i", 5, 1.0, "awful")])
    assert not any(frame.count() for frame in taught(spark, few, with_date(spark), at(lake)).values())


TONIGHT = [
    ("mug", 3, 5.0, "Wonderful thing, but the delivery was awful."), ("mug", 3.1, 5.0, "awful useless broken"),
    ("mug", 40, 1.0, "awful awful"), ("pan", 2, 4.0, None), ("pan", 2, None, "🙂🙂"), ("pan", 2, 2.0, "🙂"),
    ("lamp", 2, None, "excellent"), ("old", 91, 5.0, "love"), (None, 2, 5.0, "love"),
]  # fmt: skip


def read(
    spark: SparkSession, at_night: Night, classifiers: DataFrame, known: DataFrame | None = None
) -> dict[str, Any]:
    known, said = known or table(spark, TEXT_LABELS, []), reviews(spark, TONIGHT)
    new = label_texts(
        said, *(table(spark, t, []) for t in (POSTS, TICKETS, ITEMS)), classifiers, known, at_night
    ).persist()
    found = review_sentiment(said, table(spark, CLICK_FARMS, []), classifiers, known.union(new), at_night)
    rows = {(r.item_id, (AS_OF - r.day).days, r.aspect): r for r in found["review_sentiment"].collect()}
    counts = {r.segment: r.value for r in found["metrics"].collect()}
    return {"rows": rows, "new": new, "read_by": counts}


def read_and_counted(spark: SparkSession, said: DataFrame, classifiers: DataFrame, at_night: Night) -> Frames:
    none = table(spark, TEXT_LABELS, [])
    labels = label_texts(said, *(table(spark, t, []) for t in (POSTS, TICKETS, ITEMS)), classifiers, none, at_night)
    return review_sentiment(said, table(spark, CLICK_FARMS, []), classifiers, labels, at_night)


@pytest.fixture(scope="module")
def tonight(spark: SparkSession, lake: Path, made: dict[str, list[Row]]) -> dict[str, Any]:
    return read(spark, at(lake), with_date(spark, made["classifiers"]))


def test_polarity_and_aspects_of_an_item_by_day(tonight: dict[str, Any], made: dict[str, list[Row]]) -> None:
    rows = tonight["rows"]
    mug = rows["mug", 3, "all"]
    assert (mug.reviews, mug.positive_reviews + mug.negative_reviews + mug.neutral_reviews) == (1, 1)
    assert rows["mug", 3, "delivery"].negative_reviews == 1
    assert rows["mug", 3, "delivery"].sentence == "the delivery was awful"
    assert "awful" in rows["mug", 3, "delivery"].words
    assert mug.model_version == made["classifiers"][0].model_version
    # 91 days ago is within the days of trends.
    assert tonight["read_by"] == {"text": 5, "stars": 2, "nothing": 1}
    # A review without letters counts by its stars, a review of neither is left out, and so is what is too old.
    pan = rows["pan", 2, "all"]
    assert (pan.reviews, pan.positive_reviews, pan.negative_reviews, pan.score, pan.sentence) == (2, 1, 1, 0, None)
    assert rows["lamp", 2, "all"].positive_reviews == 1
    assert {item for item, _, _ in rows} == {"mug", "pan", "lamp"}


def test_stars_that_say_the_opposite_of_the_text_are_named(tonight: dict[str, Any]) -> None:
    assert tonight["rows"]["mug", 4, "all"].contradicting == ["r1"]
    assert tonight["rows"]["mug", 40, "all"].contradicting == []
    assert tonight["rows"]["lamp", 2, "all"].contradicting == []


def test_trend_is_the_mean_of_late_days_less_that_of_the_days_before(tonight: dict[str, Any]) -> None:
    rows = tonight["rows"]
    old, first, second = rows["mug", 40, "all"], rows["mug", 4, "all"], rows["mug", 3, "all"]
    assert old.trend is None
    assert second.trend == pytest.approx((first.score + second.score) / 2 - old.score)


def test_a_text_is_read_once_by_a_classifier(
    spark: SparkSession, lake: Path, made: dict[str, list[Row]], tonight: dict[str, Any]
) -> None:
    assert tonight["new"].count() >= 6
    again = read(spark, at(lake), with_date(spark, made["classifiers"]), tonight["new"])
    assert again["new"].count() == 0
    assert again["rows"] == tonight["rows"]


def test_stars_and_words_of_one_day_are_one_review_and_words_say_it_best(
    spark: SparkSession, lake: Path, made: dict[str, list[Row]]
) -> None:
    at_night = at(lake)
    hour = timedelta(hours=1)
    said = [("u", 3, 1.0, None), ("u", 4, 1.0, None), ("u", 5, None, "useless thing"), ("v", 3, 2.0, None),
            ("w", 3, 5.0, None), ("w", 4, 1.0, None), ("x", 30, 5.0, None)]  # fmt: skip
    start = at_night.cutoff - timedelta(days=2)
    rows = [{"event_id": f"s{n}", "user_id": user, "item_id": "pan", "ts": start + hours * hour, "rating": stars,
             "text": text, "source": "test"} for n, (user, hours, stars, text) in enumerate(said)]  # fmt: skip
    both = table(spark, REVIEWS, rows)
    found = read_and_counted(spark, both, with_date(spark, made["classifiers"]), at_night)
    pan, later = sorted((r for r in found["review_sentiment"].collect() if r.aspect == "all"), key=lambda r: r.day)
    # Of u the words, of v and w the last stars: three reviews, all bad, of which one has a sentence.
    assert (pan.reviews, pan.negative_reviews, pan.sentence) == (3, 3, "useless thing")
    assert (later.reviews, later.positive_reviews) == (1, 1)
    # The stars of the same day label what was written without any.
    assert {r.text: r.rating for r in told(both, "UTC").where("text is not null").collect()} == {"useless thing": 1.0}


def test_without_a_classifier_stars_alone_are_read(spark: SparkSession, lake: Path) -> None:
    found = read(spark, at(lake), with_date(spark))
    assert {aspect for _, _, aspect in found["rows"]} == {"all"}
    assert found["rows"]["mug", 4, "all"].positive_reviews == 1
    assert found["rows"]["mug", 4, "all"].model_version is None
    assert ("lamp", 2, "all") not in found["rows"]
    assert found["new"].count() == 0


def test_aspects_of_a_language_without_spaces(spark: SparkSession, lake: Path, made: dict[str, list[Row]]) -> None:
    chinese = at(lake, aspects={"物流": ["物流", "快递"]})
    said = reviews(spark, [("杯", 2, 5.0, "杯子很好，就是物流慢了点。")])
    found = read_and_counted(spark, said, with_date(spark, made["classifiers"]), chinese)
    odd = at(lake, aspects={"物流": [], "c++ (new)": ["c++ [new", "\\Q*"]}, clause_marks="n^]-", clause_words=[])
    assert (
        review_sentiment(said, table(spark, CLICK_FARMS, []), with_date(spark), table(spark, TEXT_LABELS, []), odd)[
            "review_sentiment"
        ].count()
        == 1
    )
    rows = {r.aspect: r.sentence for r in found["review_sentiment"].collect()}
    assert rows["物流"] == "就是物流慢了点"


def test_switched_off_there_is_an_empty_table(spark: SparkSession, lake: Path) -> None:
    assert read(spark, at(lake, enabled=False), with_date(spark))["rows"] == {}
