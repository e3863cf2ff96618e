"""The judge of the probabilities: figures of six users by arithmetic, and what cannot be judged is not."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession
from sklearn.metrics import brier_score_loss, roc_auc_score

from recsynth.apps.judge_propensity import judge_propensity, reliability
from recsynth.settings import Settings
from recsynth.tables.output import PURCHASE_PROPENSITY
from tests.rows import events, night, table

AT = night(date(2024, 6, 1), Settings.model_validate({"evaluation": {"resamples": 100}}))
SAID = {"a": 0.9, "b": 0.6, "c": 0.65, "d": 0.2, "e": 0.1, "f": 0.15}
BOUGHT = {"a": True, "b": False, "c": True, "d": False, "e": True, "f": False}


def after(days: float) -> Any:
    return AT.cutoff + timedelta(days=days)


def judged(spark: SparkSession, last_day: int, judged_users: int = 100) -> dict[tuple[str, str, str], Any]:
    past = [(u, "i", "view", after(-n - 0.5)) for n, u in enumerate(SAID)]
    later = [(u, "i", "purchase", after(6.9 if u == "a" else 1)) for u in SAID if BOUGHT[u]]
    # A day too late for seven, and no purchase at all.
    later += [("b", "i", "purchase", after(7)), ("d", "i", "view", after(1)), ("z", "i", "view", after(last_day))]
    said = [("buy", 7, 0.0, 1), ("buy", 28, 0.0, 1), ("leave", 7, 1.0, -1)]
    rows = [{"user_id": u, "target": target, "horizon_days": days, "probability": base + sign * p, "method": "m"}
            for target, days, base, sign in said for u, p in SAID.items()]  # fmt: skip
    rows.append({"user_id": "u", "target": "buy", "horizon_days": 7, "method": "unknown"})
    settings = AT.settings.model_copy(
        update={"apps": AT.settings.apps.model_validate({"propensity": {"judged_users": judged_users}})}
    )
    at = night(AT.as_of, settings)
    found = judge_propensity(events(spark, past + later), table(spark, PURCHASE_PROPENSITY, rows), at)
    return {(r.metric, r.model, r.segment): r for r in found.collect()}


@pytest.fixture(scope="module")
def figures(spark: SparkSession) -> dict[tuple[str, str, str], Any]:
    return judged(spark, 10)


def test_figures_agree_with_scikit_learn(figures: dict[tuple[str, str, str], Any]) -> None:
    said, bought = list(SAID.values()), list(BOUGHT.values())
    row = figures["auc", "propensity", "buy_7"]
    assert row.value == pytest.approx(roc_auc_score(bought, said))
    assert row.low <= row.value <= row.high
    assert row["count"] == 6
    assert figures["brier", "propensity", "buy_7"].value == pytest.approx(brier_score_loss(bought, said))
    assert figures["brier", "share_in_hindsight", "buy_7"].value == pytest.approx(1 / 4)
    # a was seen last, then b, c and so on; all on one day each.
    recency = [-n for n in range(6)]
    assert figures["auc", "recency", "buy_7"].value == pytest.approx(roc_auc_score(bought, recency))
    assert figures["auc", "active_days", "buy_7"].value == 0.5


def test_leaving_is_judged_as_buying_the_other_way_round(figures: dict[tuple[str, str, str], Any]) -> None:
    for metric, model in (("auc", "propensity"), ("auc", "recency"), ("brier", "propensity")):
        ours, other = (figures[metric, model, f"{target}_7"].value for target in ("leave", "buy"))
        assert ours == pytest.approx(other)


def test_a_horizon_that_the_data_do_not_reach_is_not_judged(
    spark: SparkSession, figures: dict[tuple[str, str, str], Any]
) -> None:
    assert {segment.split("/")[0] for _, _, segment in figures} == {"buy_7", "leave_7"}
    assert "buy_28" in {segment for _, _, segment in judged(spark, 27)}


def test_no_more_users_are_judged_than_drawn(spark: SparkSession) -> None:
    drawn = judged(spark, 10, judged_users=1)
    assert all(row["count"] < 6 for row in drawn.values())


def test_reliability_has_a_bin_for_each_tenth_that_was_said() -> None:
    # 0.1 and 0.15 lie in one bin, of which half came true; 0.9 in another; 1.0 in the last with it.
    rows = reliability(np.array([0.1, 0.15, 0.9, 1.0]), np.array([True, False, True, True]), "s")
    assert {(r[0], r[2]): r[3] for r in rows} == pytest.approx({
        ("expected_calibration_error", "s"): (2 * (0.5 - 0.125) + 2 * (1 - 0.95)) / 4,
        ("probability_predicted", "s/0.1 to 0.2"): 0.125, ("probability_observed", "s/0.1 to 0.2"): 0.5,
        ("probability_predicted", "s/0.9 to 1.0"): 0.95, ("probability_observed", "s/0.9 to 1.0"): 1.0,
    })  # fmt: skip
