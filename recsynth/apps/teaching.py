"""How a night teaches a text classifier, and when what it taught replaces the one in use."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from sklearn.metrics import accuracy_score, f1_score

from recsynth.apps.classify import classifier_in_use
from recsynth.apps.text_classifier import TextClassifier, fit_classifier, read_classifier, write_classifier
from recsynth.apps.text_settings import ClassifierSettings, TeachingSettings
from recsynth.measure.calibration import binned, expected_calibration_error
from recsynth.measure.intervals import bootstrap_mean
from recsynth.model.folder import register
from recsynth.stage import Night
from recsynth.texts import is_held_out

log = logging.getLogger(__name__)

STAGE = "teach_texts"
WORDS, BEFORE, NEW, MAJORITY = "words_alone", "champion", "challenger", "majority"
LOW_CHANCE, UNSURE_SHARE = "low_chance", 0.05
"""Of the texts that it is judged by a classifier gives this share a chance below its metric `low_chance`."""
Figure = tuple[Any, ...]


class Task(NamedTuple):
    """What a classifier is taught.

    name: of the task in model.classifiers; required: labels without any of which nothing is taught; measure: further
    figures (metric, value, count) from the labels that are said, the true ones and the chances of those said.
    """

    name: str
    required: Sequence[str] = ()
    measure: Callable[[np.ndarray, np.ndarray, np.ndarray], list[tuple[str, float, int]]] = lambda *_: []


def is_due(classifiers: DataFrame, task: str, retrain_days: int, night: Night) -> bool:
    """Whether the last model of a task was taught long enough ago; `classifiers` has run_date."""
    last = classifiers.where(F.col("task") == task).agg(F.max("run_date")).first()
    return not (last and last[0]) or night.as_of - last[0] >= timedelta(days=retrain_days)


class Taught(NamedTuple):
    """Rows of model.classifiers and of ops.metrics, both empty where nothing was taught."""

    classifiers: list[tuple[Any, ...]]
    metrics: list[tuple[Any, ...]]


def one_label(texts: DataFrame) -> DataFrame:
    """Distinct (text, label) of rows with both; a text under two labels has the more frequent, then the later word."""
    counted = texts.dropna(subset=["text", "label"]).groupBy("text", "label").count()
    return counted.groupBy("text").agg(F.max_by("label", F.struct("count", "label")).alias("label"))


def teach(
    known: DataFrame, classifiers: DataFrame, task: Task, settings: TeachingSettings, night: Night,
    written: DataFrame | None = None,
) -> Taught:  # fmt: skip
    """Teach a classifier by texts with labels, and keep it only if it beats the one in use; not before it is due.

    known: (text, label), distinct texts; written: texts that nobody wrote, to learn from besides, never to judge by. A
    tenth of the known, by hash, is never learned from in any night: there challenger, champion, the words alone and the
    most frequent class are judged by macro-F1. A label of fewer than min_each known texts is left out. Bound on the
    driver: max_texts texts to learn from, as many to judge by and written ones.
    """
    if not is_due(classifiers, task.name, settings.retrain_days, night):
        return Taught([], [])
    judged = is_held_out(F.col("text"))
    learn, judge = (_drawn(known.where(c), settings.max_texts, night.seed(task.name)) for c in (~judged, judged))
    counts = learn["label"].value_counts()
    classes = sorted(counts.index[counts >= settings.min_each])
    learn, judge = (part[part["label"].isin(classes)] for part in (learn, judge))
    if len(classes) < 2 or not set(task.required) <= set(classes) or judge.empty:
        log.info("no classifier of %s: labels with %d texts or more: %s", task.name, settings.min_each, classes)
        return Taught([], [])
    more = judge[:0] if written is None else _drawn(written.where(~judged), settings.max_texts, night.seed(task.name))
    more = more[more["label"].isin(classes) & ~more["text"].isin(learn["text"])]
    texts, true = judge["text"].tolist(), judge["label"].to_numpy()
    taught = fit_classifier(
        learn["text"].tolist(), learn["label"].tolist(), settings.classifier, night.seed(task.name, "fit"),
        (more["text"].tolist(), more["label"].tolist()),
    )  # fmt: skip
    alone = np.exp(taught.words.log_probabilities(texts))
    found = {NEW: _said(taught, texts), WORDS: _Said(taught.classes, alone, alone.argmax(1))}
    before = classifier_in_use(classifiers, task.name)
    if before is not None:
        found[BEFORE] = _said(read_classifier(night.models.parent / before.path), texts)
    figures = _figures(found, true, task, night.settings.evaluation.resamples)
    f1 = {model: value for metric, model, value, *_ in figures if metric == "macro_f1"}
    is_champion = f1[NEW] >= f1.get(BEFORE, 0.0)
    metrics = {f"macro_f1_{k}": v for k, v in f1.items()}
    metrics[LOW_CHANCE] = float(np.quantile(found[NEW].chances, UNSURE_SHARE))
    about = (len(learn) + len(more), metrics, is_champion)
    row = (*_written(taught, task.name, settings.classifier, night), *about)
    log.info("%s: macro-F1 %s; champion: %s", task.name, {k: round(v, 4) for k, v in f1.items()}, is_champion)
    return Taught([row], [(STAGE, metric, model, task.name, *rest) for metric, model, *rest in figures])


class _Said(NamedTuple):
    classes: tuple[str, ...]
    probabilities: np.ndarray
    decided: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        said: np.ndarray = np.array(self.classes)[self.decided]
        return said

    @property
    def chances(self) -> np.ndarray:
        """How likely each label that is said is."""
        return np.asarray(self.probabilities[np.arange(len(self.decided)), self.decided])


def _said(classifier: TextClassifier, texts: Sequence[str]) -> _Said:
    probabilities = classifier.probabilities(texts)
    return _Said(classifier.classes, probabilities, classifier.decided(probabilities))


def _drawn(texts: DataFrame, most: int, seed: int) -> pd.DataFrame:
    """At most `most` texts by hash, in its order: the same whatever the partitions."""
    return texts.orderBy(F.xxhash64(F.lit(seed), "text"), "text").limit(most).toPandas()


def _figures(found: dict[str, _Said], true: np.ndarray, task: Task, resamples: int) -> list[Figure]:
    """Rows (metric, model, value, low, high, count)."""
    n = len(true)
    labels = {model: said.labels for model, said in found.items()}
    labels[MAJORITY] = np.full(n, pd.Series(true).mode()[0])
    rows: list[Figure] = []
    for model, guessed in labels.items():
        right = (guessed == true).astype(float)
        f1 = float(f1_score(true, guessed, average="macro", zero_division=0))
        rows.append(("macro_f1", model, f1, None, None, n))
        rows.append(("accuracy", model, float(accuracy_score(true, guessed)), *bootstrap_mean(right, resamples), n))
    for model, said in found.items():
        error = expected_calibration_error(*binned(said.chances, labels[model] == true)[1:])
        rows.append(("expected_calibration_error", model, error, None, None, n))
        measured = task.measure(labels[model], true, said.chances)
        rows += [(metric, model, value, None, None, count) for metric, value, count in measured]
    return rows


def _written(taught: TextClassifier, task: str, settings: ClassifierSettings, night: Night) -> tuple[object, ...]:
    """Write the classifier; the columns of model.classifiers that say what it is and where it lies."""
    card = {"task": task, "settings": settings.model_dump(mode="json")}
    made = night.work / f"classifier_{task}"
    version = register(task, lambda folder: write_classifier(taught, folder, card), made, night.models)
    base = settings.encoder if taught.members else "words"
    return (task, version, f"{night.models.name}/{version}", base, list(taught.classes))
