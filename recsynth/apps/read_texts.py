"""The classifiers of all kinds of texts: taught by what the shop itself labelled, and what they say of new texts."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame

from recsynth.apps.classify import classifier_in_use, read_texts
from recsynth.apps.item_labels import CATEGORIES, labelled_items, teach_tagger
from recsynth.apps.item_words import item_words
from recsynth.apps.opinions import looked_at
from recsynth.apps.review_sentiment import TASK as SENTIMENT
from recsynth.apps.review_sentiment import days_read, labelled_reviews, spoken_lately
from recsynth.apps.service_answers import INTENT, asked_lately, intent_task, noted_questions
from recsynth.apps.teaching import teach
from recsynth.memory import give_back
from recsynth.stage import Frames, Night
from recsynth.tables.model import CLASSIFIERS, TEXT_LABELS
from recsynth.tables.ops import METRICS


def teach_texts(
    reviews: DataFrame, tickets: DataFrame, items: DataFrame, classifiers: DataFrame, night: Night
) -> Frames:
    """Teach a model of each kind of text whose time has come, and keep it only if it beats the one in use.

    Reads silver.reviews (stars are labels), silver.tickets (intents that agents noted), silver.items (records are)
    and model.classifiers of earlier nights; writes model.classifiers and ops.metrics, where the segment is the task;
    see `teach` and `teach_tagger`.
    """
    apps, spark, taught = night.settings.apps, reviews.sparkSession, []
    if apps.sentiment.enabled:
        taught.append(teach(labelled_reviews(reviews, night), classifiers, SENTIMENT, apps.sentiment, night))
    if apps.service.enabled:
        task = intent_task(apps.service)
        taught.append(teach(noted_questions(tickets, night), classifiers, task, apps.service, night))
    if apps.labels.enabled:
        taught.append(teach(labelled_items(items), classifiers, CATEGORIES, apps.labels.category, night))
        taught.append(teach_tagger(items, classifiers, night))
    give_back()
    return {
        "classifiers": spark.createDataFrame([row for t in taught for row in t.classifiers], CLASSIFIERS.schema),
        "metrics": spark.createDataFrame([row for t in taught for row in t.metrics], METRICS.schema),
    }


def label_texts(
    reviews: DataFrame, tickets: DataFrame, items: DataFrame, classifiers: DataFrame, text_labels: DataFrame,
    night: Night,
) -> DataFrame:  # fmt: skip
    """Classify reviews, their clauses, questions and items that the classifiers in use had not read yet.

    Reads silver.reviews, silver.tickets, silver.items, model.classifiers and model.text_labels; writes
    model.text_labels.
    """
    apps, new = night.settings.apps, [reviews.sparkSession.createDataFrame([], TEXT_LABELS.schema)]
    days = max(days_read(apps.sentiment), looked_at(apps.opinions))
    kinds = (
        (SENTIMENT.name, apps.sentiment.enabled, apps.sentiment.classifier, spoken_lately(reviews, days, night)),
        (INTENT, apps.service.enabled, apps.service.classifier, asked_lately(tickets, night)),
        (CATEGORIES.name, apps.labels.enabled, apps.labels.category.classifier, item_words(items)),
    )
    for task, is_enabled, settings, texts in kinds:
        best = classifier_in_use(classifiers, task) if is_enabled else None
        if best is not None:
            new.append(read_texts(texts, text_labels, best, settings.batch_size, night))
    return reduce(DataFrame.unionByName, new)
