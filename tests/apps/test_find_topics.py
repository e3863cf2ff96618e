"""Posts through the night: taught by the labels that were told, read, and gathered into topics that nobody named."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from recsynth.apps.find_topics import find_topics
from recsynth.apps.opinions import opinions
from recsynth.apps.posts import posted_lately, with_known_topic
from recsynth.apps.read_texts import label_texts, teach_texts
from recsynth.settings import Settings
from recsynth.shop.remarks import NEW_TOPIC, OPENERS, REMARKS
from recsynth.stage import Night
from recsynth.tables.gold import CLICK_FARMS
from recsynth.tables.model import CLASSIFIERS, TEXT_LABELS
from recsynth.tables.output import FOUND_TOPICS
from recsynth.tables.silver import ITEMS, POSTS, REVIEWS, TICKETS
from recsynth.tables.synthesis import SYNTHETIC_TEXTS
from tests.rows import night, table

AS_OF = date(2024, 6, 1)
SAID = REMARKS["en"]


def at(as_of: date = AS_OF, **posts: Any) -> Night:
    words_alone = {"min_each": 8, "classifier": {"epochs": 0}}
    told = {"topic": words_alone, "sentiment": words_alone, "found": {"least_texts": 10}} | posts
    return night(as_of, Settings.model_validate({"apps": {"posts": told, "sentiment": {"enabled": False}}}))


def posts(spark: SparkSession, on: Night) -> DataFrame:
    """Each remark in six wordings: known topics labelled weeks ago and said again without a label, and the new one."""
    rows: list[dict[str, Any]] = []
    for topic, of in SAID.items():
        for sentiment, remarks in of.items():
            for place, remark in enumerate(remarks):
                for n, opener in enumerate(OPENERS["en"][2:]):
                    is_told = topic != NEW_TOPIC and n < 4
                    label = {"topic": topic, "sentiment": sentiment} if is_told else {}
                    days = 50 + n if is_told else 1 + (3 * place + n) % 12
                    text = f"{opener} {remark}" + (f" {sentiment}" if is_told else "")
                    rows.append({"ts": on.cutoff - timedelta(days=days), "text": text} | label)
    return table(spark, POSTS, [{"source": "s", "post_id": f"p{i}", "copies": 1} | r for i, r in enumerate(rows)])


def none(spark: SparkSession) -> dict[str, DataFrame]:
    return {
        "reviews": table(spark, REVIEWS, []),
        "tickets": table(spark, TICKETS, []),
        "items": table(spark, ITEMS, []),
    }


@pytest.fixture(scope="module")
def read(spark: SparkSession) -> dict[str, Any]:
    on = at()
    said, empty = posts(spark, on).persist(), none(spark)
    before = table(spark, CLASSIFIERS, []).withColumn("run_date", F.lit(AS_OF))
    farms = table(spark, CLICK_FARMS, [])
    written = table(spark, SYNTHETIC_TEXTS, [])
    taught = teach_texts(posts=said, click_farms=farms, synthetic_texts=written, classifiers=before, night=on, **empty)
    classifiers = taught["classifiers"].withColumn("run_date", F.lit(AS_OF)).persist()
    unread = table(spark, TEXT_LABELS, [])
    labels = label_texts(posts=said, classifiers=classifiers, text_labels=unread, night=on, **empty).persist()
    nights = table(spark, FOUND_TOPICS, []).withColumn("run_date", F.lit(AS_OF))
    made = {k: v.persist() for k, v in find_topics(said, classifiers, labels, nights, on).items()}
    return {"night": on, "posts": said, "classifiers": classifiers, "labels": labels, "click_farms": farms, **made,
            **empty}  # fmt: skip


@pytest.mark.slow
def test_both_classifiers_are_taught_by_what_was_told(read: dict[str, Any]) -> None:
    taught = {r.task: sorted(r.classes) for r in read["classifiers"].collect()}
    assert taught == {"post_topic": sorted(set(SAID) - {NEW_TOPIC}),
                      "post_sentiment": ["negative", "neutral", "positive"]}  # fmt: skip
    given = ("posts", "classifiers", "night", "reviews", "tickets", "items")
    twice = label_texts(text_labels=read["labels"], **{name: read[name] for name in given})
    assert read["labels"].count() > 0
    assert twice.count() == 0


@pytest.mark.slow
def test_the_topic_that_nobody_named_is_found(read: dict[str, Any]) -> None:
    topics = read["found_topics"].collect()
    new = [t for t in topics if "app" in t.words[:3]]
    assert len(new) >= 1
    assert all(t.since == AS_OF for t in topics)
    close = read["post_topics"].where(F.col("topic").isin([t.topic for t in new]))
    hashes = {r.content_hash for r in close.collect()}
    texts = read["posts"].select("text", F.sha2(F.trim("text"), 256).alias("h")).collect()
    about = {t.text: "app" in t.text.split() for t in texts if t.h in hashes}
    assert sum(about.values()) >= 0.6 * sum("app" in t.text.split() for t in texts)
    assert sum(about.values()) >= 0.9 * len(about)


@pytest.mark.slow
def test_a_topic_keeps_its_name_and_its_first_night(read: dict[str, Any], spark: SparkSession) -> None:
    renamed = read["found_topics"].withColumn("topic", F.concat(F.lit("our "), "topic"))
    nights = renamed.withColumn("run_date", F.lit(AS_OF))
    on = at(AS_OF + timedelta(days=1))
    again = find_topics(read["posts"], read["classifiers"], read["labels"], nights, on)["found_topics"].collect()
    kept = [t for t in again if t.topic.startswith("our ")]
    assert kept
    assert {t.since for t in kept} == {AS_OF}


@pytest.mark.slow
def test_posts_become_opinions_of_their_topics(read: dict[str, Any]) -> None:
    names = ("reviews", "posts", "items", "click_farms", "post_topics", "classifiers")
    made = opinions(*(read[name] for name in names), read["labels"], read["night"])
    days = (
        made["opinion_trends"].where("entity_kind = 'shop'").groupBy("topic").agg(F.sum("texts").alias("n")).collect()
    )
    texts = {r.topic: r.n for r in days}
    assert set(SAID) - {NEW_TOPIC} < set(texts)
    assert any("app" in topic for topic in texts)
    counted = {(r.metric, r.segment): r.value for r in made["metrics"].collect()}
    assert counted["posts_topic_by", "found"] > 0
    assert counted["posts_read_by", "text"] > 0


@pytest.mark.slow
def test_switched_off_or_without_posts_there_is_no_topic(read: dict[str, Any], spark: SparkSession) -> None:
    nights = read["found_topics"].withColumn("run_date", F.lit(AS_OF))
    for said, on in ((read["posts"], at(found={"enabled": False})), (table(spark, POSTS, []), at())):
        made = find_topics(said, read["classifiers"], read["labels"], nights, on)
        assert {name: rows.count() for name, rows in made.items()} == {"post_topics": 0, "found_topics": 0}


def said(spark: SparkSession, low_chance: dict[str, float]) -> tuple[DataFrame, DataFrame, DataFrame]:
    """Three posts that nobody labelled, read as `staff` with a chance of 0.5, 0.8 and 0.95, and who read them."""
    on = at()
    row = {"task": "post_topic", "model_version": "t", "path": "p", "base": "words", "classes": ["staff"], "texts": 9,
           "metrics": {"macro_f1_challenger": 0.9} | low_chance, "is_champion": True}  # fmt: skip
    classifiers = table(spark, CLASSIFIERS, [row]).withColumn("run_date", F.lit(AS_OF))
    rows = [{"source": "s", "post_id": f"p{chance}", "ts": on.cutoff - timedelta(days=1), "text": f"said {chance}",
             "copies": 1} for chance in (0.5, 0.8, 0.95)]  # fmt: skip
    posted = table(spark, POSTS, rows)
    read = posted.select(
        F.lit("t").alias("model_version"), F.sha2("text", 256).alias("content_hash"), F.lit("staff").alias("label"),
        F.create_map(F.lit("staff"), F.substring("post_id", 2, 9).cast("double")).alias("probabilities"),
        F.array().cast("array<string>").alias("words"),
    )  # fmt: skip
    return posted, classifiers, read


@pytest.mark.parametrize(
    ("low_chance", "loose", "strict"),
    [({"low_chance": 0.9}, 2, 1), ({"low_chance": 0.3}, 2, 2), ({}, 2, 2)],
    ids=["a classifier that is mostly surer", "one that seldom is", "one from before this was measured"],
)
def test_a_new_topic_is_looked_for_among_posts_less_sure_than_known_ones_are(
    spark: SparkSession, low_chance: dict[str, float], loose: int, strict: int
) -> None:
    posted, classifiers, read = said(spark, low_chance)
    recent = posted_lately(posted, 28, at())
    known = [with_known_topic(recent, classifiers, read, at(), is_strict=s).dropna(subset="topic").count()
             for s in (False, True)]  # fmt: skip
    assert known == [loose, strict]


def test_what_is_found_stands_before_what_a_classifier_reads(spark: SparkSession) -> None:
    posted, classifiers, read = said(spark, {"low_chance": 0.9})
    told = posted.withColumn("topic", F.when(F.col("post_id") == "p0.95", "prices"))
    told = told.withColumn("sentiment", F.lit("negative"))
    found = read.select("content_hash", F.lit("app").alias("topic"), F.lit(0.9).alias("similarity"))
    empty = none(spark)
    made = opinions(empty["reviews"], told, empty["items"], table(spark, CLICK_FARMS, []),
                    found, classifiers, read, at())  # fmt: skip
    counted = {r.segment: r.value for r in made["metrics"].where("metric = 'posts_topic_by'").collect()}
    assert (counted["label"], counted["found"], counted.get("text", 0)) == (1, 2, 0)
