"""One list for everybody of whom nothing is known: what people take up on their first day, and what is bought now."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from recsynth.ranking.reasons import said
from recsynth.ranking.settings import RankingSettings
from recsynth.tables.output import STRANGER

FIRST_DAY = "interval 1 day"


def for_strangers(interactions: DataFrame, settings: RankingSettings, cutoff: datetime) -> DataFrame:
    """A line of user_id `*` for every item that somebody bought, scored and with all that output.recommendations says
    of it but the rank; never explored, for one draw for all of them would teach nothing.

    interactions: pairs of R with user_id, item_id, purchases, first_ts and last_ts. The score is the mean of two
    shares: of first purchases, and of all. A pair is a first purchase where it began within a day of the user's first
    pair; it counts from then, and for popularity from its last event; both halve every
    `stranger_half_life_days`. Popularity alone is mostly what regular customers buy again; tests/benchmarks/README.md
    has what either finds. In a shop that knows no purchase, all pairs count. Bound: one user's list is made in one
    task, and this one is of the catalogue.
    """
    bought = interactions.where("purchases > 0")
    pairs = interactions if bought.isEmpty() else bought
    users = interactions.groupBy("user_id").agg(F.min("first_ts").alias("known_since"))
    is_first = F.col("first_ts") < F.col("known_since") + F.expr(FIRST_DAY)

    def faded(ts: str) -> Column:
        age = (F.lit(cutoff).cast("double") - F.col(ts).cast("double")) / (24 * 3600)
        return F.pow(F.lit(2.0), -age / settings.stranger_half_life_days)

    demand = pairs.join(users, on="user_id", how="inner").groupBy("item_id").agg(
        F.sum(F.when(is_first, faded("first_ts")).otherwise(0.0)).alias("first"), F.sum(faded("last_ts")).alias("all")
    )  # fmt: skip
    whole = demand.agg(F.sum("first").alias("whole_first"), F.sum("all").alias("whole_all"))
    shares = demand.crossJoin(F.broadcast(whole)).select(
        "item_id",
        F.coalesce(F.try_divide("first", "whole_first"), F.lit(0.0)).alias("newcomers"),
        F.coalesce(F.try_divide("all", "whole_all"), F.lit(0.0)).alias("popular"),
    )
    # Sums differ in their last digits with the order of partitions: rounded, ties are ties on every machine.
    score = F.round((F.col("newcomers") + F.col("popular")) / 2, 12)
    say = settings.reasons
    reason = F.when(F.col("newcomers") > F.col("popular"), said(say.newcomers)).otherwise(said(say.popular))
    return shares.select(
        F.lit(STRANGER).alias("user_id"), "item_id", score.alias("score"), F.col("popular").alias("popular_score"),
        F.lit(None).cast("float").alias("pair_purchases"), F.array(F.lit("popular")).alias("sources"),
        reason.alias("reason"), F.array().cast("array<string>").alias("reason_items"),
        F.lit(False).alias("is_explored"), F.lit(1.0).alias("propensity"),
    )  # fmt: skip
