"""The stage that writes reviews, questions and opinions that nobody wrote, each kind with its verdict."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from recsynth.stage import Frames, Night
from recsynth.synthesis.label_judge import (
    METRICS,
    Texts,
    judged,
    keeps_label,
    reference,
    says_nobodys_words,
    shuffled,
)
from recsynth.synthesis.label_settings import LabelledTextSettings
from recsynth.synthesis.label_texts import (
    HELD,
    LEARN,
    MADE,
    SOURCES,
    draw,
    in_use,
    known_words,
    plain,
    rare_texts,
    split_texts,
    teach_writer,
    told_texts,
)
from recsynth.synthesis.queries import words_of
from recsynth.synthesis.verdict import REAL, Rules, judgement, report_rows
from recsynth.tables.synthesis import SYNTHETIC_TEXTS, TEXTS_REPORT
from recsynth.tables.table import RUN_DATE
from recsynth.texts import is_held_out

log = logging.getLogger(__name__)

WRITER, DEALT = "writer", "writer_shuffled"
RULES = Rules(
    METRICS,
    {
        "label_kept": (True, lambda s, real: s.label_kept_of_real_at_least * real),
        "length": (True, lambda s, real: s.likeness_of_real_at_least * real),
        "words": (True, lambda s, real: s.likeness_of_real_at_least * real),
        "distinct_2": (True, lambda s, real: s.distinct_of_real_at_least * real),
        "repeats": (False, lambda s, real: real + s.repeats_more_at_most),
        "transfer": (True, lambda s, real: s.transfer_of_real_at_least * real),
        "copied": (False, lambda s, real: s.copied_at_most),
    },
    ("label_kept", "length", "words", "distinct_2", "transfer"),
)
_WRITTEN = ("kind", "label", "sentiment", "text", "draws", "model_version", "taught", "seed", "source_version")
_SIDED = ("kind", "side", "condition", "text", "people")


def synthesise_texts(
    reviews: DataFrame, tickets: DataFrame, posts: DataFrame, click_farms: DataFrame, synthetic_texts: DataFrame,
    night: Night,
) -> Frames:  # fmt: skip
    """Write texts for each label that people's texts have, judge them, and keep those of the night before meanwhile.

    Reads silver.reviews (stars are labels, but those of gold.click_farms), silver.tickets (intents), silver.posts
    (topics with sentiments) and synthesis.synthetic_texts of earlier nights; writes synthesis.synthetic_texts and
    texts_report, and a writer a kind below _models. A writer learns from no text that is_held_out: those judge it, and
    the classifiers that may learn from what it wrote. Bounds: max_texts texts a kind and side on the driver or in one
    task, max_labels labels a kind.
    """
    spark, settings = reviews.sparkSession, night.settings.synthesis
    written = SYNTHETIC_TEXTS.empty(spark)
    report: list[tuple[object, ...]] = []
    if settings.enabled and settings.labelled.enabled:
        every = told_texts(reviews, tickets, posts, click_farms, night).persist()
        newest = synthetic_texts.agg(F.max(RUN_DATE)).first()[0]  # type: ignore[index]
        before = synthetic_texts.where(F.col(RUN_DATE) == F.lit(newest))
        sides = split_texts(every, settings.labelled, night.seed("labelled")).persist()
        counted = {(r.kind, r.side): r["count"] for r in sides.groupBy("kind", "side").count().collect()}
        told = {r.kind: r["count"] for r in every.groupBy("kind").count().collect()}  # bound: three
        for kind in settings.labelled.kinds:
            if kind not in told:
                continue  # of a kind that the shop does not have, nothing is missed
            found = [counted.get((kind, side), 0) for side in (LEARN, HELD)]
            own, own_sides, own_before = (rows.where(F.col("kind") == kind) for rows in (every, sides, before))
            batch = _batch(kind, own, own_sides, own_before, night) if min(found) else None
            if batch is None:
                report.append(_reason(kind, told[kind], found, settings.labelled))
                continue
            made, of_kind = _with_verdict(kind, batch, own, own_sides, night)
            written, report = written.unionByName(made), report + of_kind
    return {"synthetic_texts": written, "texts_report": spark.createDataFrame(report, TEXTS_REPORT.schema)}


def _batch(kind: str, every: DataFrame, sides: DataFrame, before: DataFrame, night: Night) -> DataFrame | None:
    """The texts of a kind before their verdict: those of the night before, or of a writer taught tonight."""
    settings, learn = night.settings.synthesis.labelled, sides.where(F.col("side") == LEARN)
    if in_use(before, night) is not None:
        return before.select(*_WRITTEN)
    words = known_words(every.where(~is_held_out(F.col("text"))), settings)
    source = teach_writer(kind, learn, words, night)
    if source is None:
        return None
    seed, version = night.seed("labelled", kind), night.data_versions.get(SOURCES[kind], 0)
    labels = learn.select("kind", "label", "sentiment").distinct()
    # One text under two labels would be a label that is wrong: it goes to the one that it was drawn of more often.
    order = F.struct("draws", "label", "sentiment")
    drawn = draw(labels, source.version, seed, night).groupBy("kind", "text").agg(F.max(order).alias("of"))
    kept = _kept(drawn.select("kind", "text", "of.*"), learn, settings)
    return kept.withColumns({
        "model_version": F.lit(source.version), "taught": F.lit(source.taught), "seed": F.lit(seed).cast("bigint"),
        "source_version": F.lit(version).cast("bigint"),
    }).select(*_WRITTEN)  # fmt: skip


def _with_verdict(
    kind: str, batch: DataFrame, every: DataFrame, sides: DataFrame, night: Night
) -> tuple[DataFrame, list[tuple[object, ...]]]:
    """Rows of synthetic_texts and of texts_report of one kind."""
    settings = night.settings.synthesis.labelled
    words = batch.withColumn("plain", plain(F.col("text"))).persist()
    rare = rare_texts(every, settings)
    made = words.join(rare, on="plain", how="left_anti").drop("plain").persist()
    figures = _judged(kind, made, sides, settings, night.seed("labelled", "judge"))
    copies = float(words.join(rare, on="plain", how="left_semi").count())
    copied = pd.DataFrame([(WRITER, "copies", copies)], columns=figures.columns)
    report = report_rows(pd.concat([figures, copied], ignore_index=True), settings.gate, RULES)
    verdict, weight = judgement(report, WRITER, "share")
    log.info("%s texts: %s; %s", kind, verdict, ", ".join(f"{r[1]} {r[3]}" for r in report if r[0] == WRITER))
    rows = made.withColumns({
        "generator": F.lit(WRITER), "verdict": F.lit(verdict), "training_weight": F.lit(weight),
    })  # fmt: skip
    return rows.select(*SYNTHETIC_TEXTS.column_names), [(kind, *row) for row in report]


def _condition() -> Column:
    return F.concat_ws("/", "label", "sentiment").alias("condition")


def _kept(drawn: DataFrame, learn: DataFrame, settings: LabelledTextSettings) -> DataFrame:
    """Texts that keep their label and say nobody's words, of each label those drawn most often; one task a kind."""
    sides = [frame.withColumn("condition", _condition()) for frame in (drawn.persist(), learn)]
    both = sides[0].groupBy("kind").cogroup(sides[1].groupBy("kind"))

    def keep(drawn: pd.DataFrame, learn: pd.DataFrame) -> pd.DataFrame:
        learn, made = learn.sort_values("text"), Texts(drawn["text"].tolist(), drawn["condition"].tolist())
        told = Texts(learn["text"].tolist(), learn["condition"].tolist(), learn["people"].tolist())
        is_nobodys = says_nobodys_words(made, told, words_of, settings.least_users)
        return drawn.loc[np.array(keeps_label(made, told, words_of)) & is_nobodys, ["text"]]

    kept = drawn.join(both.applyInPandas(keep, "text string"), on="text", how="left_semi")
    own = Window.partitionBy("label", "sentiment").orderBy(F.desc("draws"), "text")
    return kept.withColumn("place", F.row_number().over(own)).where(F.col("place") <= settings.kept).drop("place")


def _judged(kind: str, made: DataFrame, sides: DataFrame, settings: LabelledTextSettings, seed: int) -> pd.DataFrame:
    """Figures (generator, metric, value) of a kind, computed in one task of at most max_texts texts a side."""
    people = sides.select("kind", "side", _condition(), "text", "people")
    nobody = F.array().cast("array<string>").alias("people")
    ours = made.select("kind", F.lit(MADE).alias("side"), _condition(), "text", nobody)
    bounded = ours.orderBy(F.xxhash64(F.lit(seed), "text"), "text").limit(settings.max_texts)
    function = _judge(settings.least_users, seed)
    every = people.unionByName(bounded).select(*_SIDED)
    found = every.groupBy("kind").applyInPandas(function, "generator string, metric string, value double")
    return found.toPandas()  # bound: a row a metric and set


def _judge(least_users: int, seed: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def judge(rows: pd.DataFrame) -> pd.DataFrame:
        ordered = rows.sort_values(["side", "text"])

        def of(side: str) -> Texts:
            part = ordered[ordered["side"] == side]
            return Texts(part["text"].tolist(), part["condition"].tolist(), part["people"].tolist())

        made, learn, held = (of(side) for side in (MADE, LEARN, HELD))
        found = {
            REAL: reference(made, learn, held, words_of, least_users),
            WRITER: judged(made, learn, held, words_of, least_users),
            DEALT: shuffled(made, learn, held, words_of, seed),
        }  # fmt: skip
        flat = [(name, metric, value) for name, part in found.items() for metric, value in part.items()]
        return pd.DataFrame(flat, columns=["generator", "metric", "value"]).astype({"value": np.float64})

    return judge


def _reason(kind: str, told: int, found: list[int], settings: LabelledTextSettings) -> tuple[object, ...]:
    """Why no text of a kind was written, as a row of texts_report."""
    reason = (
        f"expected labels with {settings.min_each} {kind} texts to learn from, some that begin with a sentence of fewer"
        f" than {settings.writer.most_tokens} tokens, and one to judge by, found {found[0]} and {found[1]} of {told}"
    )
    return (kind, WRITER, "examples", "input", float(found[0]), None, float(settings.min_each), False, reason)
