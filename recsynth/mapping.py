"""A landed row as its source's expressions read it, its texts as they are compared, and which search led to it."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from recsynth.expressions import references
from recsynth.source import PATH, SourceSettings

LED_TO = ("click", "cart", "purchase")
"""What tells that a search found something: what its user takes up after it."""


def mapped(rows: DataFrame, source: SourceSettings) -> DataFrame:
    """Give each row of bronze.rows the source's mapped columns as `m_<column>` and `failed_filter`.

    A column that the row's file lacks is null; one that it has under an alias is read there.
    """
    named = sorted(read_columns(source))
    fields = {n: F.coalesce(*(F.col("fields")[k] for k in (n, *source.aliases.get(n, ())))) for n in named}
    rows = rows.select("file_id", "source", "raw", "fields", PATH, *(v.alias(n) for n, v in fields.items()))
    failed = [F.when(~F.coalesce(F.expr(sql), F.lit(False)), F.lit(name)) for name, sql in source.filters.items()]
    return rows.select(
        "file_id", "source", "raw", F.col("fields").isNull().alias("is_malformed"),
        F.coalesce(*failed, F.lit(None).cast("string")).alias("failed_filter"),
        *(F.expr(sql).alias(f"m_{c}") for c, sql in source.columns.items()),
        *(F.expr(sql).alias(f"i_{c}") for c, sql in source.item_columns.items()),
    )  # fmt: skip


def read_columns(source: SourceSettings) -> set[str]:
    """The source's own columns that its expressions read, by the names that these use."""
    return {n for sql in source.expressions for n in references(sql, f"source {source.name}")} - {PATH}


def with_known_names(sources: Sequence[SourceSettings], column_changes: DataFrame) -> list[SourceSettings]:
    """The sources, with the names under which columns came in later files among their aliases.

    Bound on the driver: columns that were ever renamed.
    """
    renamed = column_changes.where("change = 'renamed'").select("source", "column", "found").distinct().collect()
    found: dict[str, dict[str, list[str]]] = {s.name: {k: [*v] for k, v in s.aliases.items()} for s in sources}
    for row in sorted(renamed):
        names = found.get(row.source, {}).setdefault(row.column, [])
        if row.found not in names:
            names.append(row.found)
    return [s.model_copy(update={"aliases": found[s.name]}) for s in sources]


def text(name: str) -> Column:
    """A mapped column as trimmed text; null where nothing is left."""
    trimmed = F.trim(F.col(f"m_{name}").cast("string"))
    return F.when(trimmed != "", trimmed)


def normalised(query: Column) -> Column:
    """Lower case, white space folded and trimmed; null where nothing is left."""
    folded = F.trim(F.regexp_replace(F.lower(query), r"\s+", " "))
    return F.when(folded != "", folded)


def with_searches(events: DataFrame) -> DataFrame:
    """Events with `search`, what a search looked for, and `led_by`, the search that is credited with an event.

    That is the last one before it in its session, or where the shop logs the search with the event itself, that one.
    """
    so_far = (
        Window.partitionBy("user_id", "session_id").orderBy("ts", "event_id").rowsBetween(Window.unboundedPreceding, 0)
    )
    searched = events.withColumn("search", normalised(F.when(F.col("event_type") == "search", F.col("query"))))
    last = F.last("search", ignorenulls=True).over(so_far)
    return searched.withColumn("led_by", F.coalesce(normalised(F.col("query")), last))
