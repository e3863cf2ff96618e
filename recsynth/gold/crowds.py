"""Whether so many of one kind are together by chance: what alarms on crowds have in common."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F


def log_chance(found: Column, of: Column, share: Column) -> Column:
    """Logarithm of the greatest probability of at least `found` among `of`, were their share `share` or less.

    Chernoff's bound (1952) of a binomial's upper tail, exp(-n KL(found / n, share)); for found / of > share.
    """
    observed = found / of
    rest = F.when(observed < 1, (1 - observed) * F.log((1 - observed) / (1 - share))).otherwise(0.0)
    return -of * (F.when(observed > 0, observed * F.log(observed / share)).otherwise(0.0) + rest)
