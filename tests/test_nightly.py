"""A whole night on the tiny shop: complete, honest in time, the same when it is run again or was killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from recsynth.nightly import run_night
from recsynth.settings import Settings
from recsynth.store import Store
from recsynth.tables import TABLES
from recsynth.tables.ops import PUBLISHED
from recsynth.tables.output import RECOMMENDATIONS, STRANGER
from tests.pages import blank_pages
from tests.spark import SHORT_LIVED

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
AS_OF = date(2025, 2, 18)
# Early: what it has done by then is done in a process that has yet to warm up. `make faults` kills everywhere.
KILLED_IN = "purchase_propensity"
# Late rows land in files of later days: without them, the files before the date hold all that happened before it.
NOTHING_LATE = "shop.dirt.late=0.0"
LAYERS = ("gold", "synthesis", "model", "rank", "output")
# Nobody farms clicks or plants words in the simulated shop.
NOT_MADE = ("tune", "click_farms", "title_triggers")
MADE = sorted(name for name, table in TABLES.items() if table.layer in LAYERS and table.writer not in NOT_MADE)
# Delta versions count what a run wrote and put back: they are about the run, not about the night.
OF_THE_RUN = ("data_versions", "source_version")


@dataclass(frozen=True)
class Tried:
    """A lake on which the night ran, and its page."""

    settings: Settings
    store: Store
    page: Path

    def rows(self, name: str) -> list[str]:
        """A table's rows as text, in order."""
        as_text = self.store.read(TABLES[name]).drop(*OF_THE_RUN).selectExpr("to_json(struct(*)) AS line")
        return sorted(r.line for r in as_text.collect())


def options(folder: Path, landing: Path) -> list[str]:
    paths = {"landing": landing, "lake": folder / "lake", "report": folder / "report"}
    return [NOTHING_LATE, *(f"paths.{name}={path}" for name, path in paths.items())]


@pytest.fixture(scope="module")
def whole(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Tried:
    folder = tmp_path_factory.mktemp("night")
    settings = Settings.load(ROOT / "conf/tiny.toml", options(folder, folder / "landing"))
    page = run_night(spark, settings, AS_OF)
    return Tried(settings, Store(spark, settings.paths.lake), page)


@pytest.fixture(scope="module")
def killed(spark: SparkSession, whole: Tried, tmp_path_factory: pytest.TempPathFactory) -> Tried:
    """The night on the files before its date alone, killed within a stage and run again."""
    folder = tmp_path_factory.mktemp("killed")
    landing = folder / "landing"
    for path in sorted(Path(whole.settings.paths.landing).rglob("*.*")):
        day = path.parent.name if path.suffix == ".jsonl" else path.stem
        if day < str(AS_OF):
            target = landing / path.relative_to(whole.settings.paths.landing)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    kill_within(KILLED_IN, options(folder, landing))
    settings = Settings.load(ROOT / "conf/tiny.toml", options(folder, landing))
    with blank_pages():
        page = run_night(spark, settings, AS_OF)
    return Tried(settings, Store(spark, settings.paths.lake), page)


def kill_within(stage: str, changes: list[str]) -> None:
    """Start the job as a process of its own and kill it with all its children while it is in a stage."""
    command = [sys.executable, "jobs/nightly.py", "--config", "conf/tiny.toml", "--as-of", str(AS_OF)]
    command += [word for change in changes for word in ("--set", change)]
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable, "JAVA_TOOL_OPTIONS": SHORT_LIVED}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as job:
        assert job.stderr is not None
        said = []
        for line in job.stderr:
            said.append(line)
            if f"] {stage}: running" in line:
                time.sleep(2)
                os.killpg(job.pid, signal.SIGKILL)
                return
    raise AssertionError("".join(said[-20:]))


def test_every_table_of_the_recommendation_path_has_rows(whole: Tried) -> None:
    empty = [name for name in MADE if not whole.store.read(TABLES[name]).take(1)]
    assert empty == []
    assert [r.run_date for r in whole.store.read(PUBLISHED).collect()] == [AS_OF]
    assert whole.page.stat().st_size > 50_000


def test_every_user_gets_a_full_list_in_order_without_repetition(whole: Tried) -> None:
    lines = whole.store.read_night(RECOMMENDATIONS, AS_OF).toPandas()
    users = set(whole.store.read_night(TABLES["gold.histories"], AS_OF).toPandas()["user_id"])
    assert set(lines["user_id"]) == users | {STRANGER}
    for _, lists in lines.groupby("user_id"):
        assert sorted(lists["rank"]) == list(range(1, len(lists) + 1))
        assert lists["item_id"].is_unique
        assert len(lists) >= 10


def test_new_items_are_those_that_nobody_touched(whole: Tried) -> None:
    new = whole.store.read_night(TABLES["output.new_item_recommendations"], AS_OF).toPandas()
    text = whole.store.read_night(TABLES["gold.item_text"], AS_OF).toPandas().set_index("item_id")
    assert text.loc[new["item_id"], "is_cold"].all()
    assert new.loc[new["source"] == "towers", "score"].between(0, 1).all()
    assert new.sort_values(["user_id", "rank"]).groupby("user_id")["score"].is_monotonic_decreasing.all()


def test_the_same_date_again_changes_no_row(spark: SparkSession, whole: Tried) -> None:
    names = [n for n, t in TABLES.items() if n not in ("ops.runs", "ops.stage_runs") and t.layer != "bronze"]
    before = {n: whole.store.version(TABLES[n]) for n in names}
    run_night(spark, whole.settings, AS_OF)
    assert {n: whole.store.version(TABLES[n]) for n in names} == before


@pytest.mark.parametrize("name", MADE)
def test_a_killed_night_on_the_files_before_its_date_ends_the_same(whole: Tried, killed: Tried, name: str) -> None:
    # Two claims in one: what was killed leaves nothing behind, and no file of a later day had a part in the night.
    assert killed.rows(name) == whole.rows(name)
