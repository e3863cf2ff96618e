"""The page for whoever is on call names every exit code, rule, table and warning that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.functions import lit

from recsynth import errors, lock
from recsynth.checks.settings import default_rules
from recsynth.tables import TABLES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "jobs/README.md").read_text()
KINDS = [
    kind
    for module in (errors, lock)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, errors.RecsynthError) and kind is not errors.RecsynthError
]


@pytest.mark.parametrize("kind", sorted(set(KINDS), key=lambda k: k.exit_code), ids=lambda k: k.__name__)
def test_every_exit_code_is_told(kind: type[errors.RecsynthError]) -> None:
    assert f"| {kind.exit_code} | `{kind.__name__}`: " in PAGE


def test_every_rule_of_ours_is_told_once_and_what_warns_is_said_to() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    told = {name: row for row in rows for name in re.findall(r"`(\w+)`", row.split(" | ")[0])}
    for rule in default_rules():
        assert ("warns only" in told[rule.name]) == (rule.on_failure == "warn"), rule.name


def test_every_table_of_ops_is_told() -> None:
    assert {name for name in TABLES if name.startswith("ops.")} <= set(re.findall(r"^\| `(ops\.\w+)`", PAGE, re.M))


@pytest.mark.parametrize(
    "line", ["put back what a dead run left", "taking the lake over from", "the lake's lock was not renewed"]
)
def test_a_warning_that_is_explained_is_one_that_is_given(line: str) -> None:
    source = "".join(path.read_text() for path in sorted((ROOT / "recsynth").glob("*.py")))
    assert f"`{line}`" in PAGE
    assert line in source


def test_every_query_runs_on_tables_as_they_are_declared(spark: SparkSession) -> None:
    (code,) = re.findall(r"```sql\n(.*?)```", PAGE, re.S)
    statements = [one for one in code.split(";") if one.strip()]
    for statement in statements:
        (name,) = re.findall(r"delta\.`/data/lake/(\w+/\w+)`", statement)
        declared = TABLES[name.replace("/", ".")]
        rows = declared.empty(spark)
        rows = rows.withColumn("run_date", lit(None).cast("date")) if declared.nightly else rows
        rows.createOrReplaceTempView("declared")
        assert spark.sql(statement.replace(f"delta.`/data/lake/{name}`", "declared")).count() == 0
    assert len(statements) == 5
