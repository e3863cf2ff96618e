"""A text classifier inside a Python worker, and which one a night uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from recsynth.apps.text_classifier import TextClassifier, read_classifier
from recsynth.memory import give_back
from recsynth.model.folder import check_folder, use_threads
from recsynth.stage import Night
from recsynth.tables.model import TEXT_LABELS

LABELLED = "content_hash string, label string, probabilities map<string,double>, words array<string>"


def classifier_in_use(classifiers: DataFrame, task: str) -> Row | None:
    """The newest champion of a task, or None; `classifiers` has run_date. Bound: one row."""
    newest = classifiers.where((F.col("task") == task) & F.col("is_champion"))
    found = newest.orderBy(F.desc("run_date"), "model_version").take(1)
    return found[0] if found else None


def labels_by(best: Row | None, text_labels: DataFrame) -> DataFrame | None:
    """What the classifier `best` says: content_hash, label, probabilities, words; None where there is no classifier."""
    if best is None:
        return None
    return text_labels.where(F.col("model_version") == best.model_version).drop("model_version")


def read_texts(texts: DataFrame, text_labels: DataFrame, best: Row, batch_size: int, night: Night) -> DataFrame:
    """Rows of model.text_labels for the (content_hash, text) that the classifier `best` had not read yet.

    Raises ModelError where its folder is not what its manifest says.
    """
    distinct = texts.dropna(subset="text").select("content_hash", "text").dropDuplicates(["content_hash"])
    known = text_labels.where(F.col("model_version") == best.model_version)
    unread = distinct.join(known, on="content_hash", how="left_anti")
    folder: Path = night.models.parent / best.path
    check_folder(folder)  # One clear error here, not one from each worker.
    new = labelled(unread, folder, batch_size, night.settings.inference.threads)
    return new.withColumn("model_version", F.lit(best.model_version)).select(*TEXT_LABELS.column_names)


def labelled(texts: DataFrame, folder: Path, batch_size: int, threads: int) -> DataFrame:
    """Classify rows (content_hash, text), each batch of Arrow's at once; gives LABELLED."""
    spread = texts.repartition(texts.sparkSession.sparkContext.defaultParallelism, "content_hash")
    return spread.select("content_hash", "text").mapInPandas(_reading(str(folder), batch_size, threads), LABELLED)


def worker_classifier(folder: str, threads: int) -> TextClassifier:
    """The classifier of a folder, read and verified; tasks run side by side, each on its threads."""
    use_threads(threads)
    return read_classifier(Path(folder))


def _reading(folder: str, batch_size: int, threads: int) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    def read(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        classifier = worker_classifier(folder, threads)
        for batch in batches:
            # In one order whatever the shuffle's: what is padded together differs in the last digits.
            batch = batch.sort_values("content_hash")
            texts = batch["text"].tolist()
            chances = classifier.probabilities(texts, batch_size)
            best = classifier.decided(chances)
            yield pd.DataFrame({
                "content_hash": batch["content_hash"].to_numpy(),
                "label": [classifier.classes[i] for i in best],
                "probabilities": [dict(zip(classifier.classes, map(float, row), strict=True)) for row in chances],
                "words": classifier.evidence(texts, best),
            })  # fmt: skip
        # A worker lives on, idle, while the language model is trained: the next task reads this one again.
        del classifier
        give_back()

    return read
