"""The part of the page that tells what reviews say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.report import plots
from recsynth.tables.output import POLARITIES, WHOLE

LINES, ASPECTS = 8, 20


def sentiment(tables: Mapping[str, DataFrame], metrics: pd.DataFrame) -> dict[str, Any] | None:
    """Reviews by week and polarity, aspects by mean score, the items that people complain of most, the judge.

    None where no review was read. Bound: a row a week and polarity, ASPECTS aspects, LINES items.
    """
    said = tables["review_sentiment"]
    counts = {p: F.sum(f"{p}_reviews").alias(p) for p in POLARITIES}
    whole = said.where(F.col("aspect") == WHOLE)
    week = F.date_trunc("week", "day").cast("date").cast("string")
    weeks = whole.groupBy(week.alias("week")).agg(*counts.values()).orderBy("week").toPandas()
    if not len(weeks):
        return None
    mean = F.sum(F.col("score") * F.col("reviews")) / F.sum("reviews")
    by = [mean.alias("score"), F.sum("reviews").alias("reviews")]
    of_aspect = said.where(F.col("aspect") != WHOLE).groupBy("aspect").agg(*by)
    aspects = of_aspect.orderBy(F.desc("reviews"), "aspect").limit(ASPECTS).orderBy("score").toPandas()
    of_item = whole.groupBy("item_id").agg(
        *by, F.min_by("sentence", F.when(F.col("sentence").isNotNull(), F.struct("score", "day"))).alias("sentence"),
        F.sum(F.size("contradicting")).alias("contradicting"),
    )  # fmt: skip
    titles = tables["item_text"].select("item_id", "title")
    # Stars alone say -1 where words say -0.99: about as bad, and words tell a merchandiser why.
    order = (F.expr("round(score * ln(1 + reviews), 1)"), F.col("sentence").isNull(), F.col("item_id"))
    worst = of_item.where("score < 0").orderBy(*order).limit(LINES)
    lines = worst.join(titles, on="item_id", how="left").orderBy(*order)
    judged = metrics[(metrics["stage"] == "teach_texts") & (metrics["segment"] == "sentiment")]
    return {
        "weeks": Markup(plots.lines(weeks, "week", "reviews a week")),
        "aspects": aspects.to_dict("records"),
        "worst": [row.asDict() for row in lines.collect()],
        "judged": judged[judged["metric"].isin(["macro_f1", "accuracy"])].to_dict("records"),
    }
