"""Searches that nobody has typed yet, written for each item by a model of the shop's own searches."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.memory import give_back
from recsynth.model.folder import read_card, register, use_threads
from recsynth.model.text_generator import check_generator, fenced, read_generator
from recsynth.model.towers import TextTower
from recsynth.seeds import sub_seed
from recsynth.stage import Night
from recsynth.synthesis.finding import COLUMNS, WRITTEN, Rivals, unwritten
from recsynth.synthesis.plain_vectors import plain_encoder
from recsynth.synthesis.searches import known_searches, led
from recsynth.synthesis.text_settings import TextsSettings
from recsynth.synthesis.writer import (
    Example,
    fit_writer,
    read_writer,
    tower_of,
    write_writer,
)
from recsynth.tables.synthesis import WRITTEN_TEXTS

log = logging.getLogger(__name__)

SETTING = "synthesis.texts.generator"
PROMPT = "Write what a customer would type into the search box of a shop to find this item, in a few words."
QUERY = "query"
LIFT = 1.5
_CJK = "\u3040-\u30ff\u3400-\u9fff"
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+")


class Source(NamedTuple):
    """Who writes: the folder of a model, its version, and the as-of date whose night taught it."""

    folder: Path
    version: str
    taught: date


def write_queries(
    window_histories: DataFrame, item_text: DataFrame, before: DataFrame, rivals: str, night: Night
) -> DataFrame:
    """Rows of synthesis.written_texts: searches for each item, those of items that did not change as they were.

    before: rows of the night before; rivals: the folder of `Rivals`. The writer learns from searches before the
    earliest window alone, so that all later ones may judge it, and from none that fewer than least_users people typed.
    Empty where there are too few. Bounds: max_examples pairs on the driver, max_items items a night.
    Raises ModelError where synthesis.texts.generator is no folder of a model.
    """
    spark, settings = item_text.sparkSession, night.settings.synthesis.texts
    queries = before.where(F.col("kind") == QUERY)
    source = _in_use(queries, night) or _taught(window_histories, item_text, rivals, night)
    if source is None:
        return WRITTEN_TEXTS.empty(spark)
    kept, wanted = unwritten(queries.where(F.col("model_version") == source.version), item_text, settings.max_items)
    # Not of the night: an item of which nothing could be written is not tried with other dice every night.
    seed, version = sub_seed(night.settings.seed, source.version), night.data_versions.get("gold.window_histories", 0)
    write = _writes(str(source.folder), rivals, settings, seed, night.settings.inference.threads, plain_encoder(night))
    new = wanted.mapInPandas(write, WRITTEN).withColumns({
        "kind": F.lit(QUERY), "model_version": F.lit(source.version), "taught": F.lit(source.taught),
        "seed": F.lit(seed).cast("bigint"), "source_version": F.lit(version).cast("bigint"),
    })  # fmt: skip
    return kept.unionByName(new.select(*WRITTEN_TEXTS.column_names))


def examples(window_histories: DataFrame, item_text: DataFrame, night: Night) -> DataFrame:
    """Rows (query, item_id, text) that a writer may learn from: each pair once, each search by enough people."""
    cutoff = window_histories.agg(F.min("cutoff")).first()[0]  # type: ignore[index]
    earliest = window_histories.where(F.col("cutoff") == F.lit(cutoff))
    known = known_searches(earliest).where(F.col("users") >= night.settings.synthesis.texts.least_users)
    pairs = led(earliest, night.settings.silver.session_gap_minutes).select("query", "item_id").distinct()
    texts = item_text.where(F.col("first_seen") < F.lit(cutoff)).select("item_id", "text")
    return pairs.join(known.select("query"), on="query").join(texts, on="item_id")


def free_words(pairs: pd.DataFrame) -> list[str]:
    """Words that may be written of an item whose own text lacks them; pairs: (query, text).

    A word of a search that leads to items with that word more often than chance would have it (LIFT times) names what
    the item is, a colour or a brand: of another item it would be untrue. The others are people's own words for things.
    """
    texts = {text: set(words_of(text)) for text in pairs["text"]}
    held = Counter(w for words in texts.values() for w in words)
    said: Counter[str] = Counter()
    explained: Counter[str] = Counter()
    for query, text in zip(pairs["query"], pairs["text"], strict=True):
        words = set(words_of(query))
        said.update(words)
        explained.update(words & texts[text])
    return sorted(w for w, n in said.items() if explained[w] / n <= LIFT * held[w] / len(texts))


def words_of(text: str) -> list[str]:
    """Words in lower case; of Chinese and Japanese, signs.

    >>> words_of("Maple & Co, 杯子")
    ['maple', 'co', '杯', '子']
    """
    return _WORD.findall(text.lower())


def _in_use(before: DataFrame, night: Night) -> Source | None:
    """The configured model, or the one that wrote last, unless it is time for another.

    Raises ModelError where the configured one is no folder of a model: here, not once from each worker.
    """
    settings = night.settings.synthesis.texts
    if settings.generator:
        check_generator(settings.generator, SETTING)
        return Source(Path(settings.generator), f"generator-{Path(settings.generator).name}", night.as_of)
    last = before.where(F.col("model_version").startswith("writer-")).select("model_version", "taught").first()
    if last is None or night.as_of - last.taught >= timedelta(days=settings.retrain_days):
        return None
    folder = night.models / last.model_version
    return Source(folder, last.model_version, last.taught) if folder.is_dir() else None


def _taught(window_histories: DataFrame, item_text: DataFrame, rivals: str, night: Night) -> Source | None:
    """Teach a writer by the examples; None where they are too few. Bound on the driver: max_examples."""
    settings = night.settings.synthesis.texts
    every = examples(window_histories, item_text, night)
    seed = night.seed("write_texts", "fit")
    drawn = every.orderBy(F.xxhash64(F.lit(seed), "query", "item_id"), "query", "item_id").limit(settings.max_examples)
    pairs = drawn.toPandas()  # bound: max_examples
    if len(pairs) < settings.min_examples:
        log.info("no searches are written: %d pairs to learn from, fewer than %d", len(pairs), settings.min_examples)
        return None
    tower = tower_of(*plain_encoder(night))
    learned = pairs[Rivals(rivals).places(tower, pairs["query"], pairs["item_id"]) <= settings.learn_within]
    log.info("%d of %d pairs of a search and an item agree and are learned from", len(learned), len(pairs))
    if len(learned) < settings.min_examples:
        return None
    writer = fit_writer([Example(t, q) for t, q in zip(learned["text"], learned["query"], strict=True)], tower,
                        settings.writer, seed)  # fmt: skip
    card = {"settings": settings.writer.model_dump(mode="json"), "encoder": night.settings.training.encoder,
            "max_tokens": tower.max_tokens, "words": free_words(learned), "seed": seed}  # fmt: skip
    version = register("writer", lambda folder: write_writer(writer, folder, card), night.work / "writer", night.models)
    del tower
    give_back()
    return Source(night.models / version, version, night.as_of)


def _writes(
    folder: str, rivals: str, settings: TextsSettings, seed: int, threads: int, encoder: tuple[str, int]
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The mapInPandas function from items to written texts; an item's depend on the seed and its text alone."""

    def write(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        draw, tower, words = _drawing(folder, settings, threads, encoder)
        others = Rivals(rivals)
        for batch in batches:
            rows: list[tuple[Any, ...]] = []
            for item_id, content_hash, text in batch[["item_id", "content_hash", "text"]].itertuples(index=False):
                drawn = [" ".join(t.lower().split()) for t in draw(text, sub_seed(seed, content_hash))]
                known = None if words is None else words | set(words_of(text))
                counts = pd.Series([t for t in drawn if is_said(t, known)], dtype=object).value_counts()
                texts = sorted(counts.index)
                ranks = others.ranks(tower, item_id, text, texts)
                rows += [(item_id, content_hash, t, int(counts[t]), int(r)) for t, r in zip(texts, ranks, strict=True)]
            yield pd.DataFrame(rows, columns=COLUMNS)
        del draw, tower
        give_back()

    return write


def is_said(text: str, known: Collection[str] | None) -> bool:
    """Whether a text is words, all of them known where it is known which there are."""
    words = words_of(text)
    return bool(words) and (known is None or all(w in known for w in words))


def _drawing(
    folder: str, settings: TextsSettings, threads: int, encoder: tuple[str, int]
) -> tuple[Callable[[str, int], list[str]], TextTower, frozenset[str] | None]:
    """What draws texts from a source text and a seed, the encoder beside it, and `free_words` where there are any."""
    use_threads(threads)
    if settings.generator:
        model = read_generator(settings.generator, SETTING)

        def generated(text: str, seed: int) -> list[str]:
            prompt = f"{PROMPT}\n{fenced({'item': text})}\nsearch:"
            return model.write(prompt, settings.draws, settings.writer.most_tokens, seed)

        return generated, tower_of(*encoder), None
    writer = read_writer(Path(folder))

    def written(text: str, seed: int) -> list[str]:
        return writer.write(writer.read([text])[0], settings.draws, seed)

    return written, writer.tower, frozenset(read_card(Path(folder))["words"])
