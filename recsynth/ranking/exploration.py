"""Chance in the lists, with its probability written beside it, so that what was shown can be judged afterwards."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.ranking.settings import ExplorationSettings

_DRAWS = 1_000_000


def explored(lines: DataFrame, settings: ExplorationSettings, seed: int) -> DataFrame:
    """Ranked lines with `is_explored` and `propensity`; a share of users find another item at `place`.

    lines: user_id, item_id, rank (1 is best, without gaps). A user is drawn with probability `share`, then one of the
    n items behind `place`, each with 1 / n, changes places with the one at it. `propensity` is the chance that the
    item has its rank tonight, over the draws; it depends on the list's length and the settings alone. Who has nothing
    behind `place` is not drawn. The draw depends on the seed and the user's id, whatever the partitions.
    Source: Horvitz and Thompson, JASA 1952, for why a logged propensity is what a later estimate needs.
    """
    if not settings.share:
        return lines.withColumn("is_explored", F.lit(False)).withColumn("propensity", F.lit(1.0))
    place, share = settings.place, F.lit(settings.share)
    behind = F.count("*").over(Window.partitionBy("user_id")) - place
    chance = F.pmod(F.xxhash64(F.lit(seed), F.lit("user"), "user_id"), F.lit(_DRAWS)) / _DRAWS
    is_drawn = (behind > 0) & (chance < share)
    pick = place + 1 + F.pmod(F.xxhash64(F.lit(seed), F.lit("item"), "user_id"), F.greatest(behind, F.lit(1)))
    drawn = lines.withColumns({"behind": behind, "pick": F.when(is_drawn, pick).cast("int")})
    is_best, is_picked = F.col("rank") == place, F.col("rank") == F.col("pick")
    moved = F.when(is_best, F.coalesce("pick", "rank")).when(is_picked, F.lit(place)).otherwise(F.col("rank"))
    swapped = share / F.col("behind")
    propensity = (
        F.when((F.col("behind") <= 0) | (F.col("rank") < place), 1.0)
        .when(is_best, F.when(F.col("pick").isNull(), 1 - share).otherwise(swapped))
        .otherwise(F.when(is_picked, swapped).otherwise(1 - swapped))
    )
    # One select: both are of the ranks before the change.
    kept = [F.col(name) for name in lines.columns if name != "rank"]
    return drawn.select(
        *kept, moved.cast("int").alias("rank"), F.coalesce(is_picked, F.lit(False)).alias("is_explored"),
        propensity.alias("propensity"),
    )  # fmt: skip
