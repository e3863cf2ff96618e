"""What every stage owes: the declared schema, row rules and key, the same rows however the input lies, and
empty tables of the right form where there is no input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from recsynth.contracts import check_key, check_rows, check_schema, row_checks
from recsynth.pipeline import STAGES
from recsynth.stage import Night, Stage
from recsynth.tables import TABLES, Table

BY_NAME = {stage.name: stage for stage in STAGES}
Inputs = dict[str, DataFrame]
Outputs = dict[str, list[Row]]


def run(stage: Stage, inputs: Inputs, night: Night) -> Outputs:
    """The rows of every table that the stage writes, each in the order of its key; its schema is checked."""
    result = stage.function(**{TABLES[name].short: inputs[TABLES[name].short] for name in stage.reads}, night=night)
    frames = {TABLES[stage.writes[0]].short: result} if isinstance(result, DataFrame) else result
    collected = {}
    for table in (TABLES[name] for name in stage.writes):
        if table.short in frames:
            check_schema(table, frames[table.short].schema)
            rows = frames[table.short].select(*table.column_names).collect()
            collected[table.name] = sorted(rows, key=lambda row, key=table.key: tuple(str(row[k]) for k in key))
    return collected


def check_contracts(stage: Stage, inputs: Inputs, night: Night) -> None:
    """All that is owed, in three runs of the stage."""
    once = run(stage, inputs, night)
    assert any(once.values()), "the fixture gives this stage nothing to do"
    for name, rows in once.items():
        _check_declared(TABLES[name], rows, next(iter(inputs.values())))
    # The second run is of the same night, over what the first one left in its scratch folder.
    assert_same(run(stage, {name: shuffled(frame) for name, frame in inputs.items()}, night), once)
    nothing = {name: frame if name == "models" else frame.limit(0) for name, frame in inputs.items()}
    assert not any(run(stage, nothing, night).values())


def shuffled(frame: DataFrame) -> DataFrame:
    """The same rows in another order and other partitions."""
    return frame.orderBy(F.rand(1)).repartition(3)


def assert_same(found: Outputs, expected: Outputs) -> None:
    """Equal but for what a sum of floating point numbers owes to its order."""
    assert found.keys() == expected.keys()
    for name, rows in expected.items():
        assert len(found[name]) == len(rows), name
        for mine, theirs in zip(leaves(found[name]), leaves(rows), strict=True):
            is_close = isinstance(theirs, float) and mine == pytest.approx(theirs, abs=1e-5)
            assert is_close or mine == theirs, name


def leaves(value: Any) -> Iterator[Any]:
    """Every plain value inside rows, arrays and maps, in order."""
    if isinstance(value, dict):
        yield from leaves(sorted(value.items()))
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from leaves(part)
    else:
        yield value


def _check_declared(table: Table, rows: list[Row], any_frame: DataFrame) -> None:
    frame = any_frame.sparkSession.createDataFrame(rows, table.schema)
    observed = frame.agg(*row_checks(table)).first()
    assert observed is not None
    assert check_rows(table, observed.asDict()) == len(rows)
    check_key(table, frame)
