"""Synthetic people whole: learned from the learning half, drawn in Arrow UDFs, judged by the half held out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import reduce

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from recsynth.mapping import normalised
from recsynth.model.folder import register
from recsynth.stage import Night
from recsynth.synthesis.generator import BLOCK, GAN, KINDS, read_generator
from recsynth.synthesis.halves import LEARN, halves
from recsynth.synthesis.table_columns import columns_of
from recsynth.synthesis.table_draw import block_of, events_of, visits_of
from recsynth.synthesis.table_gan import fit_table
from recsynth.synthesis.table_gate import Row, judged_paths, judged_rows, told_by_too_few, verdict_of
from recsynth.synthesis.table_generator import TableGenerator, Tables, read_tables, write_tables
from recsynth.synthesis.table_habits import habits, known_queries, told_habits, with_prices
from recsynth.synthesis.table_rows import (
    HALF,
    PERSON,
    SEARCH,
    USER,
    USER_COLUMNS,
    USER_GIVEN,
    VISIT,
    VISIT_COLUMNS,
    VISIT_GIVEN,
    WORDS,
    kept,
    sample,
    told,
    user_rows,
    visit_rows,
)
from recsynth.tables.synthesis import SYNTHETIC_EVENTS, SYNTHETIC_USERS

log = logging.getLogger(__name__)

_DRAWN = (
    "event_id string, user_id string, event_type string, item int, event_date date, second int, query string, "
    "quantity int, rating double, session_id string, country string, order_id string, "
    "generator string, segment string, items int"
)


def synthetic_people(
    events: DataFrame, items: DataFrame, interactions: DataFrame, query_items: DataFrame, histories: DataFrame,
    night: Night,
) -> tuple[dict[str, DataFrame], list[Row]]:  # fmt: skip
    """Rows of synthetic_users and synthetic_events with their verdict, and of the report.

    histories: rows of synthesis.synthetic_histories of the GAN; its people are these. No rows but a reason where the
    learning half has done too little that a visit is made of.
    """
    histories_by = str(histories.select("model_version").first()[0])  # type: ignore[index]
    settings, folder = night.settings.synthesis, night.work / "tables"
    both = halves(interactions, settings, night.seed("halves"))
    users, numbers = kept(both.users, folder / "halves"), kept(both.items, folder / "numbers")
    real = kept(told(events, users, night), folder / "told")
    visits = kept(visit_rows(real, night), folder / "visits")
    seed, gate = night.seed("synthesise_tables"), settings.tables.gate
    people = user_rows(visits).where(F.col(HALF) == LEARN).count()
    if 2 * people < settings.min_users:
        least = settings.min_users / 2
        reason = f"expected at least {least:g} people with visits to learn from, found {people}"
        return {}, [(USER, GAN, "people", "input", float(people), None, least, False, reason)]
    generators = {
        USER: _fitted(user_rows(visits), USER_COLUMNS, USER_GIVEN, night, PERSON),
        VISIT: _fitted(visits, VISIT_COLUMNS, VISIT_GIVEN, night, PERSON, "session_id"),
    }
    queries = known_queries(real, query_items, numbers, settings.tables.least_people)
    tables = Tables(generators, *told_habits(real, queries))
    card = {"settings": settings.tables.model_dump(mode="json"), "seed": seed, "histories_by": histories_by}
    version = register("tables", lambda f: write_tables(tables, f, card), night.work / "people", night.models)
    count = settings.users or users.where(F.col(HALF) == LEARN).count()
    function = _draws(str(night.models / histories_by), str(night.models / version), count, night)
    blocks = events.sparkSession.range(
        0, len(KINDS) * -(-count // BLOCK), 1, 2 * events.sparkSession.sparkContext.defaultParallelism
    )
    drawn = kept(_in_time(blocks.mapInPandas(function, _DRAWN), numbers, night), folder / "drawn")
    drawn_visits = kept(visit_rows(drawn, night), folder / "drawn_visits")
    kinds = {kind: drawn_visits.where(F.col(HALF) == kind) for kind in KINDS}
    rows = judged_rows(
        USER, user_rows(visits), {k: user_rows(v) for k, v in kinds.items()}, generators[USER], gate, seed
    )
    rows += judged_rows(VISIT, visits, kinds, generators[VISIT], gate, seed)
    ours = drawn.where(F.col(HALF) == GAN)
    rows += judged_paths(real, ours, (visits, kinds[GAN]), _counted(ours, real, histories, night), gate)
    by = {
        "model_version": F.lit(version), "seed": F.lit(seed).cast("bigint"), "verdict": F.lit(verdict_of(rows)),
        "source_version": F.lit(night.data_versions.get("silver.events", 0)).cast("bigint"),
    }  # fmt: skip
    lived = ours.groupBy("user_id").agg(
        F.first("segment").alias("segment"), F.first("country").alias("country"), F.first("items").alias("items"),
        F.count_distinct("session_id").cast("int").alias("visits"),
        F.min("event_date").alias("first_date"), F.max("event_date").alias("last_date"),
    )  # fmt: skip
    priced = with_prices(ours, items, real, settings.tables.least_people)
    frames = {
        table.short: frame.withColumns(by).select(*table.column_names)
        for table, frame in ((SYNTHETIC_USERS, lived), (SYNTHETIC_EVENTS, priced))
    }
    return frames, rows


def _fitted(rows: DataFrame, names: tuple[str, ...], given: tuple[str, ...], night: Night, *key: str) -> TableGenerator:
    """The generator of a table of people's rows, learned from the learning half."""
    settings = night.settings.synthesis.tables
    seed = night.seed("table", *names)
    learned = sample(rows, LEARN, settings.max_rows, seed, *key)
    return fit_table(learned, columns_of(learned, names, WORDS, settings), len(given), settings, seed)


def _draws(
    histories: str, tables: str, users: int, night: Night
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The mapInPandas function from numbers, each a kind and a block of it, to the events of its users."""
    # The people of synthetic_histories: theirs is the seed of the stage that drew them.
    seed, as_of, most = night.seed("synthesise"), night.as_of, night.settings.synthesis.tables.max_visits

    def drawn(numbers: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        generator, fitted = read_generator(histories), read_tables(tables)
        of, queries = habits(fitted), {int(i): q for i, q in fitted.facts["queries"].items()}
        for number in (n for batch in numbers for n in batch["id"]):
            block, k = divmod(int(number), len(KINDS))
            segments_B, items, who, rng = block_of(generator, fitted.generators, KINDS[k], block, seed)
            days = visits_of(fitted.generators, KINDS[k], who, as_of, most, rng)
            for n in range(min(BLOCK, users - block * BLOCK)):
                person = (f"synthetic-{block * BLOCK + n:08d}", who["country"][n])
                # A user at a time: a block of people who come daily would be millions of rows.
                rows = pd.DataFrame(events_of(person, items[n], days[n], queries, of, rng))
                yield rows.assign(generator=KINDS[k], segment=segments_B[n], items=len(items[n])).astype(
                    {"item": "Int32", "quantity": "Int32"}
                )

    return drawn


def _in_time(drawn: DataFrame, numbers: DataFrame, night: Night) -> DataFrame:
    """Drawn events with item ids and time, and what `visit_rows` needs of them: half is the kind."""
    midnight = F.unix_timestamp(F.col("event_date").cast("timestamp"))
    timed = drawn.withColumn("local", F.timestamp_seconds(midnight + F.col("second")))
    timed = timed.withColumn("ts", F.to_utc_timestamp("local", night.settings.shop_time_zone))
    named = timed.join(F.broadcast(numbers), on="item", how="left").drop("item")
    return named.withColumnRenamed("generator", HALF)


def _counted(ours: DataFrame, real: DataFrame, histories: DataFrame, night: Night) -> dict[str, float]:
    """What must be none: see table_gate.METRICS. Searches and countries are told by enough of those learned from."""
    told_of = histories.select("user_id", F.explode("items").alias("item_id"))
    done = ours.where(F.col("event_type") != SEARCH)
    late = ours.where(F.col("ts") >= F.lit(night.cutoff)).count()
    strange = done.join(told_of, on=["user_id", "item_id"], how="left_anti").count()
    unmet = told_of.join(done, on=["user_id", "item_id"], how="left_anti").count()
    learned = real.where(F.col(HALF) == LEARN)
    known = _words(learned.withColumn("query", normalised(F.col("query"))), F.col("user_id").alias(PERSON))
    rare = told_by_too_few(_words(ours), known, night.settings.synthesis.tables.least_people)
    return {"orphans": float(late + strange), "unmet": float(unmet), "rare": float(rare)}


def _words(events: DataFrame, *keep: Column) -> DataFrame:
    """(column, word) of each event, for what events tell in words."""
    parts = [events.select(*keep, F.lit(n).alias("column"), F.col(n).alias("word")) for n in ("country", "query")]
    return reduce(DataFrame.unionByName, parts)
