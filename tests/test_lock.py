"""One run at a time: who lives keeps the lake, who is dead or asleep loses it and may change nothing more."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from recsynth.lock import LakeBusyError, lake_lock
from recsynth.store import Store
from recsynth.tables.gold import HISTORIES
from tests.rows import table

LOCK = "_lock.json"


def held_by(lake: Path, age: float = 0.0, **holder: object) -> None:
    """A lock that somebody else has left, last renewed `age` seconds ago."""
    lake.mkdir(exist_ok=True)
    path = lake / LOCK
    path.write_text(json.dumps({"run_id": "theirs", "host": socket.gethostname(), "pid": os.getppid(), **holder}))
    os.utime(path, (time.time() - age,) * 2)


def test_a_living_run_is_named_and_keeps_the_lake(tmp_path: Path) -> None:
    held_by(tmp_path)
    with pytest.raises(LakeBusyError, match=rf"run theirs on {socket.gethostname()}, process {os.getppid()}"):
        lake_lock(str(tmp_path), "mine").__enter__()
    assert json.loads((tmp_path / LOCK).read_text())["run_id"] == "theirs"


def test_the_lock_of_a_dead_process_of_this_host_is_taken_over_at_once(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    held_by(tmp_path, pid=dead.pid)
    with lake_lock(str(tmp_path), "mine"):
        assert json.loads((tmp_path / LOCK).read_text())["run_id"] == "mine"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("age", "is_free"), [(890.0, False), (910.0, True)])
def test_a_run_of_another_host_loses_the_lake_when_it_is_not_heard_of(
    tmp_path: Path, age: float, is_free: bool
) -> None:
    held_by(tmp_path, age, host="elsewhere")
    if is_free:
        with lake_lock(str(tmp_path), "mine") as lease:
            lease.check()
    else:
        with pytest.raises(LakeBusyError, match="run theirs on elsewhere"):
            lake_lock(str(tmp_path), "mine").__enter__()


def test_half_a_lock_is_somebodys_until_it_is_old(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text('{"run_')
    with pytest.raises(LakeBusyError):
        lake_lock(str(tmp_path), "mine").__enter__()
    with lake_lock(str(tmp_path), "mine", stale_seconds=0.0) as lease:
        lease.check()


def test_a_run_that_lives_renews_its_lock(tmp_path: Path) -> None:
    with lake_lock(str(tmp_path), "mine", renew_seconds=0.05):
        os.utime(tmp_path / LOCK, (0, 0))
        until = time.monotonic() + 10
        while (tmp_path / LOCK).stat().st_mtime == 0 and time.monotonic() < until:
            time.sleep(0.02)
        assert time.time() - (tmp_path / LOCK).stat().st_mtime < 60


def test_a_run_that_was_asleep_learns_that_another_took_over_and_leaves_its_lock_alone(tmp_path: Path) -> None:
    with lake_lock(str(tmp_path), "asleep", renew_seconds=0.05) as lease:
        lease.check()
        held_by(tmp_path, run_id="awake")
        before = (tmp_path / LOCK).stat().st_mtime
        with pytest.raises(LakeBusyError, match="expected this run asleep to hold the lake still, found run awake"):
            lease.check()
        time.sleep(0.2)
        assert (tmp_path / LOCK).stat().st_mtime == before
    assert json.loads((tmp_path / LOCK).read_text())["run_id"] == "awake"


CHANGES: dict[str, Callable[[Store, SparkSession], object]] = {
    "write": lambda store, spark: store.write(HISTORIES, table(spark, HISTORIES, []), date(2024, 5, 1)),
    "restore": lambda store, _: store.restore(HISTORIES, 7),
    "delete": lambda store, _: store.delete(HISTORIES, "true"),
    "delete_matching": lambda store, spark: store.delete_matching(
        HISTORIES, table(spark, HISTORIES, []), HISTORIES.key
    ),
    "forget": lambda store, _: store.forget(HISTORIES),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_run_that_lost_the_lake_changes_no_table(spark: SparkSession, tmp_path: Path, change: str) -> None:
    with lake_lock(str(tmp_path), "asleep") as lease:
        store = Store(spark, str(tmp_path), may_change=lease.check)
        held_by(tmp_path, run_id="awake")
        with pytest.raises(LakeBusyError, match="run awake"):
            CHANGES[change](store, spark)
        assert store.version(HISTORIES) == -1
