"""How much each item is in demand: lately, over the season, and the one against the other."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.gold.click_farms import without_farms
from recsynth.gold.interactions import age_days, at_cutoffs, weight_of
from recsynth.gold.sums import exact_sum
from recsynth.stage import Night
from recsynth.tables.gold import DEMAND_HALF_LIVES, ITEM_DEMAND


def item_demand(events: DataFrame, click_farms: DataFrame, night: Night) -> DataFrame:
    """Demand of each item as of the night and of each earlier cut-off.

    Reads silver.events and gold.click_farms; writes gold.item_demand. demand_h = sum over the item's events e of
    w(type_e) * 2^(-age_e / h) / h, a rate a day, bots and click farms left out. `trend` = (s + demand_7 / its mean) /
    (s + demand_180 / its mean), means over the items of the cut-off: 1 where an item's share of all demand
    is what it was, and near 1 where so little is known that s (gold.trend_smoothing) outweighs it.
    """
    gold = night.settings.gold
    people = events.where("not is_bot and not is_near_duplicate and item_id is not null")
    seen = without_farms(at_cutoffs(people, [night.cutoff, *night.window_cutoffs]), click_farms, gold.farms)
    seen = seen.withColumn("w", weight_of(gold)).where("w > 0")
    rates = (exact_sum(F.col("w") * F.pow(F.lit(2.0), -age_days() / h)) / h for h in DEMAND_HALF_LIVES)
    demand = seen.groupBy("cutoff", "item_id").agg(
        *(rate.alias(f"demand_{h}") for rate, h in zip(rates, DEMAND_HALF_LIVES, strict=True))
    )
    means = ((exact_sum(F.col(f"demand_{h}")) / F.count("*")).alias(f"mean_{h}") for h in (7, 180))
    mean = demand.groupBy("cutoff").agg(*means)
    now, usual = (F.col(f"demand_{h}") / F.col(f"mean_{h}") for h in (7, 180))
    trend = (now + gold.trend_smoothing) / (usual + gold.trend_smoothing)
    # Events that are older than the numbers can tell leave nothing to compare.
    known = demand.join(F.broadcast(mean), on="cutoff", how="inner").where("demand_180 > 0 and mean_7 > 0")
    return known.withColumn("trend", trend).select(*ITEM_DEMAND.column_names)
