"""What a DataFrame must satisfy to be a declared table, checked in the same pass that writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StructType

from recsynth.errors import ContractError
from recsynth.tables import Table


def check_schema(table: Table, found: StructType, run_date: str = "") -> None:
    """Raise ContractError at the first column that is missing, unknown or of another type.

    Costs no pass over the data. Nullability is a matter of rows, not of the schema.
    """
    expected, have = {f.name: f.dataType for f in table.schema}, {f.name: f.dataType for f in found}
    for name in [n for n in expected if n not in have]:
        raise ContractError(table.name, name, expected[name].simpleString(), "no such column", run_date)
    for name in [n for n in have if n not in expected]:
        raise ContractError(table.name, name, "no such column", have[name].simpleString(), run_date)
    for name, type_ in expected.items():
        if _plain(type_) != _plain(have[name]):
            raise ContractError(table.name, name, type_.simpleString(), have[name].simpleString(), run_date)


def completed(table: Table, rows: DataFrame) -> DataFrame:
    """Rows of a lake that was written before the table had some of its columns, with what these hold of such rows.

    A column that must not be null and says nothing of them stays missing: check_schema tells of it.
    """
    lacking = [c for c in table.columns if c.name not in rows.columns and c.is_addable]
    if not lacking:
        return rows
    told = {c.name: F.expr(c.before or "NULL").cast(c.type).alias(c.name, metadata=c.comment) for c in lacking}
    return rows.withColumns(told)


def row_checks(table: Table) -> list[SparkColumn]:
    """Aggregates to observe while the rows are written: their count, and how many break each rule."""
    # In SQL: a night has a thousand rules, and each function of PySpark in one is a question more to the JVM.
    return [
        F.expr("count(1) AS rows"),
        *(F.expr(f"count(CASE WHEN {broken} THEN 1 END) AS {alias}") for alias, _, _, broken in _rules(table)),
    ]


def check_rows(table: Table, observed: Mapping[str, int], run_date: str = "") -> int:
    """Raise ContractError for the first rule that some row breaks; return the number of rows."""
    for alias, column, rule, _ in _rules(table):
        if observed.get(alias):
            raise ContractError(
                table.name, column, rule, f"{observed[alias]} of {observed['rows']} rows break it", run_date
            )
    return int(observed.get("rows", 0))


def check_key(table: Table, rows: DataFrame, run_date: str = "") -> None:
    """Raise ContractError if two rows share the key."""
    if not table.key:
        return
    twice = rows.groupBy(*table.key).count().where("count > 1").take(1)
    if twice:
        raise ContractError(table.name, ", ".join(table.key), "a unique key", f"twice {twice[0].asDict()}", run_date)


def _rules(table: Table) -> Iterator[tuple[str, str, str, str]]:
    """Alias, column, rule in words and, in SQL, the condition of a row that breaks it."""
    for i, column in enumerate(table.columns):
        if column.required:
            yield f"null_{i}", column.name, "not null", f"`{column.name}` IS NULL"
        if column.rule:
            yield f"rule_{i}", column.name, column.rule, f"NOT ({column.rule})"


def _plain(type_: DataType) -> str:
    """The type without nullability, which Spark derives and a contract does not judge."""
    return type_.simpleString()
