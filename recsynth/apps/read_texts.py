"""The classifiers of all kinds of texts: taught by what the shop itself labelled, and what they say of new texts."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from recsynth.apps.aspects import teach_aspects
from recsynth.apps.classify import classifier_in_use, read_texts
from recsynth.apps.item_labels import CATEGORIES, labelled_items, teach_tagger
from recsynth.apps.item_words import item_words
from recsynth.apps.opinions import looked_at
from recsynth.apps.posts import SENTIMENT as POST_SENTIMENT
from recsynth.apps.posts import TOPIC, labelled_posts, posted_lately, sentiment_reader
from recsynth.apps.review_sentiment import TASK as SENTIMENT
from recsynth.apps.review_sentiment import days_read, labelled_reviews, spoken_lately, stars_polarity, told_lately
from recsynth.apps.service_answers import INTENT, asked_lately, intent_task, noted_questions
from recsynth.apps.settings import PostSettings
from recsynth.apps.teaching import Task, teach
from recsynth.apps.text_settings import ClassifierSettings, TeachingSettings
from recsynth.memory import give_back
from recsynth.stage import Frames, Night
from recsynth.tables.model import CLASSIFIERS, TEXT_LABELS
from recsynth.tables.ops import METRICS
from recsynth.texts import of_people


def teach_texts(
    reviews: DataFrame, posts: DataFrame, tickets: DataFrame, items: DataFrame, click_farms: DataFrame,
    synthetic_texts: DataFrame, classifiers: DataFrame, night: Night,
) -> Frames:  # fmt: skip
    """Teach a model of each kind of text whose time has come, and keep it only if it beats the one in use.

    Reads silver.reviews (stars are labels, but those of gold.click_farms), silver.posts (topics and sentiments that
    were told), silver.tickets (intents that agents noted), silver.items (records are), synthesis.synthetic_texts where
    the gate found that they help, and model.classifiers of earlier nights; writes model.classifiers and ops.metrics,
    where the segment is the task; see `teach`, `teach_aspects` and `teach_tagger`.
    """
    apps, spark, taught = night.settings.apps, reviews.sparkSession, []
    written = {kind: synthetic_texts.where((F.col("kind") == kind) & (F.col("training_weight") > 0))
               for kind in ("review", "question", "opinion")}  # fmt: skip
    if apps.sentiment.enabled:
        said = labelled_reviews(of_people(reviews, click_farms, night), night)
        stars = stars_polarity(F.col("label").cast("double"), apps.sentiment)
        more = written["review"].select("text", stars.alias("label"))
        taught.append(teach(said, classifiers, SENTIMENT, apps.sentiment, night, more))
        recent = told_lately(of_people(reviews, click_farms, night), days_read(apps.sentiment), night)
        taught.append(teach_aspects(recent.dropna(subset="text"), classifiers, night))
    if apps.opinions.enabled and apps.posts.enabled:
        for label, task, settings in _told(apps.posts):
            more = written["opinion"].select("text", F.col("label" if label == "topic" else "sentiment").alias("label"))
            taught.append(teach(labelled_posts(posts, label, night), classifiers, task, settings, night, more))
    if apps.service.enabled:
        task = intent_task(apps.service)
        more = written["question"].select("text", "label")
        taught.append(teach(noted_questions(tickets, night), classifiers, task, apps.service, night, more))
    if apps.labels.enabled:
        taught.append(teach(labelled_items(items), classifiers, CATEGORIES, apps.labels.category, night))
        taught.append(teach_tagger(items, classifiers, night))
    give_back()
    return {
        "classifiers": spark.createDataFrame([row for t in taught for row in t.classifiers], CLASSIFIERS.schema),
        "metrics": spark.createDataFrame([row for t in taught for row in t.metrics], METRICS.schema),
    }


def label_texts(
    reviews: DataFrame, posts: DataFrame, tickets: DataFrame, items: DataFrame, classifiers: DataFrame,
    text_labels: DataFrame, night: Night,
) -> DataFrame:  # fmt: skip
    """Classify reviews, their clauses, posts, questions and items that the classifiers in use had not read yet.

    Reads silver.reviews, silver.posts, silver.tickets, silver.items, model.classifiers and model.text_labels; writes
    model.text_labels.
    """
    apps = night.settings.apps
    days = looked_at(apps.opinions)
    kinds: list[tuple[Row | None, ClassifierSettings, DataFrame]] = []
    if apps.sentiment.enabled:
        spoken = spoken_lately(reviews, classifiers, max(days_read(apps.sentiment), days), night)
        kinds.append((classifier_in_use(classifiers, SENTIMENT.name), apps.sentiment.classifier, spoken))
    if apps.opinions.enabled and apps.posts.enabled:
        posted = posted_lately(posts, days, night)
        readers = {"topic": classifier_in_use(classifiers, TOPIC.name), "sentiment": sentiment_reader(classifiers)}
        kinds += [(readers[label], settings.classifier, posted.where(f"{label} is null"))
                  for label, _, settings in _told(apps.posts)]  # fmt: skip
    if apps.service.enabled:
        kinds.append((classifier_in_use(classifiers, INTENT), apps.service.classifier, asked_lately(tickets, night)))
    if apps.labels.enabled:
        best = classifier_in_use(classifiers, CATEGORIES.name)
        kinds.append((best, apps.labels.category.classifier, item_words(items)))
    # A classifier may read two kinds of texts, and the same words may stand in both: they are read once.
    by_version: dict[str, tuple[Row, ClassifierSettings, DataFrame]] = {}
    for reader, settings, texts in kinds:
        if reader is not None:
            read = texts.select("content_hash", "text")
            known = by_version.get(reader.model_version)
            every = known[2].unionByName(read) if known else read
            by_version[reader.model_version] = (reader, settings, every)
    new = [TEXT_LABELS.empty(reviews.sparkSession)]
    for reader, settings, texts in by_version.values():
        new.append(read_texts(texts, text_labels, reader, settings.batch_size, night))
    return reduce(DataFrame.unionByName, new)


def _told(settings: PostSettings) -> tuple[tuple[str, Task, TeachingSettings], ...]:
    """Columns of silver.posts that somebody may have filled, the task of filling them, and how it is taught."""
    return (("topic", TOPIC, settings.topic), ("sentiment", POST_SENTIMENT, settings.sentiment))
