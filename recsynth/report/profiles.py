"""The part of the page that tells who the customers are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.report import plots

EXAMPLES = 4


def profiles(tables: Mapping[str, DataFrame], metrics: pd.DataFrame) -> dict[str, Any] | None:
    """Customers by segment, drawn and in figures, a few of them in words, and what the judge found.

    None where nobody is known. Bound: a row a segment, EXAMPLES users.
    """
    known = tables["user_profiles"].where("not is_default")
    spend = F.sum(F.coalesce("spend", F.lit(0.0)))
    by = known.groupBy("segment").agg(
        F.count("*").alias("users"), spend.alias("spend"), F.avg("orders").alias("orders"),
        F.avg("recency_days").alias("recency_days"), F.avg("price_level").alias("price_level"),
        F.sum("value").alias("value"),
    )  # fmt: skip
    segments = [row.asDict() for row in by.orderBy(F.desc("users"), "segment").collect()]
    if not segments:
        return None
    some = known.where("summary <> ''").orderBy(F.xxhash64("user_id"), "user_id").limit(EXAMPLES)
    judged = metrics[metrics["stage"].isin(["judge_profiles", "user_profiles"])]
    return {
        "drawn": Markup(plots.bars([s["segment"] for s in segments], [s["users"] for s in segments], "customers")),
        "segments": segments,
        "examples": [row.asDict() for row in some.select("user_id", "summary").collect()],
        "judged": judged.sort_values(["metric", "model"]).to_dict("records"),
    }
