"""The stage that writes texts: searches that nobody has typed yet, and items in other words."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.model.vectors import write_vectors
from recsynth.stage import Night
from recsynth.synthesis.finding import rivals
from recsynth.synthesis.plain_vectors import with_vectors
from recsynth.synthesis.queries import write_queries
from recsynth.synthesis.variants import write_variants
from recsynth.tables.synthesis import WRITTEN_TEXTS
from recsynth.tables.table import RUN_DATE


def write_texts(window_histories: DataFrame, item_text: DataFrame, written_texts: DataFrame, night: Night) -> DataFrame:
    """Write texts of the items that are new or changed, and keep what was written of the others.

    Reads gold.window_histories, gold.item_text and synthesis.written_texts of earlier nights; writes
    synthesis.written_texts, and the writer of searches below _models; see `write_queries` and `write_variants`.
    Bound: max_rivals vectors in each worker.
    """
    settings = night.settings.synthesis
    every = WRITTEN_TEXTS.empty(item_text.sparkSession)
    if not settings.enabled:
        return every
    bounded = with_vectors(rivals(item_text, settings.texts.max_rivals), night)
    folder = write_vectors(bounded, night.work / "rivals")
    newest = written_texts.agg(F.max(RUN_DATE)).first()[0]  # type: ignore[index]
    before = written_texts.where(F.col(RUN_DATE) == F.lit(newest))
    if settings.texts.enabled:
        every = every.unionByName(write_queries(window_histories, item_text, before, folder, night))
    if settings.augment.enabled:
        every = every.unionByName(write_variants(item_text, before, folder, night))
    return every
