"""What reviews speak of besides the aspects that are listed: words that a tagger finds in them, taught by examples."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.apps.classify import classifier_in_use
from recsynth.apps.item_words import occurrences
from recsynth.apps.tagger import Marked, Span, fit_tagger, read_tagger
from recsynth.apps.tagging import tagged, written_tagger
from recsynth.apps.teaching import BEFORE, NEW, STAGE, Taught, is_due
from recsynth.apps.text_settings import SentimentSettings
from recsynth.errors import InputError
from recsynth.measure.spans import span_scores
from recsynth.seeds import sub_seed
from recsynth.stage import Night
from recsynth.texts import is_held_out

log = logging.getLogger(__name__)

ASPECTS, ASPECT, DICTIONARY = "aspects", "aspect", "known_words"


def read_examples(path: Path, most: int) -> Marked:
    """Sentences of a JSON Lines file, {"text": ..., "aspects": [words, ...]}, and where in each its aspects stand.

    Words that do not stand in their sentence mark nothing. Raises InputError, with file and line, for anything else,
    and for more than `most` sentences: all are held in memory.
    """
    if not path.is_file():
        raise InputError(f"apps.sentiment.aspect_examples {path}", "a file of JSON Lines", "none")
    texts: list[str] = []
    spans: list[list[Span]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            text, words = row["text"], row["aspects"]
            is_right = isinstance(text, str) and isinstance(words, list) and all(isinstance(w, str) for w in words)
        except (ValueError, KeyError, TypeError):
            is_right = False
        if len(texts) == most:
            raise InputError(f"{path} line {number}", f"at most {most} examples (max_texts)", "another one")
        if not is_right:
            raise InputError(f"{path} line {number}", '{"text": ..., "aspects": [words, ...]}', line[:80])
        texts.append(text)
        spans.append(occurrences(text, ASPECT, [w for w in words if w.strip()]))
    return Marked(texts, spans)


def check_examples(settings: SentimentSettings) -> None:
    """Raise InputError where examples are asked for and are not there or none: before a night begins, not in it."""
    if settings.enabled and settings.aspect_examples:
        read_examples(Path(settings.aspect_examples), settings.max_texts)


def teach_aspects(reviews: DataFrame, classifiers: DataFrame, night: Night) -> Taught:
    """Teach a tagger by the examples, and find with it what the shop's own reviews speak of.

    reviews: (event_id, text) of those looked at. A tenth of the examples, by hash, is learned from in no night: there
    challenger, champion and a dictionary of the words learned from are judged by exact spans. `classes` of its row are
    the words that least_reviews reviews name; where the challenger loses, the champion's stay. Bound on the driver:
    max_texts examples, as many reviews are read.
    """
    settings = night.settings.apps.sentiment
    if not settings.aspect_examples or not is_due(classifiers, ASPECTS, settings.retrain_days, night):
        return Taught([], [])
    learn, judge = _sides(read_examples(Path(settings.aspect_examples), settings.max_texts), reviews)
    if len(learn.texts) < settings.min_each or not any(judge.spans):
        log.info("no aspects: %d examples to learn from, %d to judge by", len(learn.texts), len(judge.texts))
        return Taught([], [])
    # The same examples give the same tagger in every night: what it finds is then of tonight's reviews.
    tagger = fit_tagger(*learn, [ASPECT], settings.aspect_tagger, sub_seed(night.settings.seed, ASPECTS))
    size, least = settings.aspect_tagger.batch_size, settings.aspect_chance
    found = {NEW: tagger.spans(judge.texts, size, least), DICTIONARY: by_dictionary(learn, judge.texts)}
    before = classifier_in_use(classifiers, ASPECTS)
    if before is not None:
        found[BEFORE] = read_tagger(night.models.parent / before.path).spans(judge.texts, size, least)
    scores = {model: scored(spans, judge.spans) for model, spans in found.items()}
    metrics = [(STAGE, metric, model, ASPECTS, value, None, None, there)
               for model, (*values, there) in scores.items()
               for metric, value in zip(("span_precision", "span_recall", "span_f1"), values, strict=True)]  # fmt: skip
    f1 = {model: score[2] for model, score in scores.items()}
    is_champion = f1[NEW] >= f1.get(BEFORE, 0.0)
    what = written_tagger(tagger, ASPECTS, settings.aspect_tagger, night)
    words = _words_of(reviews, night.models / what[1], night) if is_champion else []
    log.info("%s: span F1 %s; champion: %s; found: %s", ASPECTS, f1, is_champion, ", ".join(words))
    row = (*what, words, len(learn.texts), {f"span_f1_{k}": v for k, v in f1.items()}, is_champion)
    return Taught([row], metrics)


def found_aspects(classifiers: DataFrame, settings: SentimentSettings) -> list[str]:
    """Words of aspects that no list has, by the tagger in use; none where no examples are asked for any more."""
    best = classifier_in_use(classifiers, ASPECTS) if settings.aspect_examples else None
    return list(best.classes) if best is not None else []


def by_dictionary(learn: Marked, texts: Sequence[str]) -> list[list[Span]]:
    """What a dictionary of the words learned from finds: what a tagger has to beat."""
    known = {text[s.start : s.end].lower() for text, spans in zip(learn.texts, learn.spans, strict=True) for s in spans}
    return [occurrences(text, ASPECT, sorted(known)) for text in texts]


def scored(found: Sequence[Sequence[Span]], true: Sequence[Sequence[Span]]) -> tuple[float, float, float, int]:
    """Precision, recall and F1 of exact spans, and how many there are."""
    said, there = ([{s[:3] for s in spans} for spans in side] for side in (found, true))
    return span_scores(said, there)


def _sides(examples: Marked, reviews: DataFrame) -> tuple[Marked, Marked]:
    """Examples to learn from and to judge by, by the hash that no classifier learns from either."""
    rows = reviews.sparkSession.createDataFrame(list(enumerate(examples.texts)), "row long, text string")
    held = {r.row for r in rows.where(is_held_out(F.col("text"))).select("row").collect()}  # bound: max_texts
    return tuple(
        Marked([examples.texts[n] for n in side], [examples.spans[n] for n in side])
        for side in ([n for n in range(len(examples.texts)) if (n in held) is judged] for judged in (False, True))
    )  # type: ignore[return-value]


def _words_of(reviews: DataFrame, folder: Path, night: Night) -> list[str]:
    """Words that the tagger finds in many reviews and that no list has, the frequent ones first."""
    settings = night.settings.apps.sentiment
    drawn = reviews.withColumn("content_hash", F.sha2("text", 256)).orderBy(
        F.xxhash64(F.lit(night.seed(ASPECTS)), "event_id"), "event_id"
    ).limit(settings.max_texts).persist()  # fmt: skip
    texts = drawn.select("content_hash", "text").dropDuplicates(["content_hash"])
    size, threads = settings.aspect_tagger.batch_size, night.settings.inference.threads
    found = tagged(texts, folder, size, threads, settings.aspect_chance)
    said = drawn.join(found, on="content_hash").select(F.trim(F.lower("words")).alias("words"), "event_id")
    listed = {word.lower() for words in settings.aspects.values() for word in words} | set(settings.aspects)
    counted = said.groupBy("words").agg(F.count_distinct("event_id").alias("reviews"))
    often = counted.where((F.col("reviews") >= settings.least_reviews) & ~F.col("words").isin(sorted(listed)))
    # Words alone: what has a mark in it, such as a web address, names nothing.
    named = often.where(F.col("words").rlike(r"^[\p{L}\p{N}][\p{L}\p{N} '-]*$"))
    rows = named.orderBy(F.desc("reviews"), "words").limit(settings.most_found).collect()
    return [r.words for r in rows]
