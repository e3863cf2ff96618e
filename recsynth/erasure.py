"""Erase people, items or reviews: their rows, history and all, what learned from them, and the proof of it."""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import reduce
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

from markupsafe import escape
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from recsynth.errors import ErasureError, InputError
from recsynth.ledger import Ledger
from recsynth.mapping import normalised
from recsynth.nightly import page
from recsynth.pseudonyms import is_pseudonym, key_of_environment, pseudonym
from recsynth.rollback import uncrown
from recsynth.scan import Found, scan, whole_words
from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.store import Store
from recsynth.tables import RUN_DATE, TABLES, Table
from recsynth.tables.bronze import ROWS
from recsynth.tables.gold import ITEM_TEXT, POST_TOPICS, QUERY_ITEMS
from recsynth.tables.model import CLASSIFIERS, ITEM_EMBEDDINGS, MODELS, TEXT_LABELS
from recsynth.tables.ops import ERASURES, PUBLISHED
from recsynth.tables.output import FOUND_TOPICS, OPINION_ALERTS, REVIEW_SENTIMENT, SEARCH_RESULTS
from recsynth.tables.silver import EVENTS, QUARANTINE
from recsynth.tables.synthesis import (
    SYNTHETIC_EVENTS,
    SYNTHETIC_HISTORIES,
    SYNTHETIC_INTERACTIONS,
    SYNTHETIC_ITEMS,
    SYNTHETIC_QUERIES,
    SYNTHETIC_TEXTS,
    SYNTHETIC_USERS,
    WRITTEN_TEXTS,
)
from recsynth.traces import ITEM, KINDS, USER, Kind, Traces, key_of

log = logging.getLogger(__name__)

MOST_IDS, MOST_FOUND, SIDE_BY_SIDE = 1000, 1000, 4
RUNNING, DELETED, COMPLETE = "running", "deleted", "complete"
_SYNTHETIC = (
    SYNTHETIC_HISTORIES, SYNTHETIC_INTERACTIONS, SYNTHETIC_USERS, SYNTHETIC_EVENTS, SYNTHETIC_ITEMS, WRITTEN_TEXTS,
    SYNTHETIC_QUERIES, SYNTHETIC_TEXTS,
)  # fmt: skip


@dataclass
class Erased:
    """What an erasure did: rows deleted by table, models that had learned of them, files read, what is left."""

    rows: dict[str, int] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    pages: list[date] = field(default_factory=list)
    files: int = 0
    left: list[Found] = field(default_factory=list)
    landing: list[Found] = field(default_factory=list)

    def __str__(self) -> str:
        """One line a table, then models, pages and what the scan found."""
        lines = [f"{table}: {rows} rows deleted" for table, rows in sorted(self.rows.items())]
        lines += [f"models that had learned from them: {', '.join(self.models) or 'none'}",
                  f"pages written anew: {', '.join(map(str, self.pages)) or 'none'}",
                  f"files read: {self.files}; places with an id: {len(self.left)}"]  # fmt: skip
        if self.landing:
            first = self.landing[0].path
            lines.append(f"the landing folder still has {len(self.landing)} such places; erase there too: {first}")
        return "\n".join(lines)


def requested(file: str | None) -> list[str]:
    """The ids of a request file, one a line; empty lines are none. Raises InputError where it can't be read."""
    if file is None:
        return []
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(file, "a text file of ids, one a line", str(error)) from error
    return [line for line in lines if line.strip()]


def erase(ledger: Ledger, settings: Settings, given: Sequence[str], kind: str = USER, withdraw: bool = True) -> Erased:
    """Erase users, items or reviews from a lake that is held, and prove it by a scan of all files.

    given: at most MOST_IDS ids as the shop writes them; of users, pseudonyms too; of reviews, silver.reviews.event_id.
    Rows of theirs leave every table and its history, with them what was written of their texts, words that nobody else
    searched, what was synthesised while they were known, and the pages that name them. An item leaves with all its
    events, and with each row of a nightly table that names it: lists and histories miss a line until the next night.
    Models that learned from them are withdrawn (the next night begins from the pretrained encoder) unless `withdraw` is
    false; either way they are named in ops.erasures, whose row holds no id. Counts over many people stay. Killed on the
    way, the same call again ends it; a second call does nothing more.

    Raises InputError, with nothing changed, for an empty id, too many, or a source that is no longer configured;
    ErasureError where an id still stands somewhere when all is done.
    """
    store, erased, of = ledger.store, Erased(), KINDS[kind]
    plain = _checked(given, of)
    found = Traces(store, settings, of, stored(settings, plain) if kind == USER else plain)
    log.info("counting what landed of %d %ss", len(found.wanted), kind)
    rows = _begin(found)
    shown = [*found.wanted, *(str(escape(title)) for title in found.titles)]
    if found.since is not None:
        learned = found.learned(found.since)
        erased.models = sorted({r.model_version for r in learned})
        _note(store, rows, {"models": erased.models, "is_withdrawn": withdraw})
        if withdraw:
            _withdraw(store, learned)
        _derived(found, found.since, erased.rows)
    for table, keys in found.naming():
        if table not in _SYNTHETIC and keys.take(1):
            _delete(store, table, keys, key_of(table), erased.rows)
    for table in TABLES.values():
        if of.column in table.column_names and table not in (QUARANTINE, ROWS, *of.counted, *_SYNTHETIC):
            _delete(store, table, found.ids, (of.column,), erased.rows)
    quarantined = found.landed.select("file_id", F.sha2("raw", 256).alias("row_hash"))
    _delete(store, QUARANTINE, quarantined, ("file_id", "row_hash"), erased.rows)
    _delete(store, ROWS, found.landed, ("source", "file_id", "raw"), erased.rows)
    for table in reversed(of.counted):
        _delete(store, table, found.ids, (of.column,), erased.rows)
    _forget(ledger)
    _note(store, rows, {"status": DELETED})
    shutil.rmtree(Path(store.lake) / "_work", ignore_errors=True)
    erased.pages = list(_rewritten(store, settings, shown))
    _prove(store, settings, sorted({*found.wanted, *plain}), erased)
    told = {"rows": erased.rows, "files": erased.files, "left": len(erased.left)}
    _note(store, rows, told if erased.left else told | {"status": COMPLETE, "ended_at": datetime.now(UTC)})
    store.forget(ERASURES)
    if erased.left:
        where = ", ".join(f"{f.path} ({f.where})" for f in erased.left[:10])
        raise ErasureError(f"{store.lake}: expected no place with an erased id, found {len(erased.left)}: {where}")
    return erased


def stored(settings: Settings, users: Sequence[str]) -> list[str]:
    """The ids as the lake has them: pseudonyms where landing makes them. Raises SettingsError without their key."""
    if not settings.landing.pseudonyms:
        return list(users)
    key = key_of_environment()
    return sorted({u if is_pseudonym(u) else pseudonym(key, u) for u in users})


def proof(store: Store, erased_id: str, kind: str = USER) -> Row | None:
    """The newest row of ops.erasures of an id, as the lake had it; None where there is none."""
    salted = F.sha2(F.concat("salt", F.lit(_subject(erased_id, KINDS[kind]))), 256)
    found = store.read(ERASURES).where(F.col("erasure_id") == salted).orderBy(F.desc("started_at")).take(1)
    return found[0] if found else None


def _checked(given: Sequence[str], kind: Kind) -> list[str]:
    found = sorted({i.strip() for i in given})
    if not found or "" in found or len(found) > MOST_IDS:
        raise InputError(f"{kind.name}s to erase", f"1 to {MOST_IDS} ids, none of them empty", f"{len(found)} ids")
    return found


def _begin(found: Traces) -> dict[str, dict[str, Any]]:
    """Id to the row of ops.erasures, written before anything is deleted: what was counted then stays counted.

    No night runs on a lake with a row that is running, so what a call that ends a killed one finds is what that one
    had counted, or a part of it. Where all was deleted but not proven, what landed since comes on top.
    """
    store, kind, ids, landed = found.store, found.kind, found.wanted, found.landed
    open_rows = store.read(ERASURES).where("status <> 'complete'").collect()  # one row an id of a run that died
    rows: dict[str, dict[str, Any]] = {}
    for own, row in ((i, r) for i in ids for r in open_rows):
        if row.erasure_id == _hashed(row.salt, _subject(own, kind)):
            rows[own] = row.asDict()
    new = [i for i in ids if i not in rows or rows[i]["status"] == DELETED]
    if new:
        aside = store.read(QUARANTINE).select("file_id", "row_hash", "copies")
        keys = landed.select(kind.column, "source", "file_id", F.sha2("raw", 256).alias("row_hash"))
        parts = [keys.join(aside, ["file_id", "row_hash"]).select(kind.column, "source", "copies"), *found.copies()]
        every = reduce(DataFrame.union, parts).groupBy(F.col(kind.column).alias("id"), "source")
        counted = every.agg(F.sum("copies").alias("n")).collect()
        for own in new:
            salt = secrets.token_hex(16)
            blank = {"erasure_id": _hashed(salt, _subject(own, kind)), "salt": salt, "landed": {}, "rows": {},
                     "models": [], "is_withdrawn": False, "started_at": datetime.now(UTC)}  # fmt: skip
            before = rows.get(own, blank)
            now = Counter({r.source: int(r.n) for r in counted if r.id == own})
            rows[own] = before | {"status": RUNNING, "landed": dict(now + Counter(before["landed"]))}
        _write(store, [rows[i] for i in new])
    return rows


def _subject(own: str, kind: Kind) -> str:
    """What is hashed of an id: a user and an item may have the same."""
    return own if kind.name == USER else f"{kind.name}/{own}"


def _hashed(salt: str, subject: str) -> str:
    return hashlib.sha256(f"{salt}{subject}".encode()).hexdigest()


def _write(store: Store, rows: Sequence[dict[str, Any]]) -> None:
    made = [tuple(row.get(name) for name in ERASURES.column_names) for row in rows]
    store.write(ERASURES, store.spark.createDataFrame(made, ERASURES.schema), datetime.now(UTC).date())


def _note(store: Store, rows: dict[str, dict[str, Any]], told: dict[str, Any]) -> None:
    for row in rows.values():
        row |= told
    _write(store, list(rows.values()))


def _delete(store: Store, table: Table, keys: DataFrame, on: Sequence[str], rows: dict[str, int]) -> None:
    deleted = store.delete_matching(table, keys, on)
    if deleted:
        rows[table.name] = rows.get(table.name, 0) + deleted
        log.info("%s: %d rows", table.name, deleted)


def _withdraw(store: Store, learned: Sequence[Row]) -> None:
    """No champion, no folder, no vector and no label of these models; what is taught next begins without them."""
    versions = sorted({r.model_version for r in learned})
    uncrown(store, F.col("model_version").isin(versions), (MODELS,))
    named = store.spark.createDataFrame([(v,) for v in versions], "model_version string")
    for table in (CLASSIFIERS, ITEM_EMBEDDINGS, TEXT_LABELS):
        store.delete_matching(table, named, ("model_version",))
    for row in learned:
        shutil.rmtree(Path(store.lake) / row.path, ignore_errors=True)


def _derived(found: Traces, since: date, rows: dict[str, int]) -> None:
    """What was written of their texts and searches, and what was synthesised in nights that knew them."""
    store, column, is_item = found.store, found.kind.column, found.kind.name == ITEM
    said = found.events.where("text is not null").select("event_id", "item_id", F.col("event_date").alias("day"))
    posted = found.posts.select(F.concat_ws("/", "source", "post_id").alias("event_id"))
    voices = said.select("event_id").union(posted)
    if not voices.isEmpty():
        alerts = store.read(OPINION_ALERTS).withColumn("event_id", F.explode("event_ids"))
        named = alerts.join(voices, "event_id", "left_semi")
        _delete(store, OPINION_ALERTS, named, key_of(OPINION_ALERTS), rows)
    if not said.isEmpty():
        _delete(store, REVIEW_SENTIMENT, said, ("item_id", "day"), rows)
    if not posted.isEmpty():
        # Topics are words, centres and examples of many posts, theirs among them; the next night finds them anew.
        for table in (FOUND_TOPICS, POST_TOPICS):
            store.delete(table, f"{RUN_DATE} > '{since}'")
    if is_item or not (voices.isEmpty() and found.questions.isEmpty()):
        # Which texts these labels are of can't be told from their hashes: they are read anew the next night.
        store.delete(TEXT_LABELS, "true")
    query = normalised(F.col("query")).alias("query")
    others = store.read(EVENTS).join(F.broadcast(found.ids), column, "left_anti").select(query)
    own = found.events.select(query).where("query is not null").distinct().join(others, "query", "left_anti")
    for table in (QUERY_ITEMS, SEARCH_RESULTS):
        _delete(store, table, own, ("query",), rows)
    if is_item:
        texts = store.read(ITEM_TEXT).join(F.broadcast(found.ids), column, "left_semi").select("content_hash")
        _delete(store, ITEM_EMBEDDINGS, texts, ("content_hash",), rows)
    for table in _SYNTHETIC:
        # Synthetic items have learned from the catalogue, not from people.
        if is_item or table != SYNTHETIC_ITEMS:
            store.delete(table, f"{RUN_DATE} > '{since}'")


def _forget(ledger: Ledger) -> None:
    """Only the latest version of every table stays on the disk, and it is what readers of any night are sent to."""
    store = ledger.store
    log.info("removing earlier versions of every table")
    with ThreadPool(SIDE_BY_SIDE) as pool:  # Small jobs that wait for the disk and for one another's planning.
        pool.map(store.forget, TABLES.values())
    versions = store.versions()
    nights = [r.asDict() for r in store.read(PUBLISHED).collect()]  # one row a night
    sent = [r | {"versions": {n: versions[n] for n in r["versions"] if n in versions}} for r in nights]
    if sent:
        rows = [tuple(r[name] for name in PUBLISHED.column_names) for r in sent]
        store.write(PUBLISHED, store.spark.createDataFrame(rows, PUBLISHED.schema), datetime.now(UTC).date())
        store.forget(PUBLISHED)


def _rewritten(store: Store, settings: Settings, words: Sequence[str]) -> Iterator[date]:
    """Pages in which one of the words stands are written anew from the tables."""
    pattern: re.Pattern[bytes] = whole_words(words)
    for path in sorted(Path(settings.paths.report).glob("*/index.html")):
        if pattern.search(path.read_bytes()):
            night = date.fromisoformat(path.parent.name)
            page(store, Night(f"erase-{night}", night, datetime.now(UTC), settings))
            yield night


def _prove(store: Store, settings: Settings, ids: Sequence[str], erased: Erased) -> None:
    log.info("reading every file for the ids")
    folders = [Path(store.lake), Path(settings.paths.report)]
    erased.files, erased.left = scan(store.spark, folders, ids, MOST_FOUND)
    _, erased.landing = scan(store.spark, [Path(settings.paths.landing)], ids, MOST_FOUND)
