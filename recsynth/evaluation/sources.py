"""What each candidate source finds of what people went on to buy: recall, and what it alone finds."""

from __future__ import annotations

from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from recsynth.tables.rank import SOURCES

DEPTHS = (50, 100, 300)
UNION, ALONE = "union", "found_alone"


def source_recall(tonight: DataFrame, judges: DataFrame) -> list[tuple[object, ...]]:
    """Rows of ops.metrics: recall of each source's own proposals and of their union, and what only one source found.

    tonight: rank.candidates of the night; judges: user_id, `wanted` and `bought`. recall@k is the share of what a user
    bought that stands among the first k of what the source proposed, the mean over users; `found_alone` the share that
    no other source proposed. Segments as of the lists: every purchase, and what the user had never bought. Bound: one
    row reaches the driver.
    """
    pairs = judges.select("user_id", "bought", F.explode("wanted").alias("item_id")).withColumn(
        "is_new", ~F.array_contains("bought", F.col("item_id"))
    )
    proposed = pairs.drop("bought").join(tonight, on=["user_id", "item_id"], how="left")
    found = {key: F.coalesce(hit, F.lit(False)).cast("double") for key, hit in _found().items()}
    named = [hit.alias(f"{i}") for i, hit in enumerate(found.values())]
    hits = proposed.select("user_id", "is_new", *named)
    views = {"all": F.lit(True), "new": F.col("is_new")}
    of_user = [
        F.avg(F.when(is_in, F.col(f"{i}"))).alias(f"{view}_{i}")
        for view, is_in in views.items()
        for i in range(len(found))
    ]
    users = hits.groupBy("user_id").agg(*of_user)
    means = [F.avg(f"{view}_{i}").alias(f"{view}_{i}") for view in views for i in range(len(found))]
    counts = [F.count(f"{view}_0").alias(f"{view}_n") for view in views]
    row = users.agg(*means, *counts).first()
    assert row is not None
    return [
        ("evaluate", metric, source, f"candidates/{view}", round(row[f"{view}_{i}"], 9), None, None, row[f"{view}_n"])
        for view in views
        if row[f"{view}_n"]
        for i, (metric, source) in enumerate(found)
    ]


def _found() -> dict[tuple[str, str], Column]:
    """(metric, source) to whether a pair was found so."""
    is_own = {source: F.array_contains("sources", source) for source in SOURCES}
    found: dict[tuple[str, str], Column] = {}
    for depth in DEPTHS:
        among = {source: is_own[source] & (F.col(f"{source}_rank") <= depth) for source in SOURCES}
        found |= {(f"recall@{depth}", source): hit for source, hit in among.items()}
        found[f"recall@{depth}", UNION] = reduce(or_, (F.coalesce(hit, F.lit(False)) for hit in among.values()))
    found |= {(ALONE, source): is_own[source] & (F.size("sources") == 1) for source in SOURCES}
    return found
