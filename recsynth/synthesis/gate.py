"""The stage that judges what was synthesised, beside real people, and says whether it may be trained on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.stage import Frames, Night
from recsynth.synthesis.generator import GAN
from recsynth.synthesis.halves import HOLD_OUT, LEARN, Halves, halves, read_rows
from recsynth.synthesis.judge import METRICS, People, added, algorithms, judged, reference, shuffled
from recsynth.synthesis.settings import GateSettings, SynthesisSettings
from recsynth.synthesis.text_gate import gate_queries
from recsynth.synthesis.variant_gate import gate_variants
from recsynth.synthesis.verdict import REAL, Rules, judgement, report_rows
from recsynth.tables.synthesis import SYNTHESIS_REPORT, SYNTHETIC_INTERACTIONS

log = logging.getLogger(__name__)

SHUFFLED, RESAMPLED = "shuffled", "resampled"
RULES = Rules(
    METRICS,
    {
        "popularity": (True, lambda s, real: s.popularity_at_least),
        "activity": (True, lambda s, real: s.activity_at_least),
        "lift": (True, lambda s, real: s.lift_of_real_at_least * real),
        "discriminator": (False, lambda s, real: s.discriminator_at_most),
        "transfer_all": (True, lambda s, real: s.transfer_of_real_at_least * real),
        "transfer_new": (True, lambda s, real: s.transfer_of_real_at_least * real),
        "copies": (False, lambda s, real: float(s.copies_at_most)),
        "membership": (False, lambda s, real: s.membership_at_most),
        "tail": (True, lambda s, real: s.tail_of_real_at_least),
    },
    ("lift", "transfer_all", "transfer_new"),
)


def gate(
    interactions: DataFrame, window_interactions: DataFrame, window_labels: DataFrame, synthetic_histories: DataFrame,
    histories: DataFrame, window_histories: DataFrame, item_text: DataFrame, written_texts: DataFrame, night: Night,
) -> Frames:  # fmt: skip
    """Measure what was synthesised against real people, and give each batch its verdict.

    Reads gold.interactions, gold.window_interactions, gold.window_labels and synthesis.synthetic_histories for the
    people who were drawn, see `_people`; gold.histories, gold.window_histories, gold.item_text and
    synthesis.written_texts for searches, see `text_gate.gate_queries`, and items in other words, see
    `variant_gate.gate_variants`. Writes synthesis.synthetic_interactions, synthesis.synthetic_queries,
    synthesis.augmented_texts and synthesis.synthesis_report.
    """
    people, of_people = _people(interactions, window_interactions, window_labels, synthetic_histories, night)
    queries, of_queries = gate_queries(written_texts, item_text, histories, window_histories, night)
    variants, of_variants = gate_variants(written_texts, item_text, night)
    rows = [*of_people, *of_queries, *of_variants]
    return {
        "synthetic_interactions": people, "synthetic_queries": queries, "augmented_texts": variants,
        "synthesis_report": interactions.sparkSession.createDataFrame(rows, SYNTHESIS_REPORT.schema),
    }  # fmt: skip


def _people(
    interactions: DataFrame, window_interactions: DataFrame, window_labels: DataFrame, synthetic_histories: DataFrame,
    night: Night,
) -> tuple[DataFrame, list[tuple[object, ...]]]:  # fmt: skip
    """Rows of synthetic_interactions, and of the report, of each generator's histories beside held-out people.

    Each set is judged by one task, which holds max_users rows and the square of max_items; figures alone reach the
    driver. What a recommender is worth is measured on held-out people at the newest training window, which ends by
    the as-of date.
    """
    spark, settings = interactions.sparkSession, night.settings.synthesis
    both = halves(interactions, settings, night.seed("halves"))
    names = sorted(r.generator for r in synthetic_histories.select("generator").distinct().collect())  # bound: three
    if not names:
        nothing = SYNTHETIC_INTERACTIONS.empty(spark)
        return nothing, _reasons(both, settings) if settings.enabled else []
    folder = night.work / "gate"
    items = _write(both, window_interactions, window_labels, synthetic_histories, folder)
    sets = [REAL, *names, *([SHUFFLED, RESAMPLED] if GAN in names else [])]
    function = _judge(sets, str(folder), items, settings.gate, night.seed("gate"))
    figures = spark.range(0, len(sets), 1, len(sets)).mapInPandas(
        function, "generator string, metric string, value double"
    )
    rows = report_rows(figures.toPandas(), settings.gate, RULES)  # bound: a row a metric and set
    verdict, weight = judgement(rows, GAN, "share")
    log.info("synthetic data of the GAN: %s; %s", verdict, ", ".join(f"{r[1]} {r[3]}" for r in rows if r[0] == GAN))
    batch = synthetic_histories.where(F.col("generator") == GAN).withColumn("item_id", F.explode("items"))
    told = batch.withColumn("verdict", F.lit(verdict)).withColumn("training_weight", F.lit(weight))
    return told.select(*SYNTHETIC_INTERACTIONS.column_names), rows


def _reasons(both: Halves, settings: SynthesisSettings) -> list[tuple[object, ...]]:
    """Why nothing was synthesised: too few users, both halves together, or items."""
    counted = {"users": (both.users.count(), settings.min_users), "items": (both.items.count(), 2)}
    return [
        (GAN, name, "input", float(found), None, float(least), found >= least,
         None if found >= least else f"expected at least {least} {name} to learn from, found {found}")
        for name, (found, least) in counted.items()
    ]  # fmt: skip


def _write(
    both: Halves, window_interactions: DataFrame, window_labels: DataFrame, synthetic_histories: DataFrame, folder: Path
) -> int:
    """Write what the tasks read as Parquet; returns the number of items."""
    both.users.write.mode("overwrite").parquet(str(folder / "halves"))
    items = both.items.persist()
    held = both.users.sparkSession.read.parquet(str(folder / "halves")).where(F.col("half") == HOLD_OUT)
    newest = window_interactions.agg(F.max("cutoff")).first()[0]  # type: ignore[index]
    at = F.col("cutoff") == F.lit(newest)
    before, wanted = (
        _numbered(rows.where(at).join(held.select("user_id"), on="user_id", how="left_semi"), items, name, "user_id")
        for rows, name in ((window_interactions, "items"), (window_labels, "wanted"))
    )
    before.join(wanted, on="user_id", how="inner").write.mode("overwrite").parquet(str(folder / "window"))
    drawn = synthetic_histories.select("generator", "user_id", F.explode("items").alias("item_id"))
    _numbered(drawn, items, "items", "generator", "user_id").write.mode("overwrite").parquet(str(folder / "sets"))
    return items.count()


def _numbered(rows: DataFrame, items: DataFrame, name: str, *key: str) -> DataFrame:
    """The item numbers of each key as a sorted array."""
    known = rows.join(F.broadcast(items), on="item_id", how="inner")
    return known.groupBy(*key).agg(F.sort_array(F.collect_set("item")).alias(name))


def _judge(
    sets: list[str], folder: str, items: int, settings: GateSettings, seed: int
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The mapInPandas function from numbers of sets to (generator, metric, value)."""

    def judge(blocks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for block in blocks:
            people = read_people(folder, items)
            for name in (sets[number] for number in block["id"]):
                if name == REAL:
                    found = reference(people, settings, seed)
                else:
                    rows_UM = _set(name, people, folder, items, seed)
                    found = judged(rows_UM, people, settings, seed)
                    if name in (GAN, SHUFFLED):
                        found |= added(rows_UM, people, settings) | algorithms(rows_UM, people, settings)
                yield pd.DataFrame(
                    {"generator": name, "metric": list(found), "value": np.array(list(found.values()), float)}
                )

    return judge


def _set(name: str, people: People, folder: str, items: int, seed: int) -> sp.csr_matrix:
    """The rows (U, M) of a generator or of a control, of no more users than are held out: figures depend on how many.

    Real people are resampled here alone: no table has them.
    """
    _, all_UM = read_rows(f"{folder}/sets", items, generator=GAN if name in (SHUFFLED, RESAMPLED) else name)
    rows_UM = all_UM[: people.held_UM.shape[0]]
    if name == SHUFFLED:
        return shuffled(rows_UM, seed)
    if name == RESAMPLED:
        return people.learn_UM[np.random.default_rng(seed).integers(0, people.learn_UM.shape[0], rows_UM.shape[0])]
    return rows_UM


def read_people(folder: str, items: int) -> People:
    """The real users that _write left."""
    learn, held = (read_rows(f"{folder}/halves", items, half=half)[1] for half in (LEARN, HOLD_OUT))
    before, wanted = (read_rows(f"{folder}/window", items, column=column)[1] for column in ("items", "wanted"))
    return People(learn, held, before, wanted)
