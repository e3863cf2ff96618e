"""The list of stages agrees with the declarations of the tables and with the stages' own parameters."""

from __future__ import annotations

import inspect
from collections import Counter
from pathlib import Path

import pytest

from recsynth.pipeline import STAGES
from recsynth.stage import Stage
from recsynth.tables import TABLES

JOBS = Path(__file__).parents[1] / "jobs"
METRICS = "ops.metrics"
# Written by a job of its own, outside the night.
BY_JOB = {"model.trials": "tune", "ops.erasures": "erase", "ops.expired": "tidy"}
BY_STAGE = sorted(name for name, table in TABLES.items() if table.writer != "pipeline" and name not in BY_JOB)
each_stage = pytest.mark.parametrize("stage", STAGES, ids=lambda s: s.name)


def test_stages_have_names_of_their_own() -> None:
    assert [name for name, times in Counter(s.name for s in STAGES).items() if times > 1] == []


@pytest.mark.parametrize("name", BY_STAGE)
def test_a_table_has_one_writer_and_names_it(name: str) -> None:
    assert [s.name for s in STAGES if name in s.writes] == [TABLES[name].writer]


@pytest.mark.parametrize("name", BY_JOB)
def test_a_table_of_a_job_is_written_by_no_stage(name: str) -> None:
    assert [s.name for s in STAGES if name in s.writes] == []
    assert TABLES[name].writer == BY_JOB[name]
    assert (JOBS / f"{BY_JOB[name]}.py").is_file()


def test_what_the_pipeline_itself_writes_no_stage_does_but_metrics() -> None:
    written = {name for s in STAGES for name in s.writes}
    assert {name for name in written if TABLES[name].writer == "pipeline"} == {METRICS}


@each_stage
def test_a_stage_gets_what_it_reads_by_short_names_and_the_night(stage: Stage) -> None:
    parameters = inspect.signature(stage.function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return  # it takes whatever it reads: a check reads what rules name
    assert sorted(parameters) == sorted([*(TABLES[name].short for name in stage.reads), "night"])


@each_stage
def test_a_stage_reads_only_what_an_earlier_one_wrote_or_its_own(stage: Stage) -> None:
    earlier = {name for s in STAGES[: STAGES.index(stage)] for name in s.writes}
    of_nights_before = {"rank.features"} if stage.name == "windows" else set()
    assert set(stage.reads) - earlier - set(stage.writes) - BY_JOB.keys() == of_nights_before
    assert of_nights_before <= stage.sees_nights


@each_stage
def test_a_nightly_table_of_its_own_is_read_only_of_earlier_nights(stage: Stage) -> None:
    # Of tonight's rows it would read what it is about to replace.
    own = {name for name in set(stage.reads) & set(stage.writes) if TABLES[name].nightly}
    assert own <= stage.sees_nights


@each_stage
def test_exceptions_to_honest_time_are_of_tables_that_it_reads_and_that_have_a_time(stage: Stage) -> None:
    assert {name for name in stage.sees_future if name in stage.reads and TABLES[name].time is None} == set()
    assert stage.sees_future & set(stage.reads) or not stage.sees_future
    assert {name for name in stage.sees_nights if not TABLES[name].nightly} == set()
    assert stage.sees_nights <= set(stage.reads)


def test_of_what_becomes_features_or_models_nothing_is_seen_of_the_future() -> None:
    seers = {s.name for s in STAGES if s.sees_future}
    assert seers == {
        "clean",
        "account",
        "items",
        "reviews",
        "evaluate",
        "judge_propensity",
        "judge_demand",
        "judge_what_if",
        "judge_profiles",
        "judge_search",
    }


@each_stage
def test_a_stage_says_what_it_does(stage: Stage) -> None:
    assert (stage.function.__doc__ or "").split(".")[0].strip()


def test_short_names_are_unique_so_that_a_parameter_means_one_table() -> None:
    assert len({t.short for t in TABLES.values()}) == len(TABLES)


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_declaration_is_consistent(name: str) -> None:
    table = TABLES[name]
    named = {*table.key, *table.partition, *([table.time] if table.time else [])}
    assert named <= set(table.column_names)
    assert len(set(table.column_names)) == len(table.columns)
    assert table.grain.startswith("one row per")
    assert table.nightly == (table.write == "night")
    assert all(c.meaning for c in table.columns)
    assert {c.name for c in table.columns if not c.required} & set(table.key) == set()
