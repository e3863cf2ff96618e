"""Segments of customers by recency, frequency and money, and how steady they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.stage import Night
from recsynth.tables.ops import METRICS

SEGMENTS = {
    "champion": "bought lately, often and much",
    "loyal": "buys often",
    "promising": "bought lately, not often yet",
    "at risk": "bought often, but not lately",
    "asleep": "bought seldom and long ago",
    "looker": "has looked and not bought",
    "unknown": "nothing is known",
}
FIFTHS = 5


def scored(days: DataFrame, night: Night, days_ago: int) -> DataFrame:
    """Buyers as of so many days before the night: recency, orders, spend, their fifths and the segment.

    Fifths by approximate quantiles over all buyers (relative error 0.001): cut points, not ranks, so that one more
    buyer moves nobody else.
    """
    as_of = night.as_of - timedelta(days=days_ago)
    past = days.where((F.col("day") < F.lit(as_of)) & (F.col("lines") > 0))
    buyers = past.groupBy("user_id").agg(
        F.min(F.date_diff(F.lit(as_of), "day")).alias("recency_days"),
        F.sum("orders").cast("bigint").alias("orders"), F.sum("spend").cast("double").alias("spend"),
    )  # fmt: skip
    at = [F.lit(k / FIFTHS) for k in range(1, FIFTHS)]
    measured = ("recency_days", "orders", "spend")
    row = buyers.agg(*(F.percentile_approx(m, F.array(*at), 1000).alias(m) for m in measured)).first()
    cuts: dict[str, list[float]] = {m: (row and row[m]) or [] for m in measured}
    score = {
        m: reduce(lambda a, b: a + b, ((F.col(m) > F.lit(cut)).cast("int") for cut in cuts[m]), F.lit(1))
        for m in measured
    }
    r, f, m = FIFTHS + 1 - score["recency_days"], score["orders"], score["spend"]
    known = buyers.withColumns({"recency_score": r, "frequency_score": f, "monetary_score": m})
    late, often, much = F.col("recency_score") >= 3, F.col("frequency_score") >= 3, F.col("monetary_score") >= 3
    segment = (
        F.when(late & often & much, "champion").when(late & often, "loyal").when(late, "promising")
        .when(often, "at risk").otherwise("asleep")
    )  # fmt: skip
    return known.withColumn("segment", segment)


def stability(now: DataFrame, before: DataFrame) -> DataFrame:
    """The adjusted Rand index between tonight's segments and those a day before, as a row of ops.metrics."""
    spark = now.sparkSession
    both = now.select("user_id", F.col("segment").alias("a")).join(
        before.select("user_id", F.col("segment").alias("b")), on="user_id", how="inner"
    )
    pairs = [(r.a, r.b, r["n"]) for r in both.groupBy("a", "b").agg(F.count("*").alias("n")).collect()]
    if not pairs:
        return METRICS.empty(spark)
    value, users = adjusted_rand(pairs), sum(n for *_, n in pairs)
    row = ("user_profiles", "adjusted_rand_index", "segments", "day before", value, None, None, users)
    return spark.createDataFrame([row], METRICS.schema)


def adjusted_rand(pairs: Sequence[tuple[str, str, int]]) -> float:
    """Adjusted Rand index (Hubert and Arabie, 1985) of rows (segment, other segment, users): 1 where both agree.

    From the counts of pairs, which fit on the driver; scikit-learn's takes a label for every user.

    >>> adjusted_rand([("x", "a", 2), ("y", "b", 3)])
    1.0
    """

    def twos(counts: Sequence[int]) -> float:
        return sum(n * (n - 1) / 2 for n in counts)

    rows: dict[str, int] = {}
    columns: dict[str, int] = {}
    for a, b, n in pairs:
        rows[a], columns[b] = rows.get(a, 0) + n, columns.get(b, 0) + n
    of_pairs, of_rows, of_columns = twos([n for *_, n in pairs]), twos([*rows.values()]), twos([*columns.values()])
    everyone = twos([sum(rows.values())])
    expected = of_rows * of_columns / everyone if everyone else 0.0
    most = (of_rows + of_columns) / 2
    return 1.0 if most == expected else (of_pairs - expected) / (most - expected)
