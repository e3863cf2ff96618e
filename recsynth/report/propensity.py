"""The part of the page that tells who will buy and who will leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.report import plots

DRAWN, BINS = ("buy", 28), 10
MEASURES = ("auc", "brier", "expected_calibration_error")


def propensity(tables: Mapping[str, DataFrame], metrics: pd.DataFrame) -> dict[str, Any] | None:
    """How many are expected to buy and to leave, beside what the judge found; the chances for 28 days drawn.

    None where there are no probabilities. Bound: a row for each target and horizon, a row for each tenth.
    """
    chances = tables["purchase_propensity"].where("probability is not null")
    expected = chances.groupBy("target", "horizon_days").agg(
        F.sum("probability").alias("expected"), F.count("*").alias("users"), F.max("method").alias("method")
    )
    lines = expected.orderBy("target", "horizon_days").toPandas()
    if not len(lines):
        return None
    judged = metrics[metrics["stage"] == "judge_propensity"]
    ours = judged[judged["model"] == "propensity"].set_index(["segment", "metric"])["value"]
    said = [
        {**line, **{m: ours.get((f"{line['target']}_{line['horizon_days']}", m)) for m in MEASURES}}
        for line in lines.to_dict("records")
    ]
    return {"lines": said, "spread": _spread(chances), "reliability": _reliability(judged)}


def _spread(chances: DataFrame) -> Markup | None:
    tenth = F.least(F.floor(F.col("probability") * BINS), F.lit(BINS - 1)).cast("int")
    of_target = chances.where((F.col("target") == DRAWN[0]) & (F.col("horizon_days") == DRAWN[1]))
    counted = of_target.groupBy(tenth.alias("tenth")).count().toPandas().set_index("tenth")["count"]
    if not len(counted):
        return None
    counted = counted.reindex(range(BINS), fill_value=0)
    labels = [f"{k * 100 // BINS} to {(k + 1) * 100 // BINS} %" for k in counted.index]
    return Markup(plots.bars(labels, counted.tolist(), "users"))


def _reliability(judged: pd.DataFrame) -> Markup | None:
    bins = judged[judged["segment"].str.startswith(f"{DRAWN[0]}_{DRAWN[1]}/")].sort_values("segment")
    predicted = bins[bins["metric"] == "probability_predicted"]
    if not len(predicted):
        return None
    observed = bins.loc[bins["metric"] == "probability_observed", "value"]
    return Markup(plots.reliability(predicted["value"].tolist(), observed.tolist(), predicted["count"].tolist()))
