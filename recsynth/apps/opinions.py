"""What is said of topics and entities by day, and alerts where complaints surge."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import reduce

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.apps.catalogue import latest_items
from recsynth.apps.classify import classifier_in_use, labels_by
from recsynth.apps.posts import posted_lately, with_known_topic, with_sentiment
from recsynth.apps.reposts import with_reposts
from recsynth.apps.review_sentiment import TASK, spoken_lately, with_polarity
from recsynth.apps.settings import OpinionSettings
from recsynth.apps.surges import surges
from recsynth.stage import Frames, Night
from recsynth.tables.ops import METRICS
from recsynth.tables.output import OPINION_ALERTS, OPINION_TRENDS, POLARITIES, WHOLE
from recsynth.texts import of_people

SHOP = "all"
SERIES = ["topic", "entity_kind", "entity"]
_POSTED = (
    "event_id string, item_id string, named string, day date, text string, label string, score double, topic string, "
    "topic_by string, read_by string"
)
_RAISED = (
    "topic string, entity_kind string, entity string, raised date, began date, last_day date, negatives bigint, "
    "texts bigint, expected double, chance double"
)


def opinions(
    reviews: DataFrame, posts: DataFrame, items: DataFrame, click_farms: DataFrame, post_topics: DataFrame,
    classifiers: DataFrame, text_labels: DataFrame, night: Night,
) -> Frames:  # fmt: skip
    """Texts counted by topic, entity and day, and alerts on surges of negative ones.

    Reads silver.reviews, silver.posts, silver.items, gold.click_farms (their reviews count for nothing),
    gold.post_topics, model.classifiers and model.text_labels; writes output.opinion_trends, output.opinion_alerts and
    ops.metrics. A topic is an aspect of a review, the topic of a post, or `all`; an entity an item, a brand, a
    category, the shop, or what a post calls by a name. All but the same text on the same item or name within fold_days,
    by whomever, is one text and a repost. How posts got their topic and their sentiment is counted in ops.metrics; what
    nothing tells the sentiment of is left out.
    """
    settings, spark = night.settings.apps.opinions, reviews.sparkSession
    if not settings.enabled:
        return {"opinion_trends": OPINION_TRENDS.empty(spark),
                "opinion_alerts": OPINION_ALERTS.empty(spark),
                "metrics": METRICS.empty(spark)}  # fmt: skip
    days = looked_at(settings)
    spoken = _reviewed(of_people(reviews, click_farms, night), classifiers, text_labels, night, days)
    posted = spark.createDataFrame([], _POSTED)
    if night.settings.apps.posts.enabled:
        posted = _posted(posts, post_topics, classifiers, text_labels, night, days).persist()
    every = spoken.unionByName(_of_topics(posted)).persist()
    voices = _of_entities(with_reposts(every, ("item_id", "named"), settings), items).persist()
    counted = voices.groupBy(*SERIES, "day").agg(
        F.count_if(~F.col("is_repost")).alias("texts"), F.count_if("is_repost").alias("reposts"),
        *(F.count_if((F.col("label") == p) & ~F.col("is_repost")).alias(f"{p}_texts") for p in POLARITIES),
    )  # fmt: skip
    counted = counted.persist()
    return {"opinion_trends": _trends(counted, night), "opinion_alerts": _alerts(counted, voices, night, days),
            "metrics": _counted(posted)}  # fmt: skip


def looked_at(settings: OpinionSettings) -> int:
    """Days that alerts look back on: for the oldest day shown its windows, a surge before it, and their baseline."""
    watch = settings.surges
    return settings.shown_days + 2 * max(watch.windows) + watch.cool_down + watch.baseline_days


def _reviewed(reviews: DataFrame, classifiers: DataFrame, text_labels: DataFrame, night: Night, days: int) -> DataFrame:
    """One row per (review, topic): event_id, item_id, named, topic, day, text, label, score."""
    apps = night.settings.apps
    labels = labels_by(classifier_in_use(classifiers, TASK.name), text_labels)
    polar = with_polarity(spoken_lately(reviews, classifiers, days, night), labels, apps.sentiment).dropna(
        subset="label"
    )
    # A review has one voice on a topic, however many of its clauses name it.
    strongest = F.max_by(F.struct("label", "score", "text"), F.struct(F.abs("score"), "content_hash"))
    voice = polar.groupBy("event_id", "item_id", "day", F.col("aspect").alias("topic")).agg(strongest.alias("v"))
    named = F.lit(None).cast("string").alias("named")
    return voice.select("event_id", "item_id", named, "topic", "day", "v.text", "v.label", "v.score")


def _posted(
    posts: DataFrame, post_topics: DataFrame, classifiers: DataFrame, text_labels: DataFrame, night: Night, days: int
) -> DataFrame:
    """One row per post: _POSTED; topic_by: who told the topic, the label, the classifier, those found, or nobody."""
    posted = posted_lately(posts, days, night).withColumn("told", F.col("topic"))
    known = with_known_topic(posted, classifiers, text_labels, night)
    found = known.join(post_topics.select("content_hash", F.col("topic").alias("found")), "content_hash", "left")
    # What is found stands before what is read: a classifier that does not know a topic takes it for one that it knows.
    by = (
        F.when(F.col("told").isNotNull(), "label").when(F.col("found").isNotNull(), "found")
        .when(F.col("topic").isNotNull(), "text").otherwise("nothing")
    )  # fmt: skip
    made = with_sentiment(found, classifiers, text_labels)
    made = made.withColumns({"topic_by": by, "topic": F.coalesce("told", "found", "topic")})
    # Sources name their posts each for itself.
    event_id = F.concat_ws("/", "source", "post_id").alias("event_id")
    columns = ("day", "text", "label", "score", "topic", "topic_by", "read_by")
    return made.select(event_id, "item_id", F.col("entity").alias("named"), *columns)


def _of_topics(posted: DataFrame) -> DataFrame:
    """Each post that has a sentiment once for all that is said, and once for its topic where it has one."""
    topics = F.array_compact(F.array_distinct(F.array(F.lit(WHOLE), "topic")))
    heard = posted.dropna(subset="label").withColumn("topic", F.explode(topics))
    return heard.select("event_id", "item_id", "named", "topic", "day", "text", "label", "score")


def _counted(posted: DataFrame) -> DataFrame:
    """Rows of ops.metrics: posts of the days looked at by what told their sentiment and their topic."""
    parts = [posted.select(F.lit(f"posts_{c}").alias("metric"), F.col(c).alias("segment"))
             for c in ("read_by", "topic_by")]  # fmt: skip
    counts = parts[0].union(parts[1]).groupBy("metric", "segment").agg(F.count("*").alias("n"))
    none = F.lit(None).cast("double")
    return counts.select(
        F.lit("opinions").alias("stage"), "metric", F.lit("").alias("model"), "segment",
        F.col("n").cast("double").alias("value"), none.alias("low"), none.alias("high"), F.col("n").alias("count"),
    )  # fmt: skip


def _of_entities(voices: DataFrame, items: DataFrame) -> DataFrame:
    """Each voice once for every entity that it speaks of: its item, the brand and category as last known, the shop,
    and what it calls by a name.
    """
    latest = latest_items(items, "brand", "category")
    known = voices.join(latest, on="item_id", how="left")
    kinds = {"item": F.col("item_id"), "brand": F.col("brand"), "category": F.col("category"), "shop": F.lit(SHOP),
             "named": F.col("named")}  # fmt: skip
    columns = ["event_id", "topic", "day", "text", "label", "score", "is_repost"]
    parts = [
        known.select(*columns, F.lit(kind).alias("entity_kind"), entity.alias("entity")).dropna(subset="entity")
        for kind, entity in kinds.items()
    ]
    return reduce(DataFrame.unionByName, parts)


def _trends(counted: DataFrame, night: Night) -> DataFrame:
    first = night.as_of - timedelta(days=night.settings.apps.opinions.shown_days)
    number = F.date_diff("day", F.lit("1970-01-01").cast("date"))
    before = Window.partitionBy(*SERIES).orderBy(number).rangeBetween(-28, -1)
    usual = F.sum("negative_texts").over(before) / F.nullif(F.sum("texts").over(before), F.lit(0))
    whole = counted.where(F.col("topic") == WHOLE).select("entity_kind", "entity", "day", F.col("texts").alias("of"))
    made = counted.withColumn("usual_negative_share", F.round(usual, 6)).where(F.col("day") >= F.lit(first))
    made = made.where("texts > 0").join(whole, on=["entity_kind", "entity", "day"], how="left")
    share = F.when(F.col("of") > 0, F.least(F.round(F.col("texts") / F.col("of"), 6), F.lit(1.0)))
    negative = F.round(F.col("negative_texts") / F.col("texts"), 6)
    made = made.withColumns({"negative_share": negative, "topic_share": share})
    return made.select(*OPINION_TRENDS.column_names)


def _alerts(counted: DataFrame, voices: DataFrame, night: Night, days: int) -> DataFrame:
    settings = night.settings.apps.opinions
    watched = Window.partitionBy(*SERIES)
    enough = F.sum("negative_texts").over(watched) >= settings.surges.min_volume
    series = counted.withColumn("enough", enough).where("enough")
    raised = series.groupBy(*SERIES).applyInPandas(_watched(night, days), _RAISED)
    first = night.as_of - timedelta(days=settings.shown_days)
    raised = raised.where(F.col("raised") >= F.lit(first)).persist()
    made_it = voices.where("label = 'negative' and not is_repost").select(*SERIES, "event_id", "day", "text", "score")
    joined = raised.join(made_it, on=SERIES, how="left").where(F.col("day").between(F.col("began"), F.col("last_day")))
    # Stars without words say nothing of what is wrong: they come last.
    listed = F.slice(
        F.sort_array(F.collect_list(F.struct(F.isnull("text").alias("mute"), "score", "event_id", "text"))),
        1,
        settings.examples,
    )
    shown = joined.groupBy(*SERIES, "raised").agg(listed.alias("shown"))
    made = raised.join(shown, on=[*SERIES, "raised"], how="inner").withColumns({
        "event_ids": F.col("shown.event_id"),
        "sentences": F.transform(F.filter("shown.text", lambda t: t.isNotNull()), lambda t: F.substring(t, 1, 300)),
    })  # fmt: skip
    return made.select(*OPINION_ALERTS.column_names)


def _watched(night: Night, days: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The applyInPandas function from the days of one series that have texts to its surges."""
    settings, first = night.settings.apps.opinions.surges, night.as_of - timedelta(days=days)

    def function(frame: pd.DataFrame) -> pd.DataFrame:
        place = [(day - first).days for day in frame["day"]]
        negatives, texts = np.zeros(days, int), np.zeros(days, int)
        negatives[place], texts[place] = frame["negative_texts"], frame["texts"]
        # Nothing is usual of days before the first text: the series begins there.
        start = min(place)
        found = surges(negatives[start:], texts[start:], settings)
        key = tuple(frame[SERIES].iloc[0])
        at = [first + timedelta(days=start + d) for d in range(days - start)]
        rows = [
            (*key, at[s.raised], at[s.began], at[s.last], s.negatives, s.texts, s.expected, s.chance) for s in found
        ]
        return pd.DataFrame(rows, columns=[part.split()[0] for part in _RAISED.split(", ")])

    return function
