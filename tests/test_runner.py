"""The runner and the ledger: skip what is done, put back what died, publish whole nights only."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from recsynth.errors import ContractError
from recsynth.ledger import Done, Ledger, StageRun
from recsynth.runner import Choice, Runner
from recsynth.settings import Settings
from recsynth.stage import Frames, Night, Stage
from recsynth.store import Store
from recsynth.tables.gold import HISTORIES, INTERACTIONS, WINDOW_HISTORIES
from recsynth.tables.silver import EVENTS
from tests.rows import events, table

AS_OF = date(2024, 3, 5)
BEFORE, AFTER = datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 3, 6, tzinfo=UTC)


INTERACTION = {
    "user_id": "u", "item_id": "i", "weight": 1.0, "views": 0, "carts": 0, "purchases": 1, "quantity": 1, "opinions": 0,
    "first_ts": BEFORE, "last_ts": BEFORE,
}  # fmt: skip


def count_events(events: DataFrame, night: Night) -> Frames:
    rows = events.groupBy("user_id").count().collect()
    spark = events.sparkSession
    made = [{"user_id": r.user_id, "events": [(BEFORE, "view", f"n{r['count']}", None)]} for r in rows]
    return {"histories": table(spark, HISTORIES, made), "window_histories": table(spark, WINDOW_HISTORIES, [])}


def pairs(histories: DataFrame, night: Night) -> DataFrame:
    made = [INTERACTION | {"user_id": r.user_id, "item_id": r.events[0].item_id} for r in histories.collect()]
    return table(histories.sparkSession, INTERACTIONS, made)


def broken(histories: DataFrame, night: Night) -> DataFrame:
    once = pairs(histories, night)
    return once.union(once)


COUNT = Stage("histories", ("silver.events",), ("gold.histories", "gold.window_histories"), count_events)
PAIR = Stage("interactions", ("gold.histories",), ("gold.interactions",), pairs)
LOOK = Stage("look", ("gold.interactions",), (), pairs, sees_nights=frozenset({"gold.interactions"}))
BROKEN = Stage("interactions", ("gold.histories",), ("gold.interactions",), broken)


def test_of_what_is_written_later_tonight_the_nights_before_are_seen(spark: SparkSession, tmp_path: Path) -> None:
    store = Store(spark, str(tmp_path / "lake"))
    for days in (-2, -1, 0, 1):
        rows = table(spark, INTERACTIONS, [INTERACTION])
        store.write(INTERACTIONS, rows, AS_OF + timedelta(days=days))
        if days != -2:  # held back, say
            Ledger(store).publish(Night("run", AS_OF + timedelta(days=days), datetime.now(UTC), Settings()))
    night = Night("run", AS_OF, datetime.now(UTC), Settings())

    def seen(*stages: Stage) -> set[date]:
        rows = Runner(store, Ledger(store), night, stages).frames(LOOK)["interactions"]
        return {r.run_date for r in rows.select("run_date").distinct().collect()}

    assert seen(LOOK, PAIR) == {AS_OF - timedelta(days=1)}
    assert seen(PAIR, LOOK) == {AS_OF - timedelta(days=days) for days in (0, 1, 2)}


class Lake:
    """A lake of two stages, run as nightly.run_night does."""

    def __init__(self, spark: SparkSession, path: Path) -> None:
        self.store = Store(spark, str(path))
        self.ledger = Ledger(self.store)
        self.runs = 0

    def run(self, *stages: Stage, choice: Choice | None = None, dies: bool = False) -> Runner:
        self.runs += 1
        self.ledger.recover()
        night = Night(f"run{self.runs}", AS_OF, datetime.now(UTC), Settings())
        self.ledger.begin(night)
        runner = Runner(self.store, self.ledger, night, stages)
        try:
            runner.run(choice or Choice())
        finally:
            if not dies:
                self.ledger.put_back(night.run_id)
                self.ledger.end(night)
        if runner.is_complete():
            self.ledger.publish(night)
        return runner

    def versions(self) -> tuple[int, int]:
        return self.store.version(HISTORIES), self.store.version(INTERACTIONS)

    def items(self) -> list[str]:
        return sorted(r.item_id for r in self.store.read_night(INTERACTIONS, AS_OF).collect())


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    lake = Lake(spark, tmp_path / "lake")
    lake.store.write(EVENTS, events(spark, [("a", "x", "view", BEFORE)]), AS_OF)
    return lake


def test_a_finished_night_is_not_done_again(lake: Lake) -> None:
    lake.run(COUNT, PAIR)
    once = lake.versions()
    lake.run(COUNT, PAIR)
    assert lake.versions() == once
    assert lake.ledger.is_published(AS_OF)


@pytest.mark.slow
def test_events_after_the_date_change_nothing_and_events_before_it_do(spark: SparkSession, lake: Lake) -> None:
    lake.run(COUNT, PAIR)
    once = lake.versions()
    lake.store.write(EVENTS, events(spark, [("b", "x", "view", AFTER)], event_id="later"), AS_OF)
    lake.run(COUNT, PAIR)
    assert (lake.versions(), lake.items()) == (once, ["n1"])
    two = events(spark, [("a", "x", "view", BEFORE), ("a", "y", "view", BEFORE)])
    lake.store.write(EVENTS, two, AS_OF)
    lake.run(COUNT, PAIR)
    assert lake.items() == ["n2"]


@pytest.mark.slow
def test_a_run_that_dies_in_a_stage_leaves_nothing_of_it_behind(lake: Lake) -> None:
    lake.run(COUNT, PAIR)
    before = lake.items()
    with pytest.raises(ContractError, match="unique key"):
        lake.run(COUNT, BROKEN, choice=Choice(from_stage="interactions"), dies=True)
    assert not lake.ledger.is_published(AS_OF)
    assert len(lake.items()) == 2 * len(before)
    assert lake.ledger.recover() == ["gold.interactions"]
    assert lake.items() == before


@pytest.mark.slow
def test_the_rerun_of_a_dead_run_resumes_and_publishes(lake: Lake) -> None:
    with pytest.raises(ContractError):
        lake.run(COUNT, BROKEN, dies=True)
    histories = lake.store.version(HISTORIES)
    lake.run(COUNT, PAIR)
    assert lake.store.version(HISTORIES) == histories
    assert lake.items() == ["n1"]
    assert lake.ledger.is_published(AS_OF)


@pytest.mark.slow
def test_only_one_stage_and_from_a_stage_on(lake: Lake) -> None:
    runner = lake.run(COUNT, PAIR, choice=Choice(only="histories"))
    assert not runner.is_complete()
    assert lake.versions()[1] == -1
    lake.run(COUNT, PAIR)
    histories, interactions = lake.versions()
    lake.run(COUNT, PAIR, choice=Choice(from_stage="interactions"))
    assert lake.versions() == (histories, interactions + 1)


def test_a_stage_answers_for_the_tables_that_it_last_wrote(lake: Lake) -> None:
    # policies: of a source that was configured once; it is not missed once cleaning writes without it.
    runs = {
        1: ("clean", {"silver.events": 0, "silver.policies": 0, "gold.histories": 0}),
        2: ("clean", {"silver.events": 1, "gold.histories": 1}),
        3: ("clean", {}),
    }
    for day, (stage, written) in runs.items():
        at = datetime(2024, 3, day, tzinfo=UTC)
        night = Night(f"run{day}", at.date(), at, Settings())
        lake.ledger.finished(night, StageRun(stage, "complete", f"f{day}", {}, written, {}, 1.0, at))
    found = {day: lake.ledger.done(date(2024, 3, day))["clean"] for day in (2, 3, 4)}
    assert found == {
        2: Done("f2", frozenset({"silver.events", "gold.histories"})),
        3: Done("f3", frozenset({"silver.events"})),
        4: Done(None, frozenset({"silver.events"})),
    }
