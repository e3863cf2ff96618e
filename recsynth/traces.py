"""Traces: the rows of the lake that are of a user, of an item or of a review."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, reduce

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from recsynth.errors import InputError
from recsynth.mapping import mapped, text, with_known_names
from recsynth.settings import Settings
from recsynth.source import PATH, SourceSettings
from recsynth.store import ABSENT, Store
from recsynth.tables import RUN_DATE, TABLES, Table
from recsynth.tables.bronze import COLUMN_CHANGES, LANDED_FILES, ROWS
from recsynth.tables.model import CLASSIFIERS, MODELS
from recsynth.tables.ops import EXPIRED
from recsynth.tables.silver import EVENTS, ITEM_RECORDS, POSTS, PROMOTIONS, TICKETS
from recsynth.tables.synthesis import (
    SYNTHETIC_HISTORIES,
    SYNTHETIC_ITEMS,
    SYNTHETIC_TEXTS,
    SYNTHETIC_USERS,
    WRITTEN_TEXTS,
)

USER, ITEM, REVIEW = "user", "item", "review"
LONG_AGO = date(1970, 1, 1)


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
    USER: Kind(USER, "user_id", (EVENTS, TICKETS, POSTS)),
    ITEM: Kind(
        ITEM,
        "item_id",
        (EVENTS, TICKETS, POSTS, ITEM_RECORDS, PROMOTIONS),
        (
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


@dataclass(frozen=True)
class Traces:
    """What a lake has of some users, items or reviews; bound: as many ids as fit in one request."""

    store: Store
    settings: Settings
    kind: Kind
    wanted: Sequence[str]

    @cached_property
    def ids(self) -> DataFrame:
        """The ids as rows: they stand in no plan and in no commit."""
        return self.store.spark.createDataFrame([(i,) for i in self.wanted], f"{self.kind.column} string").persist()

    @cached_property
    def events(self) -> DataFrame:
        """Their events."""
        return self._own(EVENTS).persist()

    @cached_property
    def questions(self) -> DataFrame:
        """Their tickets; of a review none."""
        return self._own(TICKETS) if TICKETS in self.kind.counted else self.store.read(TICKETS).limit(0)

    @cached_property
    def posts(self) -> DataFrame:
        """Their posts; of a review none."""
        return self._own(POSTS) if POSTS in self.kind.counted else self.store.read(POSTS).limit(0)

    @cached_property
    def titles(self) -> list[str]:
        """The titles that items had; of others none."""
        if self.kind.name != ITEM:
            return []
        return [
            r.title for r in self._own(ITEM_RECORDS).where("trim(title) <> ''").select("title").distinct().collect()
        ]

    @cached_property
    def since(self) -> date | None:
        """The first day of their events, questions and posts, and of records of an item; None where there is none.

        LONG_AGO where events of people were removed for their age, for nobody can tell any more whose they were:
        whatever learned from people then counts as having learned from these. Records of items are never removed so.
        """
        if ITEM_RECORDS not in self.kind.counted:
            aged = self.store.read(EXPIRED).where(F.col("table").isin([t.name for t in self.kind.counted]))
            if not aged.isEmpty():
                return LONG_AGO
        local = F.to_date(F.from_utc_timestamp("ts", self.settings.shop_time_zone))
        asked, posted = (rows.agg(F.min(local)).first() for rows in (self.questions, self.posts))
        firsts = [self.events.agg(F.min("event_date")).first(), asked, posted]
        if ITEM_RECORDS in self.kind.counted:
            firsts.append(self._own(ITEM_RECORDS).agg(F.min("seen_date")).first())
        return min((r[0] for r in firsts if r is not None and r[0] is not None), default=None)

    @cached_property
    def landed(self) -> DataFrame:
        """Rows (<id column>, source, file_id, raw) of bronze that are theirs: as mapped, or as a malformed line says.

        Raises InputError for a source that is no longer configured: its rows could not be read.
        """
        column, store = self.kind.column, self.store
        files = store.read(LANDED_FILES).select("file_id", F.col("path").alias(PATH), "source")
        lost = {r.source for r in files.select("source").distinct().collect()} - {s.name for s in self.settings.sources}
        if lost:
            raise InputError(
                f"source {', '.join(sorted(lost))}", "every source that ever landed in the settings", "none"
            )
        parts = [store.spark.createDataFrame([], f"{column} string, source string, file_id string, raw string")]
        for source in with_known_names(self.settings.sources, store.read(COLUMN_CHANGES)):
            own = _own_id(self.kind, source)
            if own is None:
                continue
            rows = store.read(ROWS).where(F.col("source") == source.name)
            read = mapped(rows.join(F.broadcast(files.drop("source")), "file_id"), source)
            theirs = read.withColumn(column, own).join(F.broadcast(self.ids), column)
            torn = read.where("is_malformed").join(F.broadcast(self.ids), _stands_whole(F.col("raw"), F.col(column)))
            parts += [part.select(column, "source", "file_id", "raw") for part in (theirs, torn)]
        every = reduce(DataFrame.union, parts)
        return every.groupBy("source", "file_id", "raw").agg(F.min(column).alias(column)).persist()

    def copies(self) -> list[DataFrame]:
        """Rows (<id column>, source, copies) of silver that stand for landed rows of theirs."""
        found = []
        for table in self.kind.counted:
            rows = self._own(table)
            if table == ITEM_RECORDS:
                # What events told of an item is counted with the events.
                rows = rows.where(F.col("source").isin([s.name for s in self.settings.sources if s.kind == "items"]))
            found.append(rows.select(self.kind.column, "source", "copies"))
        return found

    def naming(self) -> Iterator[tuple[Table, DataFrame]]:
        """Tables that nights make of what landed, each with the keys of rows that name one of them beside others."""
        listed = self.ids.select(F.to_json(F.array(self.kind.column)).alias("listed"))
        # As a value stands in JSON: quotes around it, and those within a text are escaped.
        quoted = F.broadcast(listed.select(F.expr("substring(listed, 2, length(listed) - 2)").alias("quoted")))
        for table in TABLES.values():
            columns = [c for c in table.column_names if c in self.kind.named_in]
            if table.layer not in ("bronze", "silver", "ops") and columns and self.store.version(table) != ABSENT:
                said = self.store.read(table).select(*key_of(table), F.to_json(F.struct(*columns)).alias("said"))
                yield table, said.join(quoted, F.contains("said", F.col("quoted")), "left_semi")

    def learned(self, since: date) -> list[Row]:
        """Models, classifiers and generators (run_date, model_version, path) of later nights: they could see them."""
        read, later = self.store.read, F.col(RUN_DATE) > F.lit(since)
        models = read(MODELS).where(later & (F.col("method") != "frozen")).select(RUN_DATE, "model_version", "path")
        # The category and the words of an item are taught by the catalogue alone.
        taught = F.lit(True) if self.kind.name == ITEM else ~F.col("task").startswith("item_")
        readers = read(CLASSIFIERS).where(later & taught).select(*models.columns)
        # Noise, and a text model that was handed to the shop from outside, have learned from none of its people.
        wrote = read(WRITTEN_TEXTS).where(later & F.col("model_version").startswith("writer-"))
        path = F.concat(F.lit("_models/"), F.col("model_version")).alias("path")
        # Synthetic items have learned from the catalogue, from people the others.
        drew = (SYNTHETIC_ITEMS,) if self.kind.name == ITEM else ()
        of_people = [read(t).where(later) for t in (SYNTHETIC_HISTORIES, SYNTHETIC_USERS, SYNTHETIC_TEXTS, *drew)]
        drawn = [t.select(RUN_DATE, "model_version", path) for t in (*of_people, wrote)]
        return reduce(DataFrame.union, (models, readers, *drawn)).distinct().collect()  # a few rows a night

    def _own(self, table: Table) -> DataFrame:
        return self.store.read(table).join(F.broadcast(self.ids), self.kind.column, "left_semi")


def key_of(table: Table) -> list[str]:
    """The columns by which a row is known, of a nightly table in all nights."""
    return [*((RUN_DATE,) if table.nightly else ()), *table.key]


def _own_id(kind: Kind, source: SourceSettings) -> Column | None:
    """A mapped row's own id; None where rows of the source have none."""
    if kind.name == REVIEW:
        # As cleaning names an event.
        named = [text("event_id")] if "event_id" in source.columns else []
        by_content = F.sha2(F.concat_ws("/", "source", "raw"), 256)
        return F.coalesce(*named, by_content) if source.kind == "events" else None
    return text(kind.column) if kind.column in source.columns else None


def _stands_whole(said: Column, word: Column) -> Column:
    """Whether a word stands in a text with no letter, digit, `_` or `-` beside it, as recsynth.scan asks."""
    literal = F.replace(word, F.lit(r"\E"), F.lit(r"\E\\E\Q"))
    return F.regexp_like(said, F.concat(F.lit(r"(?<![\w-])\Q"), literal, F.lit(r"\E(?![\w-])")))
