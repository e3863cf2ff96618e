"""The stage that judges tonight's next categories on the days after the night."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.apps.catalogue import latest_items
from recsynth.apps.judge_value import value_figures
from recsynth.measure.intervals import bootstrap_mean
from recsynth.stage import Night
from recsynth.tables.ops import METRICS

STAGE, OURS, FREQUENT, SHOP = "judge_profiles", "next_category", "most_frequent", "shop_shares"
_MEASURED = "metric string, model string, segment string, value double, low double, high double, count long"
_OF_USER = "user_id string, model string, auc double, hit double"


def judge_profiles(events: DataFrame, items: DataFrame, user_profiles: DataFrame, night: Night) -> DataFrame:
    """AUC and hit rate of each user's next categories against what they bought on the days after.

    Reads silver.events of all time, silver.items and output.user_profiles; writes ops.metrics. Among the categories
    that are listed for a user, those bought within the days that an evaluation looks at are to stand above the others;
    the mean over users of the area under the curve, beside their most frequent category and beside the shop's shares.
    A user who bought of none or of all of them tells nothing and is left out. How near the customer values come is told
    by `value_figures`.
    """
    days, settings = night.settings.evaluation.days, night.settings.apps.profiles
    bought = events.where("event_type = 'purchase' and not is_bot and not is_near_duplicate").where(
        (F.col("event_date") >= F.lit(night.as_of)) & (F.col("event_date") < F.date_add(F.lit(night.as_of), days))
    )
    wanted = bought.join(latest_items(items, "category"), on="item_id", how="inner").groupBy("user_id").agg(
        F.collect_set("category").alias("wanted")
    )  # fmt: skip
    default = user_profiles.where("is_default").select(
        F.map_from_entries("next_categories").alias("usual")
    )  # bound: one row
    share = settings.judged_users / F.lit(max(1, wanted.count()))
    drawn = F.pmod(F.xxhash64(F.lit(night.seed(STAGE)), "user_id"), F.lit(1_000_000)) / 1_000_000 < share
    said = user_profiles.where("not is_default").select("user_id", "next_categories", "category_shares")
    judged = said.join(wanted.where(drawn), on="user_id", how="inner").crossJoin(F.broadcast(default))
    each = judged.dropna(subset="next_categories").mapInPandas(_of_users, _OF_USER)
    figures = each.groupBy("model").applyInPandas(_means(night.settings.evaluation.resamples), _MEASURED)
    figures = figures.unionByName(value_figures(events, user_profiles, night))
    return figures.select(F.lit(STAGE).alias("stage"), *(c for c in METRICS.column_names if c != "stage"))


def _of_users(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """The mapInPandas function: one row per (user, model)."""
    for frame in batches:
        rows: list[tuple[str, str, float, float]] = []
        for row in frame.to_dict("records"):
            said = {c["category"]: float(c["probability"]) for c in row["next_categories"]}
            is_bought = np.isin(list(said), list(row["wanted"]))
            if is_bought.all() or not is_bought.any():
                continue
            models = {OURS: said, FREQUENT: dict(row["category_shares"] or {}), SHOP: dict(row["usual"] or {})}
            for model, shares in models.items():
                scores = np.array([shares.get(c, 0.0) for c in said], float)
                rows.append((str(row["user_id"]), model, *_area(scores, is_bought)))
        yield pd.DataFrame(rows, columns=["user_id", "model", "auc", "hit"])


def _area(scores: np.ndarray, is_bought: np.ndarray) -> tuple[float, float]:
    """Share of pairs (bought, not) in order, ties half; and whether the first was bought, shared among equals."""
    yes, no = scores[is_bought][:, None], scores[~is_bought][None, :]
    first = scores == scores.max()
    return float(((yes > no) + 0.5 * (yes == no)).mean()), float(is_bought[first].mean())


def _means(resamples: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def figures(rows: pd.DataFrame) -> pd.DataFrame:
        rows = rows.sort_values("user_id")
        model, n = str(rows["model"].iloc[0]), len(rows)
        made: list[tuple[object, ...]] = []
        for metric, name in (("auc", "auc"), ("hit_rate@1", "hit")):
            values = rows[name].to_numpy(float)
            made.append((metric, model, "next category", values.mean(), *bootstrap_mean(values, resamples), n))
        return pd.DataFrame(made, columns=[part.split()[0] for part in _MEASURED.split(", ")])

    return figures
