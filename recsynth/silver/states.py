"""States: landed rows that tell of one thing again, a ticket with its answer, a post with its label, as one row."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from recsynth.tables.table import Table


def folded(fresh: DataFrame, before: DataFrame, table: Table) -> DataFrame:
    """Good rows of a table whose key holds all that they say, one a key, with the copies that silver counts already."""
    key = list(table.key)
    rest = [c for c in table.column_names if c not in (*key, "copies")]
    new = fresh.groupBy(*key).agg(F.count("*").alias("fresh"), *(F.first(c).alias(c) for c in rest))
    both = new.join(before.select(*key, "copies"), on=key, how="left")
    total = F.col("fresh") + F.coalesce("copies", F.lit(0))
    return both.withColumn("copies", total).select(*table.column_names)


def latest_states(fresh: DataFrame, before: DataFrame, table: Table, order: Sequence[Column]) -> DataFrame:
    """Good rows and what silver has of the same keys, folded to one by the greatest `order`; `copies` add up.

    Of rows that tell no different story of time, a hash of their content decides, in whatever order they landed.
    """
    key = list(table.key)
    new = fresh.withColumn("copies", F.lit(1).cast("bigint")).select(*table.column_names)
    known = before.join(new.select(*key).distinct(), on=key, how="left_semi")
    both = known.select(*table.column_names).unionByName(new)
    told = [c for c in table.column_names if c not in (*key, "copies")]
    latest = F.max_by(F.struct(*told), F.struct(*order, F.xxhash64(*told)))
    folded = both.groupBy(*key).agg(latest.alias("told"), F.sum("copies").alias("copies"))
    return folded.select(*key, "told.*", "copies").select(*table.column_names)
