"""Check: judge the finished tables of the night by the rules, before readers see them."""

from __future__ import annotations

import logging
from math import isfinite

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from recsynth.checks.passes import Found, broken_where, check_sql, find
from recsynth.checks.settings import CheckSettings
from recsynth.checks.verdicts import verdict
from recsynth.stage import Night
from recsynth.tables import RUN_DATE, TABLES
from recsynth.tables.ops import CHECKS

log = logging.getLogger(__name__)


def check(night: Night, **tables: DataFrame) -> DataFrame:
    """Judge every rule in force.

    Reads every table that a rule may name, as it stood before the as-of date, and ops.checks of earlier nights; writes
    ops.checks. A good night is one on which no rule failed that holds a night back: only those are compared with. With
    `checks.hold` off no rule holds: what a shop publishes in spite of one is what later nights are compared with.
    Collected: a row a rule, and past rows of at most `checks.nights` nights.
    """
    settings = night.settings.checks
    by_name = {table.name: tables[table.short] for table in TABLES.values() if table.short in tables}
    spark = next(iter(by_name.values())).sparkSession
    rules = settings.in_force
    before = _good_nights(by_name[CHECKS.name], settings)
    last = {rule: Found(rows=rows[-1]["rows"], profile=rows[-1]["profile"]) for rule, rows in before.items()}
    found = find(rules, by_name, last, night)
    made = []
    for rule in rules:
        past = [row.value for row in before.get(rule.name, []) if row.value is not None and isfinite(row.value)]
        on_failure = rule.on_failure if settings.hold else "warn"
        judged = verdict(rule, found[rule.name], past, last.get(rule.name, Found()), settings.least_nights)
        if judged.outcome == "failed":
            log.warning("rule %s on %s (%s): %s", rule.name, rule.table, on_failure, judged.said)
        made.append((
            rule.name, rule.table, rule.kind, on_failure, judged.outcome, judged.said,
            found[rule.name].rows, found[rule.name].broken, judged.value, judged.low, judged.high,
            broken_where(rule, night), rule.measured, past, dict(found[rule.name].profile),
        ))  # fmt: skip
    return spark.createDataFrame(made, CHECKS.schema)


def check_rules(spark: SparkSession, settings: CheckSettings) -> None:
    """Raise SettingsError for the first rule whose SQL does not fit its table; reads and writes nothing."""
    names = {rule.table for rule in settings.in_force}
    check_sql(settings.in_force, {name: TABLES[name].empty(spark) for name in names})


def _good_nights(checks: DataFrame, settings: CheckSettings) -> dict[str, list[Row]]:
    """Rule to its rows (value, rows, profile) of the last good nights, oldest first."""
    bad = checks.where("on_failure = 'hold' and outcome = 'failed'").select(RUN_DATE).distinct()
    good = checks.join(bad, on=RUN_DATE, how="left_anti")
    last = good.select(RUN_DATE).distinct().orderBy(F.desc(RUN_DATE)).limit(settings.nights)
    kept = good.join(last, on=RUN_DATE).select(RUN_DATE, "rule", "measured", "value", "rows", "profile")
    rows: dict[str, list[Row]] = {}
    measured = {rule.name: rule.measured for rule in settings.in_force}
    for row in kept.orderBy(RUN_DATE).collect():  # bound: nights * rules
        if row.measured == measured.get(row.rule):
            rows.setdefault(row.rule, []).append(row)
    return rows
