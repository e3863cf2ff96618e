"""What the rules find in a table: all rules on the same rows in one pass."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import reduce
from itertools import zip_longest
from operator import and_

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, NumericType

from recsynth.checks.settings import RuleSettings
from recsynth.errors import SettingsError
from recsynth.stage import Night
from recsynth.tables import TABLES

ON_ROWS = ("not_null", "range", "set", "pattern", "condition", "unique", "foreign_key")
ALONE = ("unique", "foreign_key", "distribution")
# Of a column of words, the values that are told apart; of numbers, the parts of equal size.
VALUES, PARTS = 20, 10
OTHER = "(other)"
# Spark turns most of what the JVM throws into exceptions of its own, and hands the rest on.
_FAULTS = (PySparkException, Py4JJavaError)


@dataclass(frozen=True)
class Found:
    """What a rule found. `value`: share of broken rows, days since the newest, or the figure; None without rows.

    `profile`: of a distribution, value or lower edge of a bin to its share; `before`: the last good night's bins with
    their shares now.
    """

    rows: int | None = None
    broken: int | None = None
    value: float | None = None
    profile: Mapping[str, float] = field(default_factory=dict)
    before: Mapping[str, float] = field(default_factory=dict)


def find(
    rules: Sequence[RuleSettings], tables: Mapping[str, DataFrame], last: Mapping[str, Found],
    night: Night,
) -> dict[str, Found]:  # fmt: skip
    """Rule to what it found; `tables` by full name, `last`: what each found on the last good night.

    Rules on the same rows of a table (`where` and `days`) share one aggregate; unique, foreign_key and distribution
    take passes of their own, because they need the rows of one key or value together. Collected: a row a group of
    rules, and a row a value of a distribution.
    """
    groups: dict[tuple[str, str, int], list[RuleSettings]] = defaultdict(list)
    for rule in rules:
        groups[rule.table, rule.where, rule.days].append(rule)
    found: dict[str, Found] = {}
    for group in groups.values():
        rows = tables[group[0].table].where(scope(group[0], night))
        together = [r for r in group if r.kind not in ALONE]
        found |= _together(together, rows, night) if together else {}
        for rule in group:
            before = last.get(rule.name, Found()).profile
            if rule.kind == "unique":
                found[rule.name] = _unique(rule, rows)
            elif rule.kind == "foreign_key":
                found[rule.name] = _foreign_key(rule, rows, tables[rule.references])
            elif rule.kind == "distribution":
                is_number = isinstance(rows.schema[rule.columns[0]].dataType, NumericType)
                found[rule.name] = (_numbers if is_number else _words)(rule, rows, before)
    return found


def _together(rules: Sequence[RuleSettings], rows: DataFrame, night: Night) -> dict[str, Found]:
    """One pass; where its SQL fails on some row, each rule by itself, to name the one at fault."""
    try:
        return _one_pass(rules, rows, night)
    except _FAULTS:
        for rule in rules:
            try:
                _one_pass([rule], rows, night)
            except _FAULTS as error:
                raise _refused(rule, error) from error
        raise


def scope(rule: RuleSettings, night: Night) -> str:
    """SQL condition of the rows that a rule judges."""
    table = TABLES[rule.table]
    parts = [f"({rule.where})"] if rule.where else []
    if rule.days and table.time is not None:
        is_day = isinstance(table.schema[table.time].dataType, DateType)
        day = f"date '{night.as_of - timedelta(days=rule.days)}'"
        instant = f"timestamp_seconds({int(night.cutoff_before(rule.days).timestamp())})"
        parts.append(f"{table.time} >= {day if is_day else instant}")
    return " and ".join(parts) or "true"


def broken_where(rule: RuleSettings, night: Night) -> str | None:
    """SQL condition of the rows that break a rule on single rows; None for the other kinds."""
    condition = _broken(rule)
    return None if condition is None else f"{scope(rule, night)} and ({condition})"


def _broken(rule: RuleSettings) -> str | None:
    columns = [f"`{c}`" for c in rule.columns]
    match rule.kind:
        case "not_null":
            parts = [f"{c} is null" for c in columns]
        case "range":
            parts = [f"{c} < {rule.min}" for c in columns if rule.min is not None]
            parts += [f"{c} > {rule.max}" for c in columns if rule.max is not None]
        case "set":
            values = ", ".join(map(_quoted, rule.values))
            parts = [f"cast({c} as string) not in ({values})" for c in columns]
        case "pattern":
            parts = [f"not cast({c} as string) rlike {_quoted(rule.pattern)}" for c in columns]
        case "condition":
            parts = [f"not coalesce({rule.condition}, false)"]
        case _:
            return None
    return " or ".join(parts)


def check_sql(rules: Sequence[RuleSettings], tables: Mapping[str, DataFrame]) -> None:
    """Raise SettingsError that names the first rule whose SQL the table does not know or whose pattern is none."""
    for rule in rules:
        rows = tables[rule.table]
        try:
            scoped = rows.where(rule.where) if rule.where else rows
            if condition := _broken(rule):
                _ = scoped.where(condition).schema
            if rule.kind == "figure":
                _ = scoped.agg(F.expr(rule.expression).cast("double")).schema
            if rule.kind == "pattern":
                # Spark itself would compile it only when it meets a row.
                jvm = rows.sparkSession._jvm
                assert jvm is not None
                jvm.java.util.regex.Pattern.compile(rule.pattern)
        except _FAULTS as error:
            raise _refused(rule, error) from error


def _refused(rule: RuleSettings, error: PySparkException | Py4JJavaError) -> SettingsError:
    words = error.java_exception.getMessage() if isinstance(error, Py4JJavaError) else str(error)
    said = " ".join(str(words).split("\n")[0].split())[:300]
    return SettingsError(f"checks.rules {rule.name}: expected SQL on {rule.table}, found: {said}")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _one_pass(rules: Sequence[RuleSettings], rows: DataFrame, night: Night) -> dict[str, Found]:
    answer = rows.agg(F.count(F.lit(1)), *(_aggregate(rule, night) for rule in rules)).first()
    assert answer is not None
    count, *answers = answer
    found = zip(rules, answers, strict=True)
    return {rule.name: _share(count, one) if rule.kind in ON_ROWS else Found(value=one) for rule, one in found}


def _aggregate(rule: RuleSettings, night: Night) -> Column:
    if (condition := _broken(rule)) is not None:
        return F.count_if(F.expr(condition))
    if rule.kind == "freshness":
        newest = F.max(F.col(rule.columns[0]).cast("timestamp").cast("double"))
        return (F.lit(night.cutoff.timestamp()) - newest) / 86_400
    return F.expr(rule.expression).cast("double")


def _share(rows: int, broken: int) -> Found:
    return Found(rows, broken, broken / rows) if rows else Found(0, 0)


def _unique(rule: RuleSettings, rows: DataFrame) -> Found:
    sizes = _with_values(rows, rule.columns).groupBy(*rule.columns).count()
    counted = sizes.agg(F.sum("count").alias("rows"), F.sum(F.col("count") - 1).alias("broken")).first()
    assert counted is not None
    return _share(counted["rows"] or 0, counted["broken"] or 0)


def _with_values(rows: DataFrame, columns: Sequence[str]) -> DataFrame:
    """Rows without a null among the columns: as in SQL, an unknown key is neither twice nor without its other."""
    return rows.where(reduce(and_, (F.col(c).isNotNull() for c in columns)))


def _foreign_key(rule: RuleSettings, rows: DataFrame, others: DataFrame) -> Found:
    judged = _with_values(rows, rule.columns).select(*rule.columns)
    there = others.select(*rule.columns).distinct().withColumn("there", F.lit(1))
    counted = (
        judged.join(there, on=list(rule.columns), how="left")
        .agg(F.count("*").alias("rows"), F.count_if(F.col("there").isNull()).alias("broken"))
        .first()
    )
    assert counted is not None
    return _share(counted["rows"], counted["broken"])


def _numbers(rule: RuleSettings, rows: DataFrame, before: Mapping[str, float]) -> Found:
    """Shares of the parts of a column of numbers, and of those into which the last good night's fell."""
    number = F.nullif(F.col(rule.columns[0]).cast("double"), F.lit(math.nan))
    shares = F.array(*(F.lit(k / PARTS) for k in range(PARTS + 1)))
    first = rows.agg(F.percentile_approx(number, shares, F.lit(10_000)), F.count(number)).first()
    assert first is not None
    if not first[1]:
        return Found()
    # Nothing lies below the least or above the greatest, so that numbers that leave that span are seen to have moved.
    edges = sorted({-math.inf, *first[0], math.nextafter(max(first[0]), math.inf)})
    old = sorted(map(float, before))
    counted = rows.agg(*(F.count_if(b) for b in (*_bins(number, edges), *_bins(number, old)))).first()
    assert counted is not None
    filled = [n / first[1] for n in counted]
    now = dict(zip(map(repr, edges), filled, strict=False))
    return Found(rows=first[1], profile=now, before=dict(zip(map(repr, old), filled[len(edges) :], strict=True)))


def _bins(number: Column, edges: Sequence[float]) -> list[Column]:
    """A condition for each bin, from its lower edge to the next one."""
    ends = zip_longest(edges, edges[1:])
    return [(number >= low) & (F.lit(True) if end is None else number < end) for low, end in ends]


def _words(rule: RuleSettings, rows: DataFrame, before: Mapping[str, float]) -> Found:
    """Shares of the commonest values of a column, and of those that the last good night knew."""
    word = F.col(rule.columns[0]).cast("string").alias("word")
    counts = rows.where(F.col(rule.columns[0]).isNotNull()).groupBy(word).count()
    total = counts.agg(F.sum("count")).first()
    known = int(total[0] or 0) if total else 0
    if not known:
        return Found()
    commonest = counts.orderBy(F.desc("count"), "word").limit(VALUES).collect()
    old = counts.where(F.col("word").isin(*before)).collect() if before else []  # bound: VALUES rows
    profile = {r.word: r["count"] / known for r in commonest}
    now = dict.fromkeys(before, 0.0) | {r.word: r["count"] / known for r in old}
    return Found(
        rows=known, profile=_with_other(profile), before=_with_other({k: v for k, v in now.items() if k != OTHER})
    )


def _with_other(shares: dict[str, float]) -> dict[str, float]:
    rest = 1.0 - sum(shares.values())
    return shares | {OTHER: max(0.0, rest)} if shares else {}
