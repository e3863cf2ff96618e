"""What reviews say: a classifier taught by the shop's own stars, and what is said of each item and aspect by day."""

from __future__ import annotations

import logging
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F
from sklearn.metrics import accuracy_score, f1_score

from recsynth.apps.classify import classifier_in_use, labelled
from recsynth.apps.settings import SentimentSettings
from recsynth.apps.text_classifier import MOST_CHARS, TextClassifier, fit_classifier, read_classifier, write_classifier
from recsynth.apps.word_patterns import literal, whole_words
from recsynth.measure.calibration import binned, expected_calibration_error
from recsynth.measure.intervals import bootstrap_mean
from recsynth.model.folder import check_folder
from recsynth.stage import Frames, Night
from recsynth.tables.model import CLASSIFIERS, TEXT_LABELS
from recsynth.tables.ops import METRICS
from recsynth.tables.output import POLARITIES, REVIEW_SENTIMENT, WHOLE

log = logging.getLogger(__name__)

TASK, JUDGED_OF = "sentiment", 10
WORDS, BEFORE, NEW, MAJORITY = "words_alone", "champion", "challenger", "majority"


def sentiment_model(reviews: DataFrame, classifiers: DataFrame, night: Night) -> Frames:
    """Teach a classifier by reviews that have both stars and text, and keep it only if it beats the one in use.

    Reads silver.reviews and model.classifiers of earlier nights; writes model.classifiers and ops.metrics. A tenth
    of all texts, by hash, is never learned from in any night: there challenger, champion, the words alone and the
    most frequent class are judged by macro-F1. Nothing is taught while a polarity has fewer than min_each texts, nor
    within retrain_days of the last time. Bound on the driver: max_texts texts to learn from, as many to judge by.
    """
    settings = night.settings.apps.sentiment
    before = classifier_in_use(classifiers, TASK) if settings.enabled else None
    last = classifiers.where(F.col("task") == TASK).agg(F.max("run_date")).first()
    is_due = not (last and last[0]) or night.as_of - last[0] >= timedelta(days=settings.retrain_days)
    spark = reviews.sparkSession
    nothing = {"classifiers": spark.createDataFrame([], CLASSIFIERS.schema),
               "metrics": spark.createDataFrame([], METRICS.schema)}  # fmt: skip
    if not settings.enabled or not is_due:
        return nothing
    known = _labelled_texts(told(reviews, night.settings.shop_time_zone), settings)
    judged = F.pmod(F.xxhash64("text"), F.lit(JUDGED_OF)) == 0
    learn, judge = (_drawn(known.where(c), settings.max_texts, night.seed(TASK)) for c in (~judged, judged))
    fewest = min(int((learn["label"] == p).sum()) for p in POLARITIES)
    if fewest < settings.min_each or judge.empty:
        log.info("no classifier of reviews: %d texts of the rarest polarity, %d wanted", fewest, settings.min_each)
        return nothing
    texts = judge["text"].tolist()
    taught = fit_classifier(
        learn["text"].tolist(), learn["label"].tolist(), settings.classifier, night.seed(TASK, "fit")
    )
    found = {NEW: taught.probabilities(texts), WORDS: np.exp(taught.words.log_probabilities(texts))}
    if before is not None:
        champion = read_classifier(night.models.parent / before.path)
        found[BEFORE] = champion.probabilities(texts)
    figures = _figures(taught, found, judge["label"].to_numpy(), night.settings.evaluation.resamples)
    f1 = {model: value for metric, model, value, *_ in figures if metric == "macro_f1"}
    is_champion = f1[NEW] >= f1.get(BEFORE, 0.0)
    row = _write(taught, night, len(learn), f1, is_champion)
    log.info("reviews: macro-F1 %s; champion: %s", {k: round(v, 4) for k, v in f1.items()}, is_champion)
    metrics = [("sentiment_model", metric, model, "", *rest) for metric, model, *rest in figures]
    return {
        "classifiers": spark.createDataFrame([row], CLASSIFIERS.schema),
        "metrics": spark.createDataFrame(metrics, METRICS.schema),
    }


def review_sentiment(reviews: DataFrame, classifiers: DataFrame, text_labels: DataFrame, night: Night) -> Frames:
    """Polarity of whole reviews and of their clauses on each aspect, counted for an item by day.

    Reads silver.reviews, model.classifiers and model.text_labels; writes model.text_labels (texts that the
    classifier had not read yet), output.review_sentiment and ops.metrics. A review without a letter in it, or read
    while there is no classifier, counts by its stars; one with neither is left out. How many of each is in ops.metrics.
    """
    settings, spark = night.settings.apps.sentiment, reviews.sparkSession
    nothing = spark.createDataFrame([], REVIEW_SENTIMENT.schema)
    if not settings.enabled:
        return {"review_sentiment": nothing, "metrics": spark.createDataFrame([], METRICS.schema)}
    best = classifier_in_use(classifiers, TASK)
    first = night.cutoff_before(settings.history_days + 2 * settings.trend_days)
    recent = reviews.where(F.col("ts") >= F.lit(first)).where("item_id is not null")
    spoken = spoken_of(told(recent, night.settings.shop_time_zone), settings).persist()
    read = {} if best is None else _read(spoken, text_labels, best, night)
    said = with_polarity(spoken, read.get("labels"), settings)
    table = _by_day(said.dropna(subset="label"), best.model_version if best else None, night)
    frames = {"review_sentiment": table, "metrics": _counted(said)}
    return frames | ({"text_labels": read["new"]} if best is not None else {})


def told(reviews: DataFrame, zone: str) -> DataFrame:
    """Reviews as people mean them, with `day`: what one writes of an item has the stars that one gave it that day.

    `text` is as the classifier reads it. Stars stand alone, the day's last ones, only where nothing was written.
    """
    day = F.to_date(F.from_utc_timestamp("ts", zone))
    read = reviews.withColumns({"day": day, "text": readable(F.col("text"))})
    one = Window.partitionBy("user_id", "item_id", "day")
    late = F.struct("ts", "event_id")
    stars = F.coalesce("rating", F.max_by("rating", F.when(F.col("rating").isNotNull(), late)).over(one))
    is_last = late == F.max(late).over(one)
    known = read.withColumns({"rating": stars, "wrote": F.count("text").over(one) > 0, "is_last": is_last})
    return known.where(F.col("text").isNotNull() | (~F.col("wrote") & F.col("is_last"))).drop("wrote", "is_last")


def stars_polarity(rating: Column, settings: SentimentSettings) -> Column:
    """What stars say: positive, neutral or negative; null without stars."""
    said = F.when(rating >= settings.positive_stars, "positive").when(rating <= settings.negative_stars, "negative")
    return F.when(rating.isNotNull(), said.otherwise("neutral"))


def readable(text: Column) -> Column:
    """A text as the classifier reads it, white space folded and cut; null where there is no letter in it."""
    folded = F.trim(F.regexp_replace(F.substring(text, 1, 4 * MOST_CHARS), r"[\p{Cntrl}\s]+", " "))
    return F.when(folded.rlike(r"\p{L}"), F.substring(folded, 1, MOST_CHARS))


def _labelled_texts(reviews: DataFrame, settings: SentimentSettings) -> DataFrame:
    """Distinct (text, label) of reviews with both; a text under two labels has the more frequent, then the better."""
    label = stars_polarity(F.col("rating"), settings).alias("label")
    both = reviews.select("text", label).dropna()
    counted = both.groupBy("text", "label").count()
    return counted.groupBy("text").agg(F.max_by("label", F.struct("count", "label")).alias("label"))


def _drawn(texts: DataFrame, most: int, seed: int) -> pd.DataFrame:
    """At most `most` texts by hash, in its order: the same whatever the partitions."""
    return texts.orderBy(F.xxhash64(F.lit(seed), "text"), "text").limit(most).toPandas()


def _figures(
    taught: TextClassifier, found: dict[str, np.ndarray], true: np.ndarray, resamples: int
) -> list[tuple[Any, ...]]:
    """Rows (metric, model, value, low, high, count)."""
    classes, n = np.array(taught.classes), len(true)
    said = {model: classes[p.argmax(1)] for model, p in found.items()}
    said[MAJORITY] = np.full(n, pd.Series(true).mode()[0])
    rows: list[tuple[Any, ...]] = []
    for model, labels in said.items():
        right = (labels == true).astype(float)
        f1 = float(f1_score(true, labels, labels=list(POLARITIES), average="macro", zero_division=0))
        rows.append(("macro_f1", model, f1, None, None, n))
        rows.append(("accuracy", model, float(accuracy_score(true, labels)), *bootstrap_mean(right, resamples), n))
    for model, p in found.items():
        error = expected_calibration_error(*binned(p.max(1), said[model] == true)[1:])
        rows.append(("expected_calibration_error", model, error, None, None, n))
    return rows


def _write(
    taught: TextClassifier, night: Night, texts: int, f1: dict[str, float], is_champion: bool
) -> tuple[object, ...]:
    settings, made = night.settings.apps.sentiment, night.work / "classifier"
    card = {"task": TASK, "settings": settings.classifier.model_dump(mode="json")}
    version = f"{TASK}-{write_classifier(taught, made, card)}"
    folder = night.models / version
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(made, folder)
    base = settings.classifier.encoder if taught.language else "words"
    return (TASK, version, f"{night.models.name}/{version}", base, list(taught.classes), texts,
            {f"macro_f1_{k}": v for k, v in f1.items()}, is_champion)  # fmt: skip


def spoken_of(reviews: DataFrame, settings: SentimentSettings) -> DataFrame:
    """One row per (review, aspect): event_id, item_id, day, stars, aspect, text and its hash; text may be null."""
    stars = stars_polarity(F.col("rating"), settings).alias("stars")
    base = reviews.select("event_id", "item_id", "day", stars, F.col("text").alias("whole"))
    whole = base.withColumn("aspect", F.lit(WHOLE)).withColumn("text", F.col("whole"))
    clauses = base.dropna(subset="whole").withColumn("text", F.explode(F.split(F.lower("whole"), _cuts(settings))))
    named = [F.when(F.col("text").rlike(whole_words(w)), F.lit(a)) for a, w in sorted(settings.aspects.items()) if w]
    about = F.array_compact(F.array(*named, F.lit(None).cast("string")))
    spoken = clauses.withColumn("text", F.trim("text")).withColumn("aspect", F.explode(about))
    columns = ("event_id", "item_id", "day", "stars", "aspect", "text")
    both = whole.select(*columns).union(spoken.select(*columns))
    return both.withColumn("content_hash", F.sha2("text", 256))


def _cuts(settings: SentimentSettings) -> str:
    """A Java regular expression of what lies between two clauses."""
    return "|".join(filter(None, (f"[{literal(settings.clause_marks)}]+", whole_words(settings.clause_words))))


def _read(spoken: DataFrame, text_labels: DataFrame, best: Row, night: Night) -> dict[str, DataFrame]:
    """What the classifier says of every text: `labels`; and of those that it reads for the first time: `new`."""
    texts = spoken.dropna(subset="text").select("content_hash", "text").dropDuplicates(["content_hash"])
    known = text_labels.where(F.col("model_version") == best.model_version)
    unread = texts.join(known, on="content_hash", how="left_anti")
    folder: Path = night.models.parent / best.path
    check_folder(folder)  # One clear error here, not one from each worker.
    size, threads = night.settings.apps.sentiment.classifier.batch_size, night.settings.inference.threads
    new = labelled(unread, folder, size, threads)
    new = new.withColumn("model_version", F.lit(best.model_version)).select(*TEXT_LABELS.column_names).persist()
    # A Delta table is read as it stands when the rows are asked for: by then it may hold the new ones as well.
    both = known.select(*TEXT_LABELS.column_names).union(new).dropDuplicates(["content_hash"])
    return {"new": new, "labels": both.drop("model_version")}


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
