"""Sums that do not depend on how the rows lie."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

# Digits behind the point: an event adds nothing to R once it is some 60 half-lives old.
EXACT = "decimal(28,18)"


def exact_sum(column: Column) -> Column:
    """The sum of doubles as a double, the same on every layout of the rows; 0 where every row is null.

    Doubles added in another order differ in their last digits, and the order is that of partitions: of cores, of the
    planner's mood, of which executor answered first. A night that was killed and run again, or run on another
    cluster, would differ from itself. Decimals add exactly.
    """
    return F.coalesce(F.sum(column.cast(EXACT)).cast("double"), F.lit(0.0))
