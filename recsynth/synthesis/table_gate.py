"""What the gate says of synthetic tables: rows beside rows held out, events in their order beside people's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from recsynth.measure.synthesis import ks_of_counts, overlap
from recsynth.synthesis import table_judge
from recsynth.synthesis.generator import GAN
from recsynth.synthesis.halves import HOLD_OUT, LEARN
from recsynth.synthesis.table_columns import coded
from recsynth.synthesis.table_generator import TableGenerator
from recsynth.synthesis.table_judge import Sides, judged, reference
from recsynth.synthesis.table_rows import HALF, PERSON
from recsynth.synthesis.table_settings import TableGateSettings
from recsynth.synthesis.verdict import REAL, Rules, report_rows

PATHS = "paths"
LEAST = 20
"""Rows a side below which nothing is said of a table."""
MOST = 1_000
"""Days between visits and events of a visit are counted up to here, the rest as so many."""
METRICS = {
    **table_judge.METRICS,
    "transitions": ("fidelity", "what the shares of `this event, then that` in a visit have in common"),
    "week": ("fidelity", "what the shares of visits by hour of the week have in common"),
    "days_between": ("fidelity", "KS complement of the days between visits"),
    "events": ("fidelity", "KS complement of the events of a visit"),
    "orphans": ("input", "events of users or items that synthetic_histories has not, or not before the as-of date"),
    "unmet": ("input", "items of a synthetic history without an event"),
    "rare": ("privacy", "different words and searches told that too few real people have"),
}
ALIKE = ("transitions", "week", "days_between", "events")
RULES = Rules(
    METRICS,
    {
        "shapes": (True, lambda s, real: s.shapes_of_real_at_least * real),
        "pairs": (True, lambda s, real: s.pairs_of_real_at_least * real),
        "discriminator": (False, lambda s, real: s.discriminator_at_most),
        "transfer": (True, lambda s, real: s.transfer_of_real_at_least * real),
        "closest": (False, lambda s, real: s.closest_at_most),
        "membership": (False, lambda s, real: s.membership_at_most),
        **{name: (True, lambda s, real: s.paths_of_real_at_least * real) for name in ALIKE},
        **{name: (False, lambda s, real: 0.0) for name in ("orphans", "unmet", "rare")},
    },
    ("shapes", "pairs", "transfer", *ALIKE),
)
Row = tuple[object, ...]


def judged_rows(
    name: str, real: DataFrame, drawn: Mapping[str, DataFrame], generator: TableGenerator, settings: TableGateSettings,
    seed: int,
) -> list[Row]:  # fmt: skip
    """Rows of the report of a table: real rows with their half, and those of each kind of generator.

    One row of each person is compared, chosen by hash: rows of one person are like each other, and two halves of people
    would be told apart by that. Columns that are constant are left out. Bound: max_rows of each side on the driver.
    """
    told = [n for n, c in enumerate(generator.columns) if max(c.shares) < 1]
    columns, given = tuple(generator.columns[n] for n in told), sum(n < generator.given for n in told)
    if given == len(columns):
        return []
    names = (PERSON, HALF, *(c.name for c in columns))
    every = reduce(DataFrame.unionByName, [rows.select(*names) for rows in (real, *drawn.values())])
    compared = _one_each(every, settings.max_rows, seed).toPandas()  # bound: max_rows a side, of five
    sides = {side: compared[compared[HALF] == side] for side in (LEARN, HOLD_OUT, *drawn)}
    size = min(map(len, sides.values()))
    if size < LEAST:
        reason = f"expected at least {LEAST} rows a side to compare, found {size}"
        return [(name, GAN, "rows", "input", float(size), None, float(LEAST), False, reason)]
    codes = {side: coded(rows.head(size), columns) for side, rows in sides.items()}
    of_real = Sides(codes[LEARN], codes[HOLD_OUT])
    found = {REAL: reference(of_real, columns, given, seed)}
    found |= {kind: judged(codes[kind], of_real, columns, given, seed) for kind in drawn}
    return _report(name, found, settings)


def judged_paths(
    real: DataFrame, drawn: DataFrame, visits: tuple[DataFrame, DataFrame], counted: Mapping[str, float],
    settings: TableGateSettings,
) -> list[Row]:  # fmt: skip
    """Rows of the report of events in their order; every event of both halves and of the GAN counts.

    real, drawn: events with half, person and session; visits: rows of visits of each; counted: what was counted.
    """
    counts = _counts(real, visits[0]).unionByName(_counts(drawn, visits[1])).toPandas()  # bound: 4 * MOST a side
    by_side = dict(list(counts.groupby(HALF)))
    held = by_side.get(HOLD_OUT, counts.head(0))
    found = {
        name: {metric: _alike(by_side.get(side, counts.head(0)), held, metric) for metric in ALIKE}
        for name, side in ((REAL, LEARN), (GAN, GAN))
    }
    found[GAN] |= counted
    return _report(PATHS, found, settings)


def verdict_of(rows: Sequence[Row]) -> str:
    """passed, or failed where the GAN misses a bound."""
    return "failed" if any(row[7] is False for row in rows if row[1] == GAN) else "passed"


def told_by_too_few(emitted: DataFrame, known: DataFrame, least: int) -> int:
    """Different (column, word) emitted that fewer than `least` of the people known (person, column, word) have."""
    by = known.groupBy("column", "word").agg(F.count_distinct(PERSON).alias("people")).where(F.col("people") >= least)
    return emitted.where("word is not null").distinct().join(by, on=["column", "word"], how="left_anti").count()


def _one_each(rows: DataFrame, most: int, seed: int) -> DataFrame:
    """One row of each person, and of at most `most` people of a side, by hash; in that order."""
    by_hash: list[Column | str] = [F.xxhash64(F.lit(seed), *rows.columns), *rows.columns]
    each = Window.partitionBy(HALF, PERSON).orderBy(*by_hash)
    people = Window.partitionBy(HALF).orderBy(F.xxhash64(F.lit(seed), PERSON), PERSON)
    one = rows.withColumn("at", F.row_number().over(each)).where("at = 1")
    chosen = one.withColumn("at", F.row_number().over(people)).where(F.col("at") <= most)
    return chosen.orderBy(HALF, "at").drop("at")


def _counts(events: DataFrame, visits: DataFrame) -> DataFrame:
    """(half, metric, at, count) of what ALIKE compares."""
    in_visit = Window.partitionBy("user_id", "session_id").orderBy("ts", "event_id")
    before = F.coalesce(F.lag("event_type").over(in_visit), F.lit("start"))
    what = events.withColumn("at", F.concat_ws(" ", before, "event_type")).select(HALF, "at")
    hour = F.concat_ws(" ", "weekday", "hour")
    parts = {
        "transitions": what,
        "week": visits.select(HALF, hour.alias("at")),
        "days_between": visits.where("gap is not null").select(HALF, _padded("gap").alias("at")),
        "events": visits.select(HALF, _padded("events").alias("at")),
    }
    found = [rows.groupBy(HALF, "at").count().withColumn("metric", F.lit(metric)) for metric, rows in parts.items()]
    return reduce(DataFrame.unionByName, found)


def _padded(name: str) -> Column:
    """A number up to MOST as a word that is in its order."""
    return F.lpad(F.least(F.col(name), F.lit(MOST)).cast("string"), 6, "0")


def _alike(ours: pd.DataFrame, theirs: pd.DataFrame, metric: str) -> float:
    both = (
        ours[ours["metric"] == metric].set_index("at")["count"].rename("ours").to_frame()
        .join(theirs[theirs["metric"] == metric].set_index("at")["count"].rename("theirs"), how="outer")
        .fillna(0).sort_index()
    )  # fmt: skip
    if not both["ours"].sum() or not both["theirs"].sum():
        return float("nan")
    measure = overlap if metric in ("transitions", "week") else ks_of_counts
    return measure(both["ours"].to_numpy(), both["theirs"].to_numpy())


def _report(name: str, found: Mapping[str, Mapping[str, float]], settings: TableGateSettings) -> list[Row]:
    rows: Sequence[tuple[str, str, float]] = [
        (kind, metric, value) for kind, figures in found.items() for metric, value in figures.items()
    ]
    figures = pd.DataFrame(rows, columns=["generator", "metric", "value"]).astype({"value": np.float64})
    return [(name, *row) for row in report_rows(figures, settings, RULES)]
