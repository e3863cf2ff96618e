"""Replay: what a mistake in the settings set aside is kept once they are mended, and nothing is counted twice."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from recsynth.errors import AccountingError, InputError
from recsynth.ledger import Ledger
from recsynth.nightly import run_night
from recsynth.pipeline import STAGES
from recsynth.settings import Settings
from recsynth.silver.replay import Replayed, replay
from recsynth.stage import Night
from recsynth.store import Store
from recsynth.tables import Table
from recsynth.tables.bronze import ROWS
from recsynth.tables.ops import METRICS, RUNS
from recsynth.tables.silver import CLEANED_FILES, EVENTS, ITEM_RECORDS, QUARANTINE
from tests.pages import blank_pages
from tests.sources import INVOICES, settings, write_csv

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_pages")]

AS_OF = date(2024, 4, 1)
FIRST = tuple(stage for stage in STAGES if stage.name in ("land", "clean", "account"))
GOOD, POST, NO_TIME = "u,i,2024-03-01T12:00:00,2.5,MUG", "v,POST,2024-03-01T13:00:00,1.5,POSTAGE", "w,i,soon,2.5,MUG"
MENDED = INVOICES | {"filters": {}}


@pytest.fixture(scope="module")
def made(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files; the filter sets postage aside, of which one file has the same line twice."""
    folder = tmp_path_factory.mktemp("made")
    header = "user,item,at,price,title"
    write_csv(folder, "a.csv", "\n".join([header, GOOD, POST, POST, NO_TIME, ""]))
    write_csv(folder, "b.csv", "\n".join([header, GOOD.replace("u,", "x,"), POST.replace("v,", "y,"), ""]))
    with blank_pages():
        run_night(spark, settings(folder, INVOICES), AS_OF, stages=FIRST)
    return folder


@pytest.fixture
def lake(spark: SparkSession, made: Path, tmp_path: Path) -> tuple[Ledger, Store]:
    """A copy of it, to be changed."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    store = Store(spark, settings(tmp_path, INVOICES).paths.lake)
    return Ledger(store), store


def run(ledger: Ledger, configured: Settings, reason: str = "", run_id: str = "replay-1") -> Replayed:
    night = Night(run_id, AS_OF, datetime(2024, 4, 2, tzinfo=UTC), configured)
    return replay(ledger, night, "invoices", reason)


def told(store: Store) -> dict[str, Any]:
    files = store.read(CLEANED_FILES).agg({"kept": "sum", "quarantined": "sum"}).first()
    assert files is not None
    return {
        "events": sorted((r.user_id, r.copies) for r in store.read(EVENTS).collect()),
        "aside": sorted((r.reason, r.copies) for r in store.read(QUARANTINE).collect()),
        "kept": files["sum(kept)"], "quarantined": files["sum(quarantined)"],
        "items": sorted(r.item_id for r in store.read(ITEM_RECORDS).collect()),
    }  # fmt: skip


def test_rows_are_kept_once_the_settings_are_mended_and_nothing_is_lost_or_counted_twice(
    spark: SparkSession, lake: tuple[Ledger, Store], tmp_path: Path
) -> None:
    ledger, store = lake
    before = told(store)
    assert before["aside"] == [("filtered: not_a_product", 1), ("filtered: not_a_product", 2), ("unparsable ts", 1)]

    mended = settings(tmp_path, MENDED)
    assert run(ledger, mended) == Replayed(3, 1)
    after = told(store)
    assert after["events"] == [("u", 1), ("v", 2), ("x", 1), ("y", 1)]
    assert after["aside"] == [("unparsable ts", 1)]
    assert (after["kept"], after["quarantined"]) == (5, 1)
    assert "POST" in after["items"]
    assert run(ledger, mended, run_id="replay-2") == Replayed(0, 1)
    assert told(store) == after
    # The night's own account holds: landed = kept + duplicates + quarantined.
    run_night(spark, mended, AS_OF, stages=FIRST)
    counted = {r.metric: r.value for r in store.read_night(METRICS, AS_OF).where("stage = 'account'").collect()}
    assert (counted["rows_landed"], counted["rows_kept"], counted["rows_duplicates"]) == (6, 4, 1)
    assert counted["rows_quarantined"] == 1


def test_one_reason_alone_a_strange_source_and_rows_that_are_gone(lake: tuple[Ledger, Store], tmp_path: Path) -> None:
    ledger, store = lake
    before = told(store)
    mended = settings(tmp_path, MENDED)
    with pytest.raises(InputError, match="expected one of invoices, found orders"):
        replay(ledger, Night("r", AS_OF, datetime.now(UTC), mended), "orders")
    assert run(ledger, mended, reason="unparsable ts") == Replayed(0, 1)
    assert told(store) == before
    store.delete(ROWS, "raw like '%POST%'")
    with pytest.raises(AccountingError, match="expected 4 rows that were set aside in bronze, found 1"):
        run(ledger, mended, run_id="replay-3")
    assert told(store) == before
    failed = store.read(RUNS).where("run_id = 'replay-3'").first()
    assert failed is not None
    assert failed.status == "failed"


@pytest.mark.parametrize("dies", [False, True], ids=["a failure", "a kill"])
def test_a_replay_that_ends_on_the_way_leaves_every_table_as_it_was(
    lake: tuple[Ledger, Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies: bool
) -> None:
    ledger, store = lake
    before, write = told(store), store.write

    def until_the_last(table: Table, *rest: Any) -> int:
        if table.name == CLEANED_FILES.name:
            assert told(store) != before  # it had got this far
            raise OSError("No space left on device")
        return write(table, *rest)

    monkeypatch.setattr(store, "write", until_the_last)
    if dies:  # nobody is left to put anything back
        monkeypatch.setattr(ledger, "put_back", lambda *_, **__: [])
        monkeypatch.setattr(ledger, "end", lambda *_, **__: None)
    with pytest.raises(OSError, match="No space"):
        run(ledger, settings(tmp_path, MENDED))
    monkeypatch.undo()
    if dies:
        assert told(store) != before
        ledger.recover()
    assert told(store) == before
