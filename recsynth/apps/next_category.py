"""The category that a user will buy from next: their own shares, drawn towards the shop's."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from recsynth.apps.settings import ProfileSettings

SMOOTHING = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
UNTRIED = 10.0
"""Weight of the shop's shares while no earlier window tells how far a user's own can be trusted."""
LEAST_CHANCE = 1e-9


def next_categories(
    interactions: DataFrame, window_interactions: DataFrame, window_labels: DataFrame, known: DataFrame,
    settings: ProfileSettings,
) -> DataFrame:  # fmt: skip
    """`next_categories` with chances: a user's shares of R, drawn towards the shop's as k units of weight would.

    p(c | u) = (w_uc + k * p_c) / (w_u + k), a Dirichlet prior around the shop's shares; k is that of SMOOTHING under
    which the purchases after the earlier cut-offs are likeliest. known: (item_id, kind, term).
    """
    of_item = known.where("kind = 'category'").select("item_id", F.col("term").alias("category"))
    then = _weights(window_interactions.join(of_item, on="item_id", how="inner"), ["cutoff", "user_id"])
    later = window_labels.join(of_item, on="item_id", how="inner").groupBy("cutoff", "user_id", "category")
    bought = later.agg(F.sum("purchases").alias("n"))
    shop = then.groupBy("cutoff", "category").agg(F.sum("w").alias("w"))
    shop = shop.withColumn("usual", F.col("w") / F.sum("w").over(Window.partitionBy("cutoff"))).drop("w")
    totals = then.select("cutoff", "user_id", "total").distinct()
    seen = bought.join(totals, on=["cutoff", "user_id"], how="inner")
    seen = seen.join(then.drop("total"), on=["cutoff", "user_id", "category"], how="left")
    seen = seen.join(F.broadcast(shop), on=["cutoff", "category"], how="left").fillna(0.0, subset=["w", "usual"])
    likely = [F.sum(F.col("n") * F.log(F.greatest(_drawn(k), F.lit(LEAST_CHANCE)))).alias(str(k)) for k in SMOOTHING]
    found = seen.agg(*likely).first()
    is_known = found is not None and found[str(SMOOTHING[0])] is not None
    k = max(SMOOTHING, key=lambda k: round(found[str(k)], 6)) if is_known else UNTRIED  # type: ignore[index]
    now = _weights(interactions.join(of_item, on="item_id", how="inner"), ["user_id"])
    usual = now.groupBy("category").agg(F.sum("w").alias("w"))
    usual = usual.withColumn("usual", F.col("w") / F.sum("w").over(Window.partitionBy(F.lit(0)))).drop("w")
    # Every user against the categories that most of the shop's weight lies in: bounded by `categories`.
    popular = usual.orderBy(F.desc(F.round("usual", 9)), "category").limit(settings.categories)
    of_user = now.select("user_id", "total").distinct().crossJoin(F.broadcast(popular))
    of_user = of_user.join(now.drop("total"), on=["user_id", "category"], how="left").fillna(0.0, subset=["w"])
    listed = F.struct((-F.round(_drawn(k), 6)).alias("order"), "category", F.round(_drawn(k), 6).alias("probability"))
    made = of_user.groupBy("user_id").agg(F.sort_array(F.collect_list(listed)).alias("next_categories"))
    return made.withColumn("next_categories", F.transform("next_categories", lambda c: c.dropFields("order")))


def _weights(met: DataFrame, key: list[str]) -> DataFrame:
    """Rows of key, category, w and total: the weight of R in each category and in all."""
    summed = met.groupBy(*key, "category").agg(F.sum("weight").alias("w"))
    return summed.withColumn("total", F.sum("w").over(Window.partitionBy(*key)))


def _drawn(k: float) -> Column:
    return (F.col("w") + k * F.col("usual")) / (F.col("total") + k)
