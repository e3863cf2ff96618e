"""What reviews say: a classifier taught by the shop's own stars, and what is said of each item and aspect by day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from recsynth.apps.aspects import found_aspects
from recsynth.apps.classify import classifier_in_use, labels_by
from recsynth.apps.teaching import Task, one_label
from recsynth.apps.text_settings import SentimentSettings
from recsynth.apps.word_patterns import literal, whole_words
from recsynth.stage import Frames, Night
from recsynth.tables.ops import METRICS
from recsynth.tables.output import POLARITIES, REVIEW_SENTIMENT, WHOLE
from recsynth.texts import of_people, readable, starred

TASK = Task("sentiment", required=POLARITIES)


def labelled_reviews(reviews: DataFrame, night: Night) -> DataFrame:
    """Distinct (text, label) of reviews that have both stars and text: what the classifier is taught by."""
    label = stars_polarity(F.col("rating"), night.settings.apps.sentiment).alias("label")
    return one_label(told(reviews, night.settings.shop_time_zone).select("text", label))


def spoken_lately(reviews: DataFrame, classifiers: DataFrame, days: int, night: Night) -> DataFrame:
    """`spoken_of` the reviews of items within so many days, by listed and found aspects; classifiers: run_date."""
    settings = night.settings.apps.sentiment
    return spoken_of(told_lately(reviews, days, night), settings, found_aspects(classifiers, settings))


def told_lately(reviews: DataFrame, days: int, night: Night) -> DataFrame:
    """Reviews of items within so many days before the as-of date, as `told`."""
    recent = reviews.where(F.col("ts") >= F.lit(night.cutoff_before(days))).where("item_id is not null")
    return told(recent, night.settings.shop_time_zone)


def days_read(settings: SentimentSettings) -> int:
    """Days before the as-of date whose reviews are read: for the oldest day shown its trend."""
    return settings.history_days + 2 * settings.trend_days


def review_sentiment(
    reviews: DataFrame, click_farms: DataFrame, classifiers: DataFrame, text_labels: DataFrame, night: Night
) -> Frames:
    """Polarity of whole reviews and of their clauses on each aspect, counted for an item by day.

    Reads silver.reviews, gold.click_farms (a bomb of reviews counts for nothing), model.classifiers and
    model.text_labels; writes output.review_sentiment and ops.metrics. A review without a letter in it, or while there
    is no classifier, counts by its stars; one with neither is left out. How many of each is in ops.metrics.
    """
    settings, spark = night.settings.apps.sentiment, reviews.sparkSession
    nothing = REVIEW_SENTIMENT.empty(spark)
    if not settings.enabled:
        return {"review_sentiment": nothing, "metrics": METRICS.empty(spark)}
    best = classifier_in_use(classifiers, TASK.name)
    spoken = spoken_lately(of_people(reviews, click_farms, night), classifiers, days_read(settings), night).persist()
    said = with_polarity(spoken, labels_by(best, text_labels), settings)
    table = _by_day(said.dropna(subset="label"), best.model_version if best else None, night)
    return {"review_sentiment": table, "metrics": _counted(said)}


def told(reviews: DataFrame, zone: str) -> DataFrame:
    """Reviews as people mean them, with `day`: what one writes of an item has the stars that one gave it that day.

    `text` is as the classifier reads it. Stars stand alone, the day's last ones, only where nothing was written.
    """
    read = starred(reviews, zone).withColumn("text", readable(F.col("text")))
    one, late = Window.partitionBy("user_id", "item_id", "day"), F.struct("ts", "event_id")
    known = read.withColumns({"wrote": F.count("text").over(one) > 0, "is_last": late == F.max(late).over(one)})
    return known.where(F.col("text").isNotNull() | (~F.col("wrote") & F.col("is_last"))).drop("wrote", "is_last")


def stars_polarity(rating: Column, settings: SentimentSettings) -> Column:
    """What stars say: positive, neutral or negative; null without stars."""
    said = F.when(rating >= settings.positive_stars, "positive").when(rating <= settings.negative_stars, "negative")
    return F.when(rating.isNotNull(), said.otherwise("neutral"))


def spoken_of(reviews: DataFrame, settings: SentimentSettings, found: Sequence[str] = ()) -> DataFrame:
    """One row per (review, aspect): event_id, item_id, day, stars, aspect, text and its hash; text may be null.

    found: further aspects, each the words that name it, in lower case.
    """
    stars = stars_polarity(F.col("rating"), settings).alias("stars")
    base = reviews.select("event_id", "item_id", "day", stars, F.col("text").alias("whole"))
    whole = base.withColumn("aspect", F.lit(WHOLE)).withColumn("text", F.col("whole"))
    clauses = base.dropna(subset="whole").withColumn("text", F.explode(F.split(F.lower("whole"), _cuts(settings))))
    named = [F.when(F.col("text").rlike(whole_words(w)), F.lit(a)) for a, w in sorted(settings.aspects.items()) if w]
    about = F.array_compact(F.array(*named, F.lit(None).cast("string")))
    if found:
        # One pattern for all of them, the longest first: `battery life` is not `battery`.
        pattern = whole_words(sorted(found, key=lambda words: (-len(words), words)))
        about = F.array_union(about, F.regexp_extract_all("text", F.lit(pattern), F.lit(0)))
    spoken = clauses.withColumn("text", F.trim("text")).withColumn("aspect", F.explode(about))
    columns = ("event_id", "item_id", "day", "stars", "aspect", "text")
    both = whole.select(*columns).union(spoken.select(*columns))
    return both.withColumn("content_hash", F.sha2("text", 256))


def _cuts(settings: SentimentSettings) -> str:
    """A Java regular expression of what lies between two clauses."""
    return "|".join(filter(None, (f"[{literal(settings.clause_marks)}]+", whole_words(settings.clause_words))))


def with_polarity(spoken: DataFrame, labels: DataFrame | None, settings: SentimentSettings) -> DataFrame:
    """Add label, score, words, is_contradicting and read_by; the label is null where nothing tells of one."""
    if labels is None:
        empty = F.array().cast("array<string>")
        read = spoken.withColumns({"label": F.lit(None).cast("string"), "words": empty})
        read = read.withColumn("probabilities", F.lit(None).cast("map<string,double>"))
    else:
        read = spoken.join(labels, on="content_hash", how="left")
    # Without a classifier an aspect has nobody to speak of it: stars are about the whole.
    label = F.coalesce("label", F.when(F.col("aspect") == WHOLE, F.col("stars")))
    by_label = F.when(label == "positive", 1.0).when(label == "negative", -1.0).otherwise(0.0)
    chance = {p: F.coalesce(F.col("probabilities")[p], F.lit(0.0)) for p in POLARITIES}
    score = F.when(F.col("probabilities").isNull(), by_label).otherwise(chance["positive"] - chance["negative"])
    against = ((F.col("stars") == "positive") & (chance["negative"] >= settings.contradiction)) | (
        (F.col("stars") == "negative") & (chance["positive"] >= settings.contradiction)
    )
    is_against = F.coalesce(against & (F.col("aspect") == WHOLE), F.lit(False))
    by = F.when(F.col("label").isNotNull(), "text").when(label.isNotNull(), "stars").otherwise("nothing")
    return read.withColumns({"score": score, "is_contradicting": is_against, "read_by": by, "label": label})


def _counted(said: DataFrame) -> DataFrame:
    """Rows of ops.metrics: reviews of the days looked at by what they were read by: text, stars or nothing."""
    counts = said.where(F.col("aspect") == WHOLE).groupBy("read_by").agg(F.count("*").alias("n"))
    none = F.lit(None).cast("double")
    return counts.select(
        F.lit("review_sentiment").alias("stage"), F.lit("reviews_read_by").alias("metric"), F.lit("").alias("model"),
        F.col("read_by").alias("segment"), F.col("n").cast("double").alias("value"), none.alias("low"),
        none.alias("high"), F.col("n").alias("count"),
    )  # fmt: skip


def _by_day(said: DataFrame, model_version: str | None, night: Night) -> DataFrame:
    settings = night.settings.apps.sentiment
    # A review has one voice on an aspect, however many of its clauses name it. Only what has words can say it best.
    in_words = F.when(F.col("text").isNotNull(), F.struct("score", "content_hash"))
    voice = said.groupBy("item_id", "day", "aspect", "event_id").agg(
        F.round(F.avg("score"), 6).alias("score"), F.max("is_contradicting").alias("is_contradicting"),
        F.max_by("label", F.struct(F.abs("score"), "content_hash")).alias("label"),
        F.max_by(F.struct("text", "words"), in_words).alias("best"),
        F.min_by(F.struct("text", "words"), in_words).alias("worst"),
    )  # fmt: skip
    spoken = F.when(F.col("best").isNotNull(), F.struct("score", "event_id"))
    days = voice.groupBy("item_id", "day", "aspect").agg(
        F.count("*").alias("reviews"), F.round(F.avg("score"), 6).alias("score"), F.sum("score").alias("sum"),
        *(F.count_if(F.col("label") == p).alias(f"{p}_reviews") for p in POLARITIES),
        F.max_by("best", spoken).alias("best"),
        F.min_by("worst", spoken).alias("worst"),
        F.sort_array(F.collect_list(F.when(F.col("is_contradicting"), F.col("event_id")))).alias("contradicting"),
    )  # fmt: skip
    n = settings.trend_days
    number = F.date_diff("day", F.lit("1970-01-01").cast("date"))
    line = Window.partitionBy("item_id", "aspect").orderBy(number)
    now, then = line.rangeBetween(1 - n, 0), line.rangeBetween(1 - 2 * n, -n)
    mean = {w: F.sum("sum").over(frame) / F.sum("reviews").over(frame) for w, frame in (("now", now), ("then", then))}
    shown = F.when(F.col("score") >= 0, F.col("best")).otherwise(F.col("worst"))
    made = days.withColumns({"trend": F.round(mean["now"] - mean["then"], 6), "shown": shown}).withColumns({
        "sentence": F.substring(F.col("shown.text"), 1, 300),
        "words": F.coalesce(F.col("shown.words"), F.array().cast("array<string>")),
        "model_version": F.lit(model_version).cast("string"),
    })  # fmt: skip
    first = night.as_of - timedelta(days=settings.history_days)
    return made.where(F.col("day") >= F.lit(first)).select(*REVIEW_SENTIMENT.column_names)
