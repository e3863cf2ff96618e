"""Traces: the rows of the lake that are of a user, of an item or of a review."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from recsynth.errors import InputError
from recsynth.mapping import mapped, text, with_known_names
from recsynth.settings import Settings
from recsynth.source import PATH, SourceSettings
from recsynth.store import ABSENT, Store
from recsynth.tables import RUN_DATE, TABLES, Table
from recsynth.tables.bronze import COLUMN_CHANGES, LANDED_FILES, ROWS
from recsynth.tables.silver import EVENTS, ITEM_RECORDS, TICKETS

USER, ITEM, REVIEW = "user", "item", "review"


@dataclass(frozen=True)
class Kind:
    """What can be erased: its name and the column that has its id.

    Rows of `counted` tables count as landed, and what they say of an id goes last: the others are found by them.
    `named_in` are columns of what nights make that may name it beside others, in lists and structures too.
    """

    name: str
    column: str
    counted: tuple[Table, ...]
    named_in: tuple[str, ...] = ()


KINDS = {
    USER: Kind(USER, "user_id", (EVENTS, TICKETS)),
    ITEM: Kind(
        ITEM,
        "item_id",
        (EVENTS, TICKETS, ITEM_RECORDS),
        (
            "item_id",
            "items",
            "events",
            "similar_item_id",
            "neighbour_id",
            "because_item",
            "reason_items",
            "series_id",
            "entity",
            "interests",
            "source_id",
            "sentences",
            "passages",
        ),
    ),
    # A review is an event with stars or words.
    REVIEW: Kind(REVIEW, "event_id", (EVENTS,), ("event_ids", "contradicting")),
}


def landed(store: Store, settings: Settings, kind: Kind, ids: DataFrame) -> DataFrame:
    """Rows (<id column>, source, file_id, raw) of bronze that are theirs: as mapped, or as a malformed line says.

    Raises InputError for a source that is no longer configured: its rows could not be read.
    """
    files = store.read(LANDED_FILES).select("file_id", F.col("path").alias(PATH), "source")
    lost = {r.source for r in files.select("source").distinct().collect()} - {s.name for s in settings.sources}
    if lost:
        raise InputError(f"source {', '.join(sorted(lost))}", "every source that ever landed in the settings", "none")
    parts = [store.spark.createDataFrame([], f"{kind.column} string, source string, file_id string, raw string")]
    for source in with_known_names(settings.sources, store.read(COLUMN_CHANGES)):
        own = _own_id(kind, source)
        if own is None:
            continue
        rows = store.read(ROWS).where(F.col("source") == source.name)
        read = mapped(rows.join(F.broadcast(files.drop("source")), "file_id"), source)
        theirs = read.withColumn(kind.column, own).join(F.broadcast(ids), kind.column)
        torn = read.where("is_malformed").join(F.broadcast(ids), F.contains("raw", F.col(kind.column)))
        parts += [part.select(kind.column, "source", "file_id", "raw") for part in (theirs, torn)]
    every = reduce(DataFrame.union, parts)
    return every.groupBy("source", "file_id", "raw").agg(F.min(kind.column).alias(kind.column))


def _own_id(kind: Kind, source: SourceSettings) -> Column | None:
    """A mapped row's own id; None where rows of the source have none."""
    if kind.name == REVIEW:
        # As cleaning names an event.
        named = [text("event_id")] if "event_id" in source.columns else []
        by_content = F.sha2(F.concat_ws("/", "source", "raw"), 256)
        return F.coalesce(*named, by_content) if source.kind == "events" else None
    return text(kind.column) if kind.column in source.columns else None


def copies(store: Store, settings: Settings, kind: Kind, ids: DataFrame) -> list[DataFrame]:
    """Rows (<id column>, source, copies) of silver that stand for landed rows of theirs."""
    found = []
    for table in kind.counted:
        rows = store.read(table).join(F.broadcast(ids), kind.column, "left_semi")
        if table == ITEM_RECORDS:
            # What events told of an item is counted with the events.
            rows = rows.where(F.col("source").isin([s.name for s in settings.sources if s.kind == "items"]))
        found.append(rows.select(kind.column, "source", "copies"))
    return found


def naming(store: Store, kind: Kind) -> Iterator[tuple[Table, DataFrame]]:
    """Tables that nights make of what landed, each with its rows: key, and what may name the kind as JSON (`named`)."""
    for table in TABLES.values():
        columns = [c for c in table.column_names if c in kind.named_in]
        if table.layer not in ("bronze", "silver", "ops") and columns and store.version(table) != ABSENT:
            yield table, store.read(table).select(*key_of(table), F.to_json(F.struct(*columns)).alias("named"))


def key_of(table: Table) -> list[str]:
    """The columns by which a row is known, of a nightly table in all nights."""
    return [*((RUN_DATE,) if table.nightly else ()), *table.key]


def quoted(kind: Kind, ids: DataFrame) -> DataFrame:
    """The ids as values stand in JSON (`quoted`): quotes around them, where those within a text are escaped."""
    listed = ids.select(F.to_json(F.array(kind.column)).alias("listed"))
    return listed.select(F.expr("substring(listed, 2, length(listed) - 2)").alias("quoted"))
