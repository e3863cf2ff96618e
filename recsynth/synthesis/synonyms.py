"""Words of the catalogue that mean nearly the same to the pretrained language model, and texts that say them instead.

Source of the idea: synonym replacement, Wei and Zou, EDA, EMNLP 2019; here the shop's own words instead of WordNet's.
A word that likeness alone would take for another (red for blue) is not taken where the catalogue itself tells the two
apart: where an item's text with the one in the place of the other is the text of another item.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from recsynth.stage import Night
from recsynth.synthesis.plain_vectors import plain_encoder, worker_tower
from recsynth.synthesis.text_settings import AugmentSettings

_PAIRS = "word string, other string, place int"
_WORD = re.compile(r"\b[^\W\d_]{3,}\b")
# What stands further down than this is rarely near: a word has few that mean the same.
_NEAREST = 5


def read_synonyms(item_text: DataFrame, settings: AugmentSettings, night: Night) -> dict[str, list[str]]:
    """Words in lower case with those that may stand for them, the nearest first.

    Bounds: max_words words, the commonest, in one task and on the driver, and the square of them in that task.
    """
    pairs = _nearest(item_text, settings, night).persist()
    apart = told_apart(pairs.select("word", "other"), item_text)
    kept = pairs.join(F.broadcast(apart), on=["word", "other"], how="left_anti").toPandas()  # bound: as above
    pairs.unpersist()
    ordered = kept.sort_values(["word", "place"])
    return {str(word): of_word["other"].tolist() for word, of_word in ordered.groupby("word")}


def told_apart(pairs: DataFrame, item_text: DataFrame) -> DataFrame:
    """The (word, other) pairs of `pairs` that tell items apart: a text with the one for the other is another's text."""
    said = item_text.select(_tokens().alias("tokens")).distinct()
    at = said.select("tokens", F.posexplode("tokens").alias("at", "word")).join(F.broadcast(pairs), on="word")
    swapped = F.transform("tokens", lambda token, n: F.when(n == F.col("at"), F.col("other")).otherwise(token))
    found = at.select("word", "other", swapped.alias("tokens")).join(said, on="tokens", how="left_semi")
    return found.select("word", "other").distinct()


def with_synonyms(text: str, rng: np.random.Generator, share: float, known: Mapping[str, Sequence[str]]) -> str:
    """Each word that has synonyms said by one of them with this chance, in capitals where the word was.

    >>> with_synonyms("RED Mug by Ora", np.random.default_rng(0), 1.0, {"mug": ["cup"]})
    'RED Cup by Ora'
    """

    def said(found: re.Match[str]) -> str:
        word = found.group()
        others = known.get(word.lower())
        if not others or rng.random() >= share:
            return word
        other = others[int(rng.integers(len(others)))]
        return other.upper() if word.isupper() else other.capitalize() if word[0].isupper() else other

    return _WORD.sub(said, text)


def _nearest(item_text: DataFrame, settings: AugmentSettings, night: Night) -> DataFrame:
    """Rows (word, other, place): of each of the commonest words those that are likest to it."""
    counted = item_text.select(F.explode(F.array_distinct(_tokens())).alias("word")).groupBy("word").count()
    spelled = counted.where(F.col("word").rlike(r"^\p{L}{3,}$")).orderBy(F.desc("count"), "word")
    # One task, in order: what is encoded in other company differs in its last digits, and so would a threshold.
    words = spelled.limit(settings.max_words).select("word", F.lit("all").alias("one"))
    find = _likest(plain_encoder(night), night.settings.inference.threads, settings.synonym_likeness)
    return words.groupBy("one").applyInPandas(find, _PAIRS)


def _likest(encoder: tuple[str, int], threads: int, least: float) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def find(rows: pd.DataFrame) -> pd.DataFrame:
        words = np.sort(rows["word"].to_numpy(object))
        vectors_WD = worker_tower(*encoder, threads).encode_plain(words.tolist())
        units_WD = vectors_WD / np.linalg.norm(vectors_WD, axis=1, keepdims=True).clip(min=1e-9)
        found: list[tuple[str, str, int]] = []
        for at, word in enumerate(words):
            likeness_W = units_WD @ units_WD[at]
            likeness_W[at] = -1.0
            best = np.argsort(-likeness_W, kind="stable")[:_NEAREST]
            found += [(word, words[n], place) for place, n in enumerate(best) if likeness_W[n] >= least]
        return pd.DataFrame(found, columns=["word", "other", "place"])

    return find


def _tokens() -> Column:
    """A text's words and numbers in lower case, in order."""
    return F.regexp_extract_all(F.lower("text"), F.lit(r"[\p{L}\p{N}]+"), F.lit(0))
