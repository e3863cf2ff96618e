"""The same item in other words: typing errors, missing parts, and translated there and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.memory import give_back
from recsynth.model.text_generator import Generator, check_generator, read_generator
from recsynth.seeds import sub_seed
from recsynth.stage import Night
from recsynth.synthesis.finding import COLUMNS, WRITTEN, Rivals, unwritten
from recsynth.synthesis.noise import NOISE
from recsynth.synthesis.plain_vectors import plain_encoder, worker_tower
from recsynth.synthesis.text_settings import AugmentSettings
from recsynth.tables.synthesis import WRITTEN_TEXTS

BACK: str = "back_translation"
THERE, HOME = "synthesis.augment.there", "synthesis.augment.back"
_TOKENS = 128


def write_variants(item_text: DataFrame, before: DataFrame, rivals: str, night: Night) -> DataFrame:
    """Rows of synthesis.written_texts: for each way an item's text written anew, of items that changed.

    before: rows of the night before; rivals: the folder of `Rivals`. Raises ModelError where synthesis.augment.there
    or .back is no folder of a model.
    """
    settings, seed = night.settings.synthesis.augment, sub_seed(night.settings.seed, "variants")
    noise = f"noise-{settings.typo_share}-{settings.missing_share}-{settings.each}"
    ways: dict[str, str] = dict.fromkeys(map(str, settings.ways), noise)
    if settings.there:
        for setting, folder in ((THERE, settings.there), (HOME, settings.back)):
            check_generator(folder, setting)
        ways[BACK] = f"generator-{settings.there}-{settings.back}"
    every = item_text.sparkSession.createDataFrame([], WRITTEN_TEXTS.schema)
    version = night.data_versions.get("gold.item_text", 0)
    for way, model in ways.items():
        same = before.where((F.col("kind") == way) & (F.col("model_version") == model))
        kept, wanted = unwritten(same, item_text, settings.max_items)
        write = _writes(way, settings, rivals, seed, night.settings.inference.threads, plain_encoder(night))
        new = wanted.mapInPandas(write, WRITTEN).withColumns({
            "kind": F.lit(way), "model_version": F.lit(model), "taught": F.lit(night.as_of),
            "seed": F.lit(seed).cast("bigint"), "source_version": F.lit(version).cast("bigint"),
        })  # fmt: skip
        every = every.unionByName(kept).unionByName(new.select(*WRITTEN_TEXTS.column_names))
    return every


def back_translated(text: str, there: Generator, back: Generator, most: int, seed: int) -> list[str]:
    """At most `most` distinct texts that came back from another language (Sennrich et al., ACL 2016)."""
    abroad = there.write(text, most, _TOKENS, sub_seed(seed, "there"))
    return sorted({t for n, other in enumerate(abroad) for t in back.write(other, 1, _TOKENS, sub_seed(seed, n))})


def _writes(
    way: str, settings: AugmentSettings, rivals: str, seed: int, threads: int, encoder: tuple[str, int]
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The mapInPandas function from items to variants; an item's depend on the seed and its text alone."""

    def write(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        tower, others = worker_tower(*encoder, threads), Rivals(rivals)
        anew = _way(way, settings)
        for batch in batches:
            rows: list[tuple[Any, ...]] = []
            for item_id, content_hash, text in batch[["item_id", "content_hash", "text"]].itertuples(index=False):
                found = set(anew(text, sub_seed(seed, way, content_hash))) - {text, ""}
                texts = sorted(found)
                ranks = others.ranks(tower, item_id, text, texts)
                rows += [(item_id, content_hash, t, 1, int(r)) for t, r in zip(texts, ranks, strict=True)]
            yield pd.DataFrame(rows, columns=COLUMNS)
        del anew
        give_back()

    return write


def _way(way: str, settings: AugmentSettings) -> Callable[[str, int], list[str]]:
    """What writes a text anew from a seed."""
    if way == BACK:
        there, back = read_generator(settings.there, THERE), read_generator(settings.back, HOME)
        return lambda text, seed: back_translated(text, there, back, settings.each, seed)
    share = {"typos": settings.typo_share, "missing": settings.missing_share}[way]
    return lambda text, seed: [
        NOISE[way](text, np.random.default_rng([seed, number]), share) for number in range(settings.each)
    ]
