"""A person is erased from tables, their history, models and pages; everybody else stays as they were."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from recsynth import erasure
from recsynth.erasure import Erased, erase, proof, requested
from recsynth.errors import AccountingError, ErasureError, InputError
from recsynth.ledger import Ledger
from recsynth.model.champion import champion
from recsynth.model.folder import write_model
from recsynth.nightly import run_night
from recsynth.pipeline import STAGES
from recsynth.scan import Found, scan
from recsynth.settings import Settings
from recsynth.store import Store
from recsynth.tables import RUN_DATE, TABLES
from recsynth.tables.bronze import ROWS
from recsynth.tables.gold import HISTORIES, INTERACTIONS, ITEM_TEXT, POST_TOPICS, QUERY_ITEMS
from recsynth.tables.model import CLASSIFIERS, ITEM_EMBEDDINGS, MODELS, TEXT_LABELS
from recsynth.tables.ops import ERASURES, METRICS, PUBLISHED
from recsynth.tables.output import FOUND_TOPICS, OPINION_ALERTS, RECOMMENDATIONS, SIMILAR_ITEMS
from recsynth.tables.silver import EVENTS, ITEM_RECORDS, POSTS, QUARANTINE, REVIEWS
from recsynth.tables.synthesis import SYNTHETIC_HISTORIES, SYNTHETIC_ITEMS, SYNTHETIC_USERS, WRITTEN_TEXTS
from recsynth.traces import ITEM, REVIEW
from tests.model.tiny import tiny_model
from tests.rows import table
from tests.sources import EVENTS as CLICKS
from tests.sources import event, settings, write_csv, write_jsonl

ANNA, BEN = "anna@example.org", "ben"
FIRST, SECOND = date(2024, 3, 10), date(2024, 3, 11)
DREW = ("gan", "tables-", "writer-")
# What lands, is cleaned, counted, and known of each user; the rest of a night has tables of its own here.
SHORT = [s for s in STAGES if s.name in ("land", "clean", "account", "items", "reviews", "interactions", "histories",
                                         "query_items")]  # fmt: skip


def configured(folder: Path) -> Settings:
    source = CLICKS | {"columns": CLICKS["columns"] | {"text": "text"}}
    catalogue = {"name": "catalogue", "kind": "items", "format": "csv", "path": "items/*.csv",
                 "columns": {"item_id": "item", "title": "title", "seen_date": "'2024-03-01'"}}  # fmt: skip
    posts = {"name": "posts", "kind": "posts", "format": "csv", "path": "posts/*.csv",
             "columns": {"post_id": "id", "user_id": "user", "ts": "at", "text": "words"}}  # fmt: skip
    return settings(folder, source, catalogue, posts, simulate=False, gold={"windows": {"count": 1, "days": 7}})


def landed(folder: Path) -> None:
    rows: list[dict[str, Any] | str] = []
    for n, user in enumerate((ANNA, BEN, "cleo", "dora")):
        rows += [event(f"{n}-{k}", user_id=user, item_id=f"i{k}", event_type="purchase", price="2.5", quantity="1")
                 for k in range(3)]  # fmt: skip
        rows += [event(f"{n}-s", user_id=user, item_id=None, event_type="search", query="mug"),
                 event(f"{n}-r", user_id=user, event_type="rating", rating="1", text=f"Broken, says {n}.")]  # fmt: skip
    rows += [event("0-own", user_id=ANNA, item_id=None, event_type="search", query="Anna's  secret"),
             event("0-own-click", ts="2024-03-01T12:00:05", user_id=ANNA, event_type="click"),
             event("0-bad", user_id=ANNA, quantity="-1"), event("0-bad", user_id=ANNA, quantity="-1"),
             f'{{"user_id": "{ANNA}", torn', "torn by nobody of i10{"]  # fmt: skip
    write_jsonl(folder, "a.jsonl", [*rows, rows[0]])
    posted = f"p0,{ANNA},2024-03-05,Late again\np1,{BEN},2024-03-05,Late too\np2,,2024-03-06,Who knows\n"
    write_csv(folder, "posts/a.csv", "id,user,at,words\n" + posted)
    write_csv(folder, "items/a.csv", 'item,title\ni1,A "MUG"\ni1,A "MUG"\ni10,PAN\n,NOTHING\n')


def model(version: str, **fields: Any) -> dict[str, Any]:
    return {"model_version": version, "path": f"_models/{version}", "base": "b", "method": "bce", "data_versions": {},
            "metrics": {}, "sha256": "s", "is_champion": True} | fields  # fmt: skip


@pytest.fixture(scope="module")
def made(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, without_pages: None) -> Path:
    """A lake of two nights, with what later stages would have written of its people."""
    folder = tmp_path_factory.mktemp("shop")
    landed(folder)
    chosen = configured(folder)
    run_night(spark, chosen, FIRST, stages=SHORT)
    run_night(spark, chosen, SECOND, stages=SHORT)
    store = Store(spark, chosen.paths.lake)
    for night in (FIRST, SECOND):
        line = {"rank": 1, "item_id": "i0", "score": 1.0, "is_explored": False, "propensity": 1.0, "sources": [],
                "reason": "r", "reason_items": [], "model_version": "m"}  # fmt: skip
        lists = [line | {"user_id": u} for u in (ANNA, BEN)]
        store.write(RECOMMENDATIONS, table(spark, RECOMMENDATIONS, lists), night)
        alerts = [{"topic": "all", "entity_kind": kind, "entity": "i", "raised": night, "began": night,
                   "last_day": night, "negatives": 2, "texts": 2, "expected": 0.1, "chance": 0.001,
                   "event_ids": ids, "sentences": ["Broken."]}
                  for kind, ids in (("item", ["0-r", "1-r"]), ("brand", ["1-r"]), ("named", ["posts/p0", "posts/p1"]),
                                    ("shop", ["posts/p1"]))]  # fmt: skip
        store.write(OPINION_ALERTS, table(spark, OPINION_ALERTS, alerts), night)
        topic = {"topic": "late", "words": ["late"], "texts": 2, "since": night, "examples": ["Late again"],
                 "centre": [1.0], "reach": 0.5}  # fmt: skip
        store.write(FOUND_TOPICS, table(spark, FOUND_TOPICS, [topic]), night)
        near = [{"content_hash": "h", "topic": "late", "similarity": 0.9}]
        store.write(POST_TOPICS, table(spark, POST_TOPICS, near), night)
        drawn = [{"generator": "gan", "user_id": "synthetic-1", "segment": "light", "items": ["i0"],
                  "model_version": f"gan{night}", "seed": 1, "source_version": 1}]  # fmt: skip
        store.write(SYNTHETIC_HISTORIES, table(spark, SYNTHETIC_HISTORIES, drawn), night)
        by = {"seed": 1, "source_version": 1, "verdict": "passed"}
        person = {"user_id": "synthetic-1", "segment": "light", "items": 1, "visits": 1, "first_date": night,
                  "last_date": night, "model_version": f"tables-{night}"}  # fmt: skip
        store.write(SYNTHETIC_USERS, table(spark, SYNTHETIC_USERS, [person | by]), night)
        thing = {"item_id": "synthetic-item-1", "attributes": {}, "model_version": f"items-{night}"}
        store.write(SYNTHETIC_ITEMS, table(spark, SYNTHETIC_ITEMS, [thing | by]), night)
        wrote = [{"kind": "query", "source_id": "i0", "content_hash": "h", "text": t, "draws": 1, "found_rank": 1,
                  "model_version": v, "taught": night, "seed": 1, "source_version": 1}
                 for t, v in (("mug", f"writer-{night}"), ("pan", "generator-gpt"), ("mgu", "noise-1"))]  # fmt: skip
        store.write(WRITTEN_TEXTS, table(spark, WRITTEN_TEXTS, wrote), night)
        reader = {"task": "sentiment", "model_version": f"c{night}", "path": f"_models/c{night}", "base": "words",
                  "classes": [], "texts": 9, "metrics": {}, "is_champion": True}  # fmt: skip
        item = reader | {"task": "item_category", "model_version": "ic", "path": "_models/ic"}
        store.write(CLASSIFIERS, table(spark, CLASSIFIERS, [reader, item]), night)
        for version in (f"m{night}", f"c{night}", *(f"{k}{night}" for k in DREW), f"items-{night}", "ic"):
            (Path(store.lake) / "_models" / version).mkdir(parents=True, exist_ok=True)
    write_model(tiny_model(folder / "encoder"), Path(store.lake) / f"_models/m{FIRST}", {})
    store.write(MODELS, table(spark, MODELS, [model(f"m{FIRST}", method="frozen")]), FIRST)
    store.write(MODELS, table(spark, MODELS, [model(f"m{SECOND}")]), SECOND)
    said = [{"model_version": "ic", "content_hash": "h", "label": "x", "probabilities": {}, "words": ["secret"]}]
    store.write(TEXT_LABELS, table(spark, TEXT_LABELS, said), SECOND)
    (folder / "report" / str(FIRST) / "index.html").write_text(f"<p>{ANNA}</p>")
    (Path(store.lake) / "_work/died").mkdir(parents=True)
    (Path(store.lake) / "_work/died/shard.txt").write_text(ANNA)
    return folder


@pytest.fixture
def shop(made: Path, tmp_path: Path, spark: SparkSession) -> tuple[Path, Settings, Store]:
    """A copy of it, to be changed."""
    shutil.copytree(made, tmp_path / "shop")
    chosen = configured(tmp_path / "shop")
    return tmp_path / "shop", chosen, Store(spark, chosen.paths.lake)


def others(store: Store) -> dict[str, list[str]]:
    """The rows of everybody else, of every table with users, and those that belong to nobody."""
    return {
        t.name: sorted(map(str, store.read(t).where(f"user_id <> '{ANNA}'").collect()))
        for t in TABLES.values()
        if "user_id" in t.column_names and t not in (SYNTHETIC_HISTORIES, SYNTHETIC_USERS)
    }


@pytest.mark.slow
def test_a_person_is_gone_and_everybody_else_is_as_before(
    spark: SparkSession, shop: tuple[Path, Settings, Store]
) -> None:
    folder, chosen, store = shop
    before, versions = others(store), store.version(EVENTS)
    lake = Path(store.lake)
    assert len(scan(spark, [lake, folder / "report"], [ANNA], 100)[1]) > 5
    done = erase(Ledger(store), chosen, [ANNA])
    assert others(store) == before
    assert scan(spark, [lake, folder / "report"], [ANNA], 100)[1] == done.left == []
    assert {t.name for t in TABLES.values() if "user_id" in t.column_names
            and store.read(t).where(f"user_id = '{ANNA}'").count()} == set()  # fmt: skip
    # Landed: 8 events one of them twice, a bad row twice, a torn line.
    assert (done.rows[EVENTS.name], done.rows[ROWS.name], done.rows[QUARANTINE.name]) == (7, 12, 2)
    assert (done.rows[POSTS.name], sorted(r.post_id for r in store.read(POSTS).collect())) == (1, ["p1", "p2"])
    assert {r.raw for r in store.read(QUARANTINE).collect()} == {"torn by nobody of i10{", '{"title":"NOTHING"}'}
    # What was written of the person's texts and searches; what others searched too stays.
    assert {r.entity_kind for r in store.read(OPINION_ALERTS).collect()} == {"brand", "shop"}
    assert {
        store.read(t).count()
        for t in (
            FOUND_TOPICS,
            POST_TOPICS,
            TEXT_LABELS,
            SYNTHETIC_HISTORIES,
            SYNTHETIC_USERS,
            WRITTEN_TEXTS,
        )
    } == {0}
    assert "anna's secret" not in {r["query"] for r in store.read(QUERY_ITEMS).collect()}
    # What had learned from the person is out of use; the encoder as it came and the catalogue's reader are not.
    assert done.models == sorted([f"m{SECOND}", *(f"{k}{n}" for k in ("c", *DREW) for n in (FIRST, SECOND))])
    best = champion(store.read(MODELS))
    assert best is not None
    assert best.model_version == f"m{FIRST}"
    assert {r.model_version for r in store.read(CLASSIFIERS).collect()} == {"ic"}
    assert sorted(p.name for p in (lake / "_models").iterdir()) == [
        "ic",
        *(f"items-{n}" for n in (FIRST, SECOND)),
        f"m{FIRST}",
    ]
    assert store.read(SYNTHETIC_ITEMS).count() == 2
    # No version before it can be read, and readers of each night are sent to the one that is there.
    with pytest.raises(Exception, match=r"(?i)version"):
        store.read(EVENTS, versions).collect()
    for night in store.read(PUBLISHED).collect():
        assert store.read(EVENTS, night.versions[EVENTS.name]).count() == len(before[EVENTS.name])
    assert not (lake / "_work").exists()
    assert FIRST in done.pages
    assert len(done.landing) == 2
    row = proof(store, ANNA)
    assert row is not None
    assert (row.status, row.landed, row.left, row.is_withdrawn) == ("complete", {"clicks": 11, "posts": 1}, 0, True)
    assert proof(store, BEN) is None
    # Later nights count what was erased, and learn of nobody who is not there.
    run_night(spark, chosen, SECOND + timedelta(days=1), stages=SHORT)
    found = store.read_night(METRICS, SECOND + timedelta(days=1)).where("stage = 'account'").collect()
    assert {r.segment: r.value for r in found if r.metric == "rows_erased"} == {
        "clicks": 11,
        "posts": 1,
        "catalogue": 0,
    }
    new = {r.user_id for r in store.read(INTERACTIONS).where(f"{RUN_DATE} > '{SECOND}'").collect()}
    assert new == {BEN, "cleo", "dora"}
    store.delete(ERASURES, "true")
    with pytest.raises(AccountingError, match=r"expected 27 landed rows, found 16.* 0 erased"):
        run_night(spark, chosen, SECOND + timedelta(days=2), stages=SHORT[:3])


def of_table(store: Store, name: str) -> list[str]:
    return sorted(map(str, store.read(TABLES[name]).collect()))


@pytest.mark.slow
def test_an_item_is_gone_from_lists_and_histories_too(spark: SparkSession, shop: tuple[Path, Settings, Store]) -> None:
    folder, chosen, store = shop
    line = store.read_night(RECOMMENDATIONS, SECOND).first()
    assert line is not None
    lists = [line.asDict() | {"user_id": BEN, "rank": k, "item_id": item, "reason_items": because} for k, item, because
             in ((1, "i1", []), (2, "i0", ["i2", "i1"]), (3, "i2", ["i10"]))]  # fmt: skip
    store.write(RECOMMENDATIONS, table(spark, RECOMMENDATIONS, lists), SECOND)
    like = [{"item_id": a, "rank": 1, "similar_item_id": b, "score": 0.5, "model_version": "m"}
            for a, b in (("i0", "i1"), ("i1", "i0"), ("i2", "i0"))]  # fmt: skip
    store.write(SIMILAR_ITEMS, table(spark, SIMILAR_ITEMS, like), SECOND)
    vectors = [{"model_version": f"m{FIRST}", "kind": "item", "content_hash": h, "vector": [1.0]} for h in ("h1", "h2")]
    store.write(ITEM_EMBEDDINGS, table(spark, ITEM_EMBEDDINGS, vectors), SECOND)
    text = {"text": "t", "title": "t", "available": True, "is_cold": False,
            "first_seen": datetime(2024, 3, 1, tzinfo=UTC)}  # fmt: skip
    texts = [text | {"item_id": i, "content_hash": h} for i, h in (("i1", "h1"), ("i2", "h2"))]
    store.write(ITEM_TEXT, table(spark, ITEM_TEXT, texts), SECOND)
    (folder / "report" / str(SECOND) / "index.html").write_text("<p>A &#34;MUG&#34;</p>")
    events = [e for e in of_table(store, EVENTS.name) if "item_id='i1'" not in e]

    done = erase(Ledger(store), chosen, ["i1"], ITEM)

    assert done.left == []
    assert of_table(store, EVENTS.name) == events
    assert (done.rows[EVENTS.name], done.rows[ITEM_RECORDS.name], done.rows[ROWS.name]) == (4, 1, 6)
    assert [r.item_id for r in store.read(ITEM_RECORDS).collect()] == ["i10"]
    # A malformed line is an item's where the id stands whole in it.
    assert "torn by nobody of i10{" in {r.raw for r in store.read(QUARANTINE).collect()}
    assert {r["rank"] for r in store.read_night(RECOMMENDATIONS, SECOND).collect()} == {3}
    assert [r.item_id for r in store.read(SIMILAR_ITEMS).collect()] == ["i2"]
    assert [r.content_hash for r in store.read(ITEM_EMBEDDINGS).collect()] == ["h2"]
    # Everybody has bought it; a history that names it is made anew the next night.
    assert store.read(HISTORIES).count() == 0
    # The catalogue's reader has learned of an item, not of a person.
    assert {"ic", f"m{SECOND}", f"items-{SECOND}"} <= set(done.models)
    assert store.read(SYNTHETIC_ITEMS).count() == 0
    assert SECOND in done.pages
    row = proof(store, "i1", ITEM)
    assert row is not None
    assert (row.status, row.landed) == ("complete", {"clicks": 4, "catalogue": 2})
    assert proof(store, "i1") is None
    run_night(spark, chosen, SECOND + timedelta(days=1), stages=SHORT)
    assert store.read_night(HISTORIES, SECOND + timedelta(days=1)).count() == 4


@pytest.mark.slow
@pytest.mark.usefixtures("hurried")
def test_a_review_is_gone_and_its_writer_stays(shop: tuple[Path, Settings, Store]) -> None:
    _, chosen, store = shop
    before = [e for e in of_table(store, EVENTS.name) if "event_id='1-r'" not in e]
    done = erase(Ledger(store), chosen, ["1-r"], REVIEW)
    assert of_table(store, EVENTS.name) == before
    assert "1-r" not in {r.event_id for r in store.read(REVIEWS).collect()}
    assert (done.rows[EVENTS.name], done.rows[ROWS.name]) == (1, 1)
    assert {r.entity_kind for r in store.read(OPINION_ALERTS).collect()} == {"named", "shop"}
    assert (store.read(TEXT_LABELS).count(), store.read(FOUND_TOPICS).count()) == (0, 2)
    assert f"c{SECOND}" in done.models
    row = proof(store, "1-r", REVIEW)
    assert row is not None
    assert row.landed == {"clicks": 1}


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the two steps that take most of the time: earlier versions stay, and nobody looks for them."""
    monkeypatch.setattr(Store, "forget", lambda *_: None)
    monkeypatch.setattr(erasure, "scan", lambda *_: (0, []))


@pytest.mark.slow
@pytest.mark.usefixtures("hurried")
def test_killed_on_the_way_the_same_call_ends_it(
    spark: SparkSession, shop: tuple[Path, Settings, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, chosen, store = shop
    for killed_in, after in (("_withdraw", 0), ("_delete", 8), ("_prove", 0)):
        whole, calls = getattr(erasure, killed_in), []

        def killed(*arguments: Any, whole: Any = whole, calls: Any = calls, after: int = after) -> None:
            calls.append(1)
            if len(calls) > after:
                raise KeyboardInterrupt
            whole(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(erasure, killed_in, killed)
            with pytest.raises(KeyboardInterrupt):
                erase(Ledger(store), chosen, [ANNA])
        if killed_in == "_delete":
            # Nothing lands between what was counted and what is deleted.
            with pytest.raises(ErasureError, match="expected no erasure on the way, found one"):
                run_night(spark, chosen, SECOND + timedelta(days=1), stages=SHORT)
    erase(Ledger(store), chosen, [ANNA])
    (row,) = store.read(ERASURES).collect()
    assert (row.status, row.landed) == ("complete", {"clicks": 11, "posts": 1})
    assert f"m{SECOND}" in row.models
    assert ANNA not in {r.user_id for t in (EVENTS, INTERACTIONS) for r in store.read(t).collect()}


@pytest.mark.slow
@pytest.mark.usefixtures("hurried")
def test_models_may_stay_in_use_and_are_named(shop: tuple[Path, Settings, Store]) -> None:
    _, chosen, store = shop
    done = erase(Ledger(store), chosen, [ANNA, "cleo"], withdraw=False)
    best = champion(store.read(MODELS))
    assert best is not None
    assert best.model_version == f"m{SECOND}"
    assert f"m{SECOND}" in done.models
    rows = store.read(ERASURES).collect()
    assert {(r.status, r.is_withdrawn) for r in rows} == {("complete", False)}
    assert sorted(r.landed["clicks"] for r in rows) == [5, 11]


@pytest.mark.slow
def test_an_id_that_stands_elsewhere_is_told(
    shop: tuple[Path, Settings, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, chosen, store = shop
    monkeypatch.setattr(Store, "forget", lambda *_: None)
    before, nobody = others(store), "nobody-knows"
    (Path(store.lake) / "notes.txt").write_text(f"call {nobody} back")
    with pytest.raises(ErasureError, match=r"expected no place with an erased id, found 1: .*notes\.txt \(bytes\)"):
        erase(Ledger(store), chosen, [nobody])
    row = proof(store, nobody)
    assert row is not None
    assert (row.status, row.left) == ("deleted", 1)
    (Path(store.lake) / "notes.txt").unlink()
    done = erase(Ledger(store), chosen, [nobody])
    assert (done.rows, done.models, done.left) == ({}, [], [])
    assert [(r.status, r.landed) for r in store.read(ERASURES).collect()] == [("complete", {})]
    assert others(store) == before


def test_a_request_file_has_an_id_a_line(tmp_path: Path) -> None:
    (tmp_path / "ids").write_text(f"{ANNA}\n\n  \nben\n")
    assert requested(str(tmp_path / "ids")) == [ANNA, "ben"]
    assert requested(None) == []
    with pytest.raises(InputError, match="expected a text file of ids, one a line"):
        requested(str(tmp_path / "none"))
    told = str(Erased(rows={"t": 2}, models=["m"], files=9, landing=[Found("a.jsonl", "bytes")])).splitlines()
    assert told == [
        "t: 2 rows deleted", "models that had learned from them: m", "pages written anew: none",
        "files read: 9; places with an id: 0", "the landing folder still has 1 such places; erase there too: a.jsonl",
    ]  # fmt: skip


@pytest.mark.slow
def test_what_cannot_be_erased_is_refused_before_anything_changes(shop: tuple[Path, Settings, Store]) -> None:
    _, chosen, store = shop
    versions = store.versions()
    for users in ([], ["ok", " "], [str(n) for n in range(1001)]):
        with pytest.raises(InputError, match="1 to 1000 ids"):
            erase(Ledger(store), chosen, users)
    renamed = chosen.model_copy(update={"sources": []})
    with pytest.raises(InputError, match="source catalogue, clicks, posts: expected every source that ever landed"):
        erase(Ledger(store), renamed, [ANNA])
    assert store.versions() == versions
