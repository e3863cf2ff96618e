"""Posts as voices: what each says of which topic, told by whoever labelled it, by classifiers, or found anew."""

from __future__ import annotations

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from recsynth.apps.classify import classifier_in_use, labels_by
from recsynth.apps.review_sentiment import TASK as REVIEW_SENTIMENT
from recsynth.apps.teaching import LOW_CHANCE, Task, one_label
from recsynth.stage import Night
from recsynth.tables.output import POLARITIES
from recsynth.texts import as_known, readable

SENTIMENT, TOPIC = Task("post_sentiment", required=POLARITIES), Task("post_topic")


def labelled_posts(posts: DataFrame, label: str, night: Night) -> DataFrame:
    """Distinct (text, label) of posts whose `topic` or `sentiment` somebody told before the as-of date."""
    told = visible(posts, night).select(readable(F.col("text")).alias("text"), F.col(label).alias("label"))
    return one_label(told)


def posted_lately(posts: DataFrame, days: int, night: Night) -> DataFrame:
    """Posts of so many days as they stood on the night, with `day`, `text` as models read it, and its hash."""
    recent = visible(posts, night).where(F.col("ts") >= F.lit(night.cutoff_before(days)))
    day = F.to_date(F.from_utc_timestamp("ts", night.settings.shop_time_zone))
    read = recent.withColumns({"day": day, "text": readable(F.col("text"))})
    return read.withColumn("content_hash", F.sha2("text", 256))


def visible(posts: DataFrame, night: Night) -> DataFrame:
    """Posts as they stood on the night: a label that was given at the cut-off or later is not there."""
    return as_known(posts, "labelled_at", ("topic", "sentiment"), night)


def sentiment_reader(classifiers: DataFrame) -> Row | None:
    """The classifier that reads the sentiment of posts: their own, else that of reviews, else none."""
    return classifier_in_use(classifiers, SENTIMENT.name) or classifier_in_use(classifiers, REVIEW_SENTIMENT.name)


def with_known_topic(
    posted: DataFrame, classifiers: DataFrame, text_labels: DataFrame, night: Night, is_strict: bool = False
) -> DataFrame:
    """Fill `topic` where nobody told it and the classifier is sure; else it stays null.

    is_strict: as sure as of nearly all texts whose topic it knows. Of what it never learned a classifier is often sure,
    but seldom as sure as that (Hendrycks and Gimpel, ICLR 2017).
    """
    best = classifier_in_use(classifiers, TOPIC.name)
    labels = labels_by(best, text_labels)
    if best is None or labels is None:
        return posted
    least = night.settings.apps.posts.least_confidence
    if is_strict:
        # A classifier from before this was measured does not say it.
        least = max(least, best.metrics.get(LOW_CHANCE, least))
    sure = labels.where(F.col("probabilities")[F.col("label")] >= least)
    read = posted.join(sure.select("content_hash", F.col("label").alias("read_topic")), "content_hash", "left")
    return read.withColumn("topic", F.coalesce("topic", "read_topic")).drop("read_topic")


def with_sentiment(posted: DataFrame, classifiers: DataFrame, text_labels: DataFrame) -> DataFrame:
    """Add label, score (-1 to 1) and read_by: whoever labelled it, the text, or nothing; then the label is null."""
    labels = labels_by(sentiment_reader(classifiers), text_labels)
    if labels is None:
        none = {"label": F.lit(None).cast("string"), "probabilities": F.lit(None).cast("map<string,double>")}
        read = posted.withColumns(none)
    else:
        read = posted.join(labels.select("content_hash", "label", "probabilities"), "content_hash", "left")
    told = F.when(F.col("sentiment") == "positive", 1.0).when(F.col("sentiment") == "negative", -1.0).otherwise(0.0)
    chance = {p: F.coalesce(F.col("probabilities")[p], F.lit(0.0)) for p in POLARITIES}
    by = F.when(F.col("sentiment").isNotNull(), "label").when(F.col("label").isNotNull(), "text").otherwise("nothing")
    return read.withColumns({
        "score": F.when(F.col("sentiment").isNotNull(), told).otherwise(chance["positive"] - chance["negative"]),
        "label": F.coalesce("sentiment", "label"), "read_by": by,
    }).drop("probabilities")  # fmt: skip
