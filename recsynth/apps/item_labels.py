"""Item labels: values of fields found in an item's own words, and the category that they speak for."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.apps.classify import classifier_in_use, labels_by
from recsynth.apps.item_words import ANY, CATEGORY, item_words, occurrences, recorded_spans
from recsynth.apps.tagger import Marked, Span, fit_tagger, read_tagger
from recsynth.apps.tagging import tagged, written_tagger
from recsynth.apps.teaching import STAGE, Task, Taught, is_due
from recsynth.measure.spans import span_scores
from recsynth.stage import Night
from recsynth.tables.output import ITEM_LABELS
from recsynth.texts import is_held_out

log = logging.getLogger(__name__)

FIELDS = "item_fields"
CATEGORIES = Task("item_category")
NEW, BEFORE, DICTIONARY = "challenger", "champion", "known_values"


def teach_tagger(items: DataFrame, classifiers: DataFrame, night: Night) -> Taught:
    """Teach a tagger by items whose words hold a recorded value, and keep it only if it beats the one in use.

    items: silver.items. A tenth of the items, by the hash of their words, is never learned from in any night: there
    challenger, champion and a dictionary of known values are judged by exact spans, and all of them on values alone
    that no record learned from has. Bound on the driver: max_texts items, max_values values of a field.
    """
    settings = night.settings.apps.labels
    if not is_due(classifiers, FIELDS, settings.retrain_days, night):
        return Taught([], [])
    words = item_words(items).where(F.size("fields") > 0).groupBy("content_hash", "text")
    # Of records that share their words one is kept, by a rule that no order of rows can change.
    drawn = words.agg(F.min_by("fields", F.to_json("fields")).alias("fields"))
    rows = drawn.orderBy(F.xxhash64(F.lit(night.seed(FIELDS)), "content_hash"), "content_hash").limit(
        settings.max_texts
    )
    judged = is_held_out(F.col("content_hash"))
    learn, judge = (rows.where(c).orderBy("content_hash").toPandas() for c in (~judged, judged))
    known = _known_values(learn["fields"].tolist(), settings.max_values)
    lessons = [_lesson(part, known) for part in (learn, judge)]
    fields = sorted({s.field for spans in lessons[0].spans for s in spans if s.field != ANY})
    if len(lessons[0].texts) < settings.min_items or not lessons[1].texts:
        log.info("no tagger: %d items of %d whose words hold a value", len(lessons[0].texts), settings.min_items)
        return Taught([], [])
    tagger = fit_tagger(*lessons[0], fields, settings.tagger, night.seed(FIELDS, "fit"))
    texts = lessons[1].texts
    found = {NEW: tagger.spans(texts, settings.tagger.batch_size),
             DICTIONARY: [[s for f in fields for s in occurrences(t, f, known[f])] for t in texts]}  # fmt: skip
    before = classifier_in_use(classifiers, FIELDS)
    if before is not None:
        found[BEFORE] = read_tagger(night.models.parent / before.path).spans(texts)
    seen = {(f, v.lower()) for f, values in known.items() for v in values}
    metrics = [(STAGE, metric, model, FIELDS, value, None, None, n)
               for model, spans in found.items() for metric, value, n in figures(spans, lessons[1], seen)]  # fmt: skip
    f1 = {model: value for _, metric, model, _, value, *_ in metrics if metric == "span_f1"}
    is_champion = f1[NEW] >= f1.get(BEFORE, 0.0)
    log.info("%s: span F1 %s; champion: %s", FIELDS, {k: round(v, 4) for k, v in f1.items()}, is_champion)
    what = written_tagger(tagger, FIELDS, settings.tagger, night)
    row = (*what, fields, len(lessons[0].texts), {f"span_f1_{k}": v for k, v in f1.items()}, is_champion)
    return Taught([row], metrics)


def figures(
    found: Sequence[Sequence[Span]], judged: Marked, seen: set[tuple[str, str]]
) -> list[tuple[str, float, int]]:
    """span_precision, span_recall, span_f1, and unseen_recall: of values that no record learned from has.

    A span where the record has no value of its field is neither right nor wrong.
    """
    true = [{s[:3] for s in spans if s.field != ANY} for spans in judged.spans]
    recorded = [{s.field for s in spans if s.field != ANY} for spans in judged.spans]
    said = [{s[:3] for s in spans if s.field in there} for spans, there in zip(found, recorded, strict=True)]
    precision, recall, f1, there = span_scores(said, true)
    new = [{s for s in spans if (s[0], text[s[1] : s[2]].lower()) not in seen}
           for spans, text in zip(true, judged.texts, strict=True)]  # fmt: skip
    _, unseen, _, rare = span_scores([s & n for s, n in zip(said, new, strict=True)], new)
    rows = [("span_precision", precision, there), ("span_recall", recall, there), ("span_f1", f1, there)]
    return rows + ([("unseen_recall", unseen, rare)] if rare else [])


def labelled_items(items: DataFrame) -> DataFrame:
    """Distinct (text, label) of items with a category: what its classifier is taught by."""
    known = item_words(items).where("category is not null")
    return known.groupBy("text").agg(F.max("category").alias("label"))


def item_labels(
    items: DataFrame, classifiers: DataFrame, text_labels: DataFrame, item_labels: DataFrame, night: Night
) -> DataFrame:
    """The best value of each field that an item's words hold, and its category, marked where the record lacks it.

    Reads silver.items, model.classifiers, model.text_labels and output.item_labels of the night before (words that
    the tagger in use has read are not read again); writes output.item_labels. A value is spelled as most records
    spell it.
    """
    settings, spark = night.settings.apps.labels, items.sparkSession
    if not settings.enabled:
        return ITEM_LABELS.empty(spark)
    words = item_words(items).persist()
    parts = []
    if (tagger := classifier_in_use(classifiers, FIELDS)) is not None:
        last = item_labels.agg(F.max("run_date")).first()
        before = item_labels.where(F.col("run_date") == F.lit(last[0] if last else None))
        before = before.where(F.col("model_version") == tagger.model_version)
        parts.append(_of_fields(words, before, tagger.model_version, night.models.parent / tagger.path, night))
    best = classifier_in_use(classifiers, CATEGORIES.name)
    if (said := labels_by(best, text_labels)) is not None and best is not None:
        parts.append(_of_category(words, said, best.model_version))
    nothing = ITEM_LABELS.empty(spark)
    return parts[0].union(parts[1]) if len(parts) == 2 else parts[0] if parts else nothing


def _of_fields(words: DataFrame, before: DataFrame, version: str, folder: Path, night: Night) -> DataFrame:
    size, threads = night.settings.apps.labels.tagger.batch_size, night.settings.inference.threads
    known = before.select("content_hash", "field", "start", "words", "confidence").distinct()
    texts = words.select("content_hash", "text").dropDuplicates(["content_hash"])
    unread = texts.join(known, on="content_hash", how="left_anti")
    found = tagged(unread, folder, size, threads).persist().union(known)
    spellings = words.select(F.explode("fields").alias("field", "value"))
    counted = spellings.groupBy("field", F.lower("value").alias("plain"), "value").count()
    usual = counted.groupBy("field", "plain").agg(F.max_by("value", F.struct("count", "value")).alias("spelled"))
    # Of several values the surest, then the first in the text.
    order = F.struct("confidence", -F.col("start"))
    one = words.join(found, on="content_hash", how="inner").groupBy("item_id", "field").agg(
        F.max_by(F.struct("words", "confidence", "start", "title_length", "content_hash", "fields"), order).alias("b")
    )  # fmt: skip
    made = one.select("item_id", "field", "b.*").withColumn("plain", F.lower("words"))
    recorded = F.col("fields")[F.col("field")]
    value = F.coalesce("spelled", "words")
    return made.join(usual, on=["field", "plain"], how="left").select(
        "item_id", "field", value.alias("value"), "words",
        F.when(F.col("start") < F.col("title_length"), "title").otherwise("description").alias("found_in"), "start",
        "confidence", recorded.isNull().alias("is_inferred"), recorded.alias("recorded"), "content_hash",
        F.lit(version).alias("model_version"),
    )  # fmt: skip


def _of_category(words: DataFrame, said: DataFrame, version: str) -> DataFrame:
    labelled = words.join(said.withColumnRenamed("words", "evidence"), on="content_hash", how="inner")
    return labelled.select(
        "item_id", F.lit(CATEGORY).alias("field"), F.col("label").alias("value"),
        F.array_join("evidence", ", ").alias("words"), F.lit("text").alias("found_in"), F.lit(0).alias("start"),
        F.col("probabilities")[F.col("label")].alias("confidence"),
        F.col("category").isNull().alias("is_inferred"), F.col("category").alias("recorded"), "content_hash",
        F.lit(version).alias("model_version"),
    )  # fmt: skip


def _known_values(records: Sequence[Mapping[str, str]], most: int) -> dict[str, list[str]]:
    """The `most` frequent values of each field, as records spell them."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for fields in records:
        for field, value in dict(fields).items():
            counted[field][value.strip()] += 1
    return {
        field: sorted(counts, key=lambda v, c=counts: (-c[v], v))[:most]  # type: ignore[misc]
        for field, counts in sorted(counted.items())
    }


def _lesson(rows: pd.DataFrame, known: Mapping[str, Sequence[str]]) -> Marked:
    """Items whose words hold a value of their record."""
    marked = [(t, recorded_spans(t, dict(f), known)) for t, f in zip(rows["text"], rows["fields"], strict=True)]
    kept = [(text, spans) for text, spans in marked if any(s.field != ANY for s in spans)]
    return Marked([text for text, _ in kept], [spans for _, spans in kept])
