"""A tagger as a night keeps it, and inside a Python worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
from pyspark.sql import DataFrame

from recsynth.apps.tagger import Tagger, read_tagger, write_tagger
from recsynth.apps.text_settings import TaggerSettings
from recsynth.memory import give_back
from recsynth.model.folder import check_folder, register, use_threads
from recsynth.stage import Night

FOUND = "content_hash string, field string, start int, words string, confidence double"


def written_tagger(tagger: Tagger, task: str, settings: TaggerSettings, night: Night) -> tuple[str, str, str, str]:
    """Write the tagger; the columns of model.classifiers that say what it is, where it lies and what it began from."""
    card = {"task": task, "settings": settings.model_dump(mode="json")}
    made = night.work / f"classifier_{task}"
    version = register(task, lambda folder: write_tagger(tagger, folder, card), made, night.models)
    return (task, version, f"{night.models.name}/{version}", settings.encoder)


def tagged(texts: DataFrame, folder: Path, size: int, threads: int, least: float | None = None) -> DataFrame:
    """Rows FOUND of texts (content_hash, text), by the tagger of a folder in pandas UDFs.

    Raises ModelError where the folder is not what its manifest says.
    """
    check_folder(folder)  # One clear error here, not one from each worker.
    spread = texts.repartition(texts.sparkSession.sparkContext.defaultParallelism, "content_hash")
    return spread.select("content_hash", "text").mapInPandas(_tagging(str(folder), size, threads, least), FOUND)


def _tagging(
    folder: str, size: int, threads: int, least: float | None
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    def tag(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        use_threads(threads)
        tagger = read_tagger(Path(folder))
        for batch in batches:
            # In one order whatever the shuffle's: what is padded together differs in the last digits.
            batch = batch.sort_values("content_hash")
            texts = batch["text"].tolist()
            found = zip(batch["content_hash"], texts, tagger.spans(texts, size, least), strict=True)
            rows = [
                (key, s.field, s.start, text[s.start : s.end], s.chance) for key, text, spans in found for s in spans
            ]
            yield pd.DataFrame(rows, columns=["content_hash", "field", "start", "words", "confidence"])
        del tagger
        give_back()

    return tag
