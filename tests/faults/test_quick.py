"""Every kind of fault once, in the first stages of a night on two files: what needs processes of its own is slow."""

from __future__ import annotations

import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from recsynth.errors import AccountingError, ContractError
from recsynth.faults import FaultError, fault_point, planted
from recsynth.ledger import Ledger
from recsynth.store import Store
from recsynth.tables.silver import EVENTS
from tests.faults.night import content, ended, points_passed
from tests.faults.quick import QUICK, Lake
from tests.faults.readers import poll_through

pytestmark = pytest.mark.usefixtures("without_pages")

# One of each sort; every point of a whole night is tried by `make faults`.
ALONG = {
    "stage.clean.computed": "memory",
    "write.silver.events.committed": "full",
    "stage.account.finished": "raise",
    "night.published": "raise",
}


@dataclass(frozen=True)
class Whole:
    """A lake after an undisturbed night, the fault points that it passed, and what its tables held then."""

    lake: Lake
    passed: list[str]
    content: dict[str, tuple[int, int]]


@pytest.fixture(scope="module")
def whole(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, without_pages: None) -> Whole:
    """What nobody disturbed; what is lost of its lake by a test must be there again when the test ends."""
    lake = Lake(spark, tmp_path_factory.mktemp("whole"))
    with points_passed() as passed:
        lake.run()
    return Whole(lake, passed, content(lake.store))


@pytest.fixture
def nobody_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure is as a kill: nothing is put back by the run itself."""
    monkeypatch.setattr("recsynth.nightly._put_back", lambda *_: None)


def test_there_is_something_to_lose(whole: Whole) -> None:
    found = whole.content
    assert (found["silver.events"][0], found["silver.quarantine"][0], found["gold.histories"][0]) == (4, 1, 2)
    assert len(whole.passed) > 3 * len(QUICK)


def test_what_is_raised_along_one_night_leaves_no_trace(spark: SparkSession, whole: Whole, tmp_path: Path) -> None:
    # One after the other: what a fault leaves behind is what the next run begins with.
    lake = Lake(spark, tmp_path)
    assert ALONG.keys() <= set(whole.passed)
    for point, kind in ALONG.items():
        with planted(point, kind), pytest.raises((FaultError, MemoryError, OSError), match=point):
            lake.run()
    lake.run()
    assert content(lake.store) == whole.content


@pytest.mark.slow
def test_a_reader_that_polls_sees_whole_nights_alone(spark: SparkSession, tmp_path: Path) -> None:
    # A thousand publishes are a part of `make faults`.
    polled = poll_through(Store(spark, str(tmp_path / "lake")), 4)
    assert polled.wrong == []
    assert len(polled.nights) > 1


@pytest.mark.slow
@pytest.mark.usefixtures("nobody_left")
def test_a_fault_while_another_is_put_back(spark: SparkSession, whole: Whole, tmp_path: Path) -> None:
    lake = Lake(spark, tmp_path)
    with planted("write.silver.quarantine.committed", "raise"), pytest.raises(FaultError):
        lake.run()
    with planted("restore.silver.quarantine", "raise"), pytest.raises(FaultError):
        lake.run()
    lake.run()
    assert content(lake.store) == whole.content


@pytest.mark.slow
@pytest.mark.usefixtures("nobody_left")
def test_without_recovery_rows_would_be_counted_twice(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the tests above rest on: take the guard away and they fail.
    monkeypatch.setattr(Ledger, "recover", lambda ledger: [])
    lake = Lake(spark, tmp_path)
    with planted("write.silver.quarantine.committed", "raise"), pytest.raises(FaultError):
        lake.run()
    with pytest.raises(AccountingError):
        lake.run()


@pytest.mark.slow
def test_processes_that_die_one_after_the_other(spark: SparkSession, whole: Whole, tmp_path: Path) -> None:
    lake, log, once = Lake(spark, tmp_path), tmp_path / "said.txt", tmp_path / "once"
    once.mkdir()
    for fault, code in (
        ("write.silver.quarantine.committed=kill", -signal.SIGKILL),
        ("stage.account.computed=terminate", -signal.SIGTERM),
        ("udf.candidates=kill", 0),  # a Python worker: its task is done again
    ):
        planted_there = {"RECSYNTH_FAULT": fault, "RECSYNTH_FAULT_ONCE": str(once)}
        found = ended([sys.executable, "-m", "tests.faults.quick", str(tmp_path)], log, **planted_there)
        assert (found, (once / fault.partition("=")[0]).exists()) == (code, True), log.read_text()[-2000:]
    assert content(lake.store) == whole.content


def test_a_table_that_was_removed_by_hand_is_made_again(whole: Whole) -> None:
    # The others: `make faults`.
    shutil.rmtree(whole.lake.folder("silver.cleaned_files"))
    whole.lake.run()
    assert content(whole.lake.store) == whole.content


def test_what_landed_cannot_be_made_again_and_the_error_says_so(whole: Whole) -> None:
    folder = whole.lake.folder("bronze.landed_files")
    aside = folder.rename(folder.with_name("aside"))
    before = content(whole.lake.store)
    with pytest.raises(ContractError, match=r"bronze\.landed_files.* expected the table.* put it back from a copy"):
        whole.lake.run()
    assert content(whole.lake.store) == before
    aside.rename(folder)


def test_a_damaged_file_ends_the_night_and_without_its_table_the_next_is_the_same(whole: Whole) -> None:
    for path in whole.lake.folder("silver.events").rglob("*.parquet"):
        damage(path, "truncated")
    shutil.rmtree(whole.lake.folder("gold.histories"))  # with nothing to do, nobody would read it
    with pytest.raises(Exception, match="silver/events"):  # Py4JJavaError or a PySparkException, as Spark likes
        whole.lake.run()
    shutil.rmtree(whole.lake.folder("silver.events"))
    whole.lake.run()
    assert content(whole.lake.store) == whole.content


@pytest.mark.parametrize("how", ["empty", "flipped"])
def test_no_damage_is_read_over(spark: SparkSession, whole: Whole, how: str, tmp_path: Path) -> None:
    shutil.copytree(whole.lake.folder("silver.events"), tmp_path / "lake/silver/events")
    for path in (tmp_path / "lake").rglob("*.parquet"):
        damage(path, how)
    with pytest.raises(Exception, match="silver/events"):
        Store(spark, str(tmp_path / "lake")).read(EVENTS).collect()


def damage(path: Path, how: str) -> None:
    """Cut a file in half, empty it, or turn a byte over in its middle, which Hadoop's checksum beside it tells."""
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle] ^= 0xFF
    path.write_bytes({"truncated": bytes(data[:middle]), "empty": b"", "flipped": bytes(data)}[how])
    if how != "flipped":
        path.with_name(f".{path.name}.crc").unlink()


def test_a_planted_fault_happens_at_its_point_once_if_so_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with planted("here", "full"):
        fault_point("elsewhere")
        for _ in range(2):
            with pytest.raises(OSError, match="No space left"):
                fault_point("here")
        monkeypatch.setenv("RECSYNTH_FAULT_ONCE", str(tmp_path))
        with pytest.raises(OSError, match="No space left"):
            fault_point("here")
        fault_point("here")
    fault_point("here")
    with pytest.raises(ValueError, match="expected POINT=KIND"), planted("here", "no such"):
        pass
