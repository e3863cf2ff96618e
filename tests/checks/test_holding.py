"""A night that breaks a rule which holds is done but not published, and readers stay where they were."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from recsynth.checks.settings import default_rules
from recsynth.errors import HeldError
from recsynth.nightly import run_night
from recsynth.pipeline import STAGES
from recsynth.settings import Settings
from recsynth.stage import Frames, Night, Stage
from recsynth.store import Store
from recsynth.tables.gold import HISTORIES, WINDOW_HISTORIES
from recsynth.tables.ops import CHECKS, PUBLISHED, RUNS
from recsynth.tables.silver import EVENTS
from tests.pages import blank_pages
from tests.rows import events, table

pytestmark = pytest.mark.slow

FIRST, SECOND = date(2024, 3, 5), date(2024, 3, 6)
TS = datetime(2024, 3, 1, tzinfo=UTC)
RULE = {"name": "enough_users", "table": "gold.histories", "kind": "figure", "expression": "count(*)", "min": 2,
        "on_failure": "hold"}  # fmt: skip


def histories(events: DataFrame, night: Night) -> Frames:
    """As many users as the night's seed says: the second night loses one."""
    users = ["a", "b"] if night.as_of == FIRST else ["a"]
    spark = events.sparkSession
    made = [{"user_id": user, "events": [(TS, "view", "x", None)]} for user in users]
    return {"histories": table(spark, HISTORIES, made), "window_histories": table(spark, WINDOW_HISTORIES, [])}


NIGHT = (
    Stage("histories", ("silver.events",), (HISTORIES.name, WINDOW_HISTORIES.name), histories),
    # The real stage on the tables of these rules alone: forty that are not there take their time.
    replace(next(stage for stage in STAGES if stage.name == "check"), reads=(HISTORIES.name, CHECKS.name)),
)


class Lake:
    """A lake of two stages, the second of which judges."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark, self.folder = spark, folder
        self.store = Store(spark, str(folder / "lake"))

    def run(self, as_of: date, **checks: Any) -> Path:
        paths = {name: str(self.folder / name) for name in ("landing", "lake", "report")}
        section = {"rules": [RULE], "without": [r.name for r in default_rules()], **checks}
        return run_night(self.spark, Settings.model_validate({"paths": paths, "checks": section}), as_of, stages=NIGHT)

    def published(self) -> list[date]:
        return sorted(r.run_date for r in self.store.read(PUBLISHED).collect())


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A good night, then a bad one."""
    lake = Lake(spark, tmp_path_factory.mktemp("held"))
    for n in range(2):
        lake.store.write(EVENTS, events(spark, [("a", "x", "view", TS + timedelta(days=n))]), FIRST)
    with blank_pages():
        lake.run(FIRST)
    with pytest.raises(HeldError, match=r"2024-03-06: .*enough_users failed.*not published") as held:
        lake.run(SECOND)
    assert held.value.exit_code == 9
    return lake


def test_readers_stay_on_the_night_before(lake: Lake) -> None:
    assert lake.published() == [FIRST]


def test_the_run_and_the_rule_say_why(lake: Lake) -> None:
    run = lake.store.read(RUNS).where(f"run_date = '{SECOND}'").first()
    assert run is not None
    assert (run.status, run.error) == ("failed", "held back by enough_users")
    row = lake.store.read_night(CHECKS, SECOND).where("rule = 'enough_users'").first()
    assert row is not None
    assert (row.outcome, row.value, row.low, list(row.past)) == ("failed", 1.0, 2.0, [2.0])
    assert row.said == "count(*) 1, expected at least 2"


def test_the_page_says_so_above_everything_else(lake: Lake) -> None:
    page = (lake.folder / "report" / str(SECOND) / "index.html").read_text()
    assert page.index("This night is held back: it breaks enough users") < page.index("<h2")
    assert "held back" not in (lake.folder / "report" / str(FIRST) / "index.html").read_text()


@pytest.mark.usefixtures("without_pages")
def test_the_same_date_again_is_held_again_and_changes_no_table(lake: Lake) -> None:
    before = lake.store.version(CHECKS), lake.store.version(HISTORIES), lake.store.version(PUBLISHED)
    with pytest.raises(HeldError):
        lake.run(SECOND)
    assert (lake.store.version(CHECKS), lake.store.version(HISTORIES), lake.store.version(PUBLISHED)) == before


def test_who_holds_nothing_publishes_and_no_other_stage_is_done_anew(lake: Lake) -> None:
    histories = lake.store.version(HISTORIES)
    lake.run(SECOND, hold=False)
    assert lake.published() == [FIRST, SECOND]
    assert lake.store.version(HISTORIES) == histories
    # Judged by the old rule again, it is taken back: what readers see keeps the rules in force.
    with pytest.raises(HeldError):
        lake.run(SECOND)
    assert lake.published() == [FIRST]
