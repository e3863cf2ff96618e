"""The same item in other words: mistyped, in part, by synonyms, guessed words, paraphrase, or there and back again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.memory import give_back
from recsynth.model.text_generator import Generator, check_generator, fenced, read_generator
from recsynth.model.word_guesser import read_guesser
from recsynth.seeds import sub_seed
from recsynth.stage import Night
from recsynth.synthesis.finding import COLUMNS, WRITTEN, Rivals, unwritten
from recsynth.synthesis.noise import NOISE
from recsynth.synthesis.plain_vectors import plain_encoder, worker_tower
from recsynth.synthesis.synonyms import read_synonyms, with_synonyms
from recsynth.synthesis.text_settings import AugmentSettings
from recsynth.tables.synthesis import WRITTEN_TEXTS

TYPOS, MISSING, SYNONYMS = "typos", "missing", "synonyms"
INFILL, PARAPHRASE, BACK = "infill", "paraphrase", "back_translation"
# Of each way that needs models: the settings that name their folders.
FOLDERS = {INFILL: ("guesser",), PARAPHRASE: ("paraphraser",), BACK: ("there", "back")}
PROMPT = "Say in other words what the record says of an item, and nothing else."
_TOKENS = 128

Anew = Callable[[str, int], list[str]]
"""From a text and a seed to the text in other words."""


def write_variants(item_text: DataFrame, before: DataFrame, rivals: str, night: Night) -> DataFrame:
    """Rows of synthesis.written_texts: for each way an item's text written anew, of items that changed.

    before: rows of the night before; rivals: the folder of `Rivals`. Raises ModelError where a folder that
    synthesis.augment names holds no model.
    """
    settings, seed = night.settings.synthesis.augment, sub_seed(night.settings.seed, "variants")
    every = WRITTEN_TEXTS.empty(item_text.sparkSession)
    version = night.data_versions.get("gold.item_text", 0)
    for way, model in _ways(settings, night.settings.training.encoder).items():
        same = before.where((F.col("kind") == way) & (F.col("model_version") == model))
        kept, wanted = unwritten(same, item_text, settings.max_items)
        is_needed = way == SYNONYMS and not wanted.isEmpty()
        known = read_synonyms(item_text, settings, night) if is_needed else {}
        anew = partial(_anew, way, settings, known)
        write = _writes(way, anew, rivals, seed, night.settings.inference.threads, plain_encoder(night))
        new = wanted.mapInPandas(write, WRITTEN).withColumns({
            "kind": F.lit(way), "model_version": F.lit(model), "taught": F.lit(night.as_of),
            "seed": F.lit(seed).cast("bigint"), "source_version": F.lit(version).cast("bigint"),
        })  # fmt: skip
        every = every.unionByName(kept).unionByName(new.select(*WRITTEN_TEXTS.column_names))
    return every


def _ways(settings: AugmentSettings, encoder: str) -> dict[str, str]:
    """The ways that are in use, and what of the settings their texts depend on: with other settings all are anew."""
    each = settings.each
    noise = f"noise-{settings.typo_share}-{settings.missing_share}-{each}"
    synonyms = f"synonyms-{encoder}-{settings.synonym_share}-{settings.synonym_likeness}-{settings.max_words}-{each}"
    found = {str(way): synonyms if way == SYNONYMS else noise for way in settings.ways}
    for way, names in FOLDERS.items():
        folders = {name: str(getattr(settings, name)) for name in names}
        if all(folders.values()):
            for name, folder in folders.items():
                check_generator(folder, _setting(name))
            drawn = [str(settings.infill_share), str(settings.infill_top_p)] if way == INFILL else []
            found[way] = "-".join(["generator", *folders.values(), *drawn])
    return found


def _setting(name: str) -> str:
    return f"synthesis.augment.{name}"


def back_translated(text: str, there: Generator, back: Generator, most: int, seed: int) -> list[str]:
    """At most `most` distinct texts that came back from another language (Sennrich et al., ACL 2016)."""
    abroad = there.write(text, most, _TOKENS, sub_seed(seed, "there"))
    return sorted({t for n, other in enumerate(abroad) for t in back.write(other, 1, _TOKENS, sub_seed(seed, n))})


def _writes(
    way: str, anew: Callable[[], Anew], rivals: str, seed: int, threads: int, encoder: tuple[str, int]
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The mapInPandas function from items to variants; an item's depend on the seed, its text and what `anew` knows."""

    def write(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        tower, others = worker_tower(*encoder, threads), Rivals(rivals)
        of_text = anew()
        for batch in batches:
            rows: list[tuple[Any, ...]] = []
            for item_id, content_hash, text in batch[["item_id", "content_hash", "text"]].itertuples(index=False):
                found = set(of_text(text, sub_seed(seed, way, content_hash))) - {text, ""}
                texts = sorted(found)
                ranks = others.ranks(tower, item_id, text, texts)
                rows += [(item_id, content_hash, t, 1, int(r)) for t, r in zip(texts, ranks, strict=True)]
            yield pd.DataFrame(rows, columns=COLUMNS)
        del of_text
        give_back()

    return write


def _anew(way: str, settings: AugmentSettings, known: Mapping[str, Sequence[str]]) -> Anew:
    """What writes a text anew, with its models read; known: the synonyms."""
    if way == BACK:
        there, back = (read_generator(getattr(settings, name), _setting(name)) for name in FOLDERS[BACK])
        return lambda text, seed: back_translated(text, there, back, settings.each, seed)
    if way == PARAPHRASE:
        writer = read_generator(settings.paraphraser, _setting("paraphraser"))
        return lambda text, seed: writer.write(paraphrase_prompt(text), settings.each, _TOKENS, seed)
    if way == INFILL:
        fill = read_guesser(settings.guesser, _setting("guesser")).fill
        return _each(lambda text, rng: fill(text, settings.infill_share, settings.infill_top_p, rng), settings.each)
    if way == SYNONYMS:
        return _each(lambda text, rng: with_synonyms(text, rng, settings.synonym_share, known), settings.each)
    share = {TYPOS: settings.typo_share, MISSING: settings.missing_share}[way]
    return _each(lambda text, rng: NOISE[way](text, rng, share), settings.each)


def paraphrase_prompt(text: str) -> str:
    """What a model is asked for a paraphrase; the text is data within."""
    return f"{PROMPT}\n{fenced({'item': text})}\nin other words:"


def _each(once: Callable[[str, np.random.Generator], str], each: int) -> Anew:
    return lambda text, seed: [once(text, np.random.default_rng([seed, number])) for number in range(each)]
