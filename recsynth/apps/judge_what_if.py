"""The stage that judges tonight's responses to prices on items whose price changed after the night."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.apps.demand_what_if import priced
from recsynth.apps.price_beliefs import cells_of, changed
from recsynth.apps.price_response import UNMOVED, Cells, Response, expected_orders, gain
from recsynth.stage import Night
from recsynth.tables.ops import METRICS

STAGE, OURS, NONE, SEGMENT = "judge_what_if", "what_if", "no_response", "changed_prices"


def judge_what_if(events: DataFrame, promotions: DataFrame, demand_what_if: DataFrame, night: Night) -> DataFrame:
    """Whether orders moved with prices and promotions as they were said to; writes ops.metrics.

    Reads silver.events and silver.promotions of all time, and output.demand_what_if. Of items whose price changed or
    that were promoted within the horizon, given what each sold in it: `log_likelihood_gain`, in nats an order beyond
    prices that change nothing, and `promotion_orders`, orders on promotion over those expected, 1 where the
    response is right, beside the same where nothing responds. Intervals: 1.96 standard errors over items. Bound: the
    cells of max_items items on the driver.
    """
    settings, spark = night.settings.apps.what_if, events.sparkSession
    reached = events.agg(F.max("event_date")).first()[0]  # type: ignore[index]
    stays = demand_what_if.where("price_change = 0 and is_promotion = promotion_tonight")
    said = stays.select("item_id", "elasticity", "promotion_lift", "days")
    horizon = said.agg(F.max("days")).first()[0]  # type: ignore[index]
    if reached is None or horizon is None or reached < night.as_of:
        return METRICS.empty(spark)
    until = min(reached + timedelta(days=1), night.as_of + timedelta(days=horizon))
    found = changed(priced(events, promotions, night.as_of, until, settings).join(said, on="item_id"), settings, night)
    return spark.createDataFrame(_figures(found.sort_values("item_id")), METRICS.schema)


def _figures(found: pd.DataFrame) -> list[tuple[object, ...]]:
    """Rows of ops.metrics of items whose price changed, each with its cells and what was said of it."""
    said = zip(found["elasticity"], np.log(found["promotion_lift"]), strict=True)
    pairs = [
        (own, Response(np.array(mean), UNMOVED.covariance)) for own, mean in zip(cells_of(found), said, strict=True)
    ]
    pairs = [(own, response) for own, response in pairs if own.lines.sum() > 0]
    gains = np.array([gain(own, response) for own, response in pairs])
    ordered = np.array([own.lines.sum() for own, _ in pairs])
    rows = [] if not len(pairs) else [_row("log_likelihood_gain", OURS, gains, ordered, 0.0)]
    for model in (OURS, NONE):
        sums = [_on_promotion(own, response if model == OURS else UNMOVED) for own, response in pairs]
        came, expected = np.array(sums, float).reshape(-1, 2).T
        if expected.sum() > 0:
            rows.append(_row("promotion_orders", model, came - expected, expected, 1.0))
    return rows


def _on_promotion(own: Cells, response: Response) -> tuple[float, float]:
    """Orders of an item on promotion: those that came, and those that were expected."""
    return float(own.lines @ own.is_promotion), float(expected_orders(own, response) @ own.is_promotion)


def _row(metric: str, model: str, differences: np.ndarray, sizes: np.ndarray, of: float) -> tuple[object, ...]:
    """A row of ops.metrics: `of` plus the sum of differences (items,) over that of sizes (items,)."""
    value = of + differences.sum() / sizes.sum()
    error = 1.96 * np.sqrt(len(differences)) * differences.std(ddof=1) / sizes.sum() if len(differences) > 1 else np.nan
    ends = (None, None) if np.isnan(error) else (float(value - error), float(value + error))
    return (STAGE, metric, model, SEGMENT, float(value), *ends, len(differences))
