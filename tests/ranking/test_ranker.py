"""The ranker learns the one feature that matters, and copes with windows too poor to learn from."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier, BrokenBarrierError
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from recsynth.ranking import ranker
from recsynth.ranking.ranker import _ndcg, _trained, fit, gains, learnable, scored, with_probability
from recsynth.ranking.settings import RankerSettings
from recsynth.tables.rank import FEATURE_ROWS
from tests.rows import table

DAY0 = datetime(2024, 3, 1, tzinfo=UTC)
SETTINGS = RankerSettings(
    ensemble=1, trees=5, max_depth=2, min_child_weight=0.0, negative_share=1.0, colsample=1.0, subsample=1.0
)
ITEMS = 5


def rows(spark: SparkSession, windows: int, users: int = 8, **same: Any) -> DataFrame:
    """Each user bought the one item of the greatest als_score; popular_score says the same of everybody."""
    made = [
        {
            "cutoff": DAY0 + timedelta(days=14 * w),
            "user_id": f"u{u}",
            "item_id": f"i{i}",
            "label": float(i == u % ITEMS),
            "als_score": float(i == u % ITEMS) + i / 100,
            "popular_score": float(i),
            **same,
        }
        for w in range(windows)
        for u in range(users)
        for i in range(ITEMS)
    ]
    return table(spark, FEATURE_ROWS, made)


def test_lists_are_numbered_so_that_32_bits_hold_them(spark: SparkSession) -> None:
    found = learnable(rows(spark, 2), SETTINGS, 1).select("cutoff", "user_id", "list").distinct().collect()
    assert sorted(r.list for r in found) == list(range(1, 17))


@pytest.mark.slow
def test_the_bought_item_comes_first_and_the_order_of_rows_changes_nothing(spark: SparkSession) -> None:
    data = rows(spark, 2)
    scores = []
    for given in (data, data.repartition(3, "item_id")):
        fitted = fit(given, SETTINGS, 7, 1)
        assert fitted is not None
        assert fitted.validation_ndcg == pytest.approx(1.0)
        scores.append({(r.cutoff, r.user_id, r.item_id): r.score for r in scored(data, fitted).collect()})
    assert scores[0] == scores[1]
    for user in range(8):
        mine = {i: scores[0][r] for r in scores[0] for i in [r[2]] if r[1] == f"u{user}"}
        assert max(mine, key=lambda i: mine[i]) == f"i{user % ITEMS}"


def test_the_score_is_the_mean_of_rankers_that_differ_by_their_seed(spark: SparkSession) -> None:
    data = rows(spark, 2)
    drawn = SETTINGS.model_copy(update={"subsample": 0.5})
    fitted = fit(data, drawn.model_copy(update={"ensemble": 2, "objectives": ("rank:ndcg",)}), 7, 1)
    assert fitted is not None
    alone = [replace(fitted, rankers=(ranker,)) for ranker in fitted.rankers]
    both, first, second = (
        np.array([r.score for r in scored(data, f).orderBy("cutoff", "user_id", "item_id").collect()])
        for f in (fitted, *alone)
    )
    assert both == pytest.approx((first + second) / 2)
    assert (first != second).any()


def test_objectives_are_averaged_on_one_scale(spark: SparkSession) -> None:
    data = rows(spark, 2)
    fitted = fit(
        data, SETTINGS.model_copy(update={"ensemble": 1, "objectives": ("rank:pairwise", "binary:logistic")}), 7, 1
    )
    assert fitted is not None
    assert [r.objective for r in fitted.rankers] == ["rank:pairwise", "binary:logistic"]
    found = {}
    for name, given in {"both": fitted, **{r.objective: replace(fitted, rankers=(r,)) for r in fitted.rankers}}.items():
        lines = scored(data, given).orderBy("cutoff", "user_id", "item_id").collect()
        found[name] = np.array([r.score for r in lines])
    assert found["both"] == pytest.approx((found["rank:pairwise"] + found["binary:logistic"]) / 2)
    # All rows are learned from here, so each objective's scores spread by 1 over them.
    assert {name: round(float(found[name].std()), 4) for name in ("rank:pairwise", "binary:logistic")} == {
        "rank:pairwise": 1.0, "binary:logistic": 1.0,
    }  # fmt: skip
    # Log-odds, not probabilities: what was bought stands above, the rest below nothing.
    bought = np.array([r.label for r in data.orderBy("cutoff", "user_id", "item_id").collect()]) > 0
    assert found["binary:logistic"][bought].min() > found["binary:logistic"][~bought].max()
    assert (found["binary:logistic"] < 0).any()


@pytest.mark.slow
def test_scores_that_are_all_the_same_are_left_as_they_are(spark: SparkSession) -> None:
    data = rows(spark, 2)
    # No leaf is ever full enough, so there is no split and nothing to divide by.
    fitted = fit(data, SETTINGS.model_copy(update={"min_child_weight": 1e6}), 7, 1)
    assert fitted is not None
    assert [r.spread for r in fitted.rankers] == [1.0, 1.0]
    scores = [r.score for r in scored(data, fitted).collect()]
    assert max(scores) - min(scores) < 1e-6
    assert max(map(abs, scores)) < 100


def test_the_figure_is_ndcg_of_the_lists_that_were_held_out(spark: SparkSession) -> None:
    scores = {"u": [(0.9, 0.0), (0.8, 1.0), (0.1, 1.0)], "v": [(0.5, 1.0), (0.4, 0.0)], "none": [(0.5, 0.0)]}
    made = [(DAY0, user, f"i{n}", label, score) for user, of in scores.items() for n, (score, label) in enumerate(of)]
    made += [(DAY0, "long", f"i{n:02d}", float(n == 10), -float(n)) for n in range(12)]
    given = spark.createDataFrame(made, "cutoff timestamp, user_id string, item_id string, label float, score double")
    second, third = 1 / np.log2(3), 1 / np.log2(4)
    assert _ndcg(given) == pytest.approx(((second + third) / (1 + second) + 1 + 0) / 3)


def test_batches_without_validation_rows_are_learned_from(spark: SparkSession) -> None:
    key = "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = spark.conf.get(key)
    spark.conf.set(key, "10")
    try:
        fitted = fit(rows(spark, 2), SETTINGS, 7, 1)
    finally:
        spark.conf.set(key, str(before))
    assert fitted is not None
    assert set(gains(fitted)) <= {"als_score", "popular_score"}
    assert sum(gains(fitted).values()) == pytest.approx(1.0)


def test_lists_with_one_kind_of_label_alone_teach_nothing(spark: SparkSession) -> None:
    assert fit(rows(spark, 1, label=0.0), SETTINGS, 7, 1) is None
    assert fit(rows(spark, 1, label=1.0), SETTINGS, 7, 1) is None
    assert fit(table(spark, FEATURE_ROWS, []), SETTINGS, 7, 1) is None


def test_a_single_list_is_learned_from_without_a_figure(spark: SparkSession) -> None:
    fitted = fit(rows(spark, 1, users=1), SETTINGS, 7, 1)
    assert fitted is not None
    assert fitted.trees == {"rank:ndcg": 5, "binary:logistic": 5}
    assert fitted.validation_ndcg is None


def test_probabilities_are_the_shares_bought_of_the_newest_window(spark: SparkSession) -> None:
    """i4 or i3 is bought: half and half in the first window, by three in four and one in four in the newest."""
    made = [
        {
            "cutoff": DAY0 + timedelta(days=14 * w),
            "user_id": f"u{u}",
            "item_id": f"i{i}",
            "label": float(i == 3 if u % (2 if w == 0 else 4) == 0 else i == 4),
            "als_score": float(i),
        }
        for w in range(2)
        for u in range(40)
        for i in range(ITEMS)
    ]
    data = table(spark, FEATURE_ROWS, made)
    fitted = fit(data, SETTINGS.model_copy(update={"trees": 30}), 7, 1)
    lines = scored(data, fitted)
    found = with_probability(lines, fitted)
    assert set(found.columns) == {*lines.columns, "purchase_probability"}
    # Sums over partitions differ in their last digits from run to run: these are not told.
    assert all(r.purchase_probability == round(r.purchase_probability, 9) for r in found.collect())
    shares = {(r.item_id, round(r.purchase_probability, 6)) for r in found.collect()}
    bought = {i: [p for item, p in shares if item == i] for i in ("i0", "i1", "i2", "i3", "i4")}
    # All that the trees cannot tell apart has one probability; over a list they come to its one purchase.
    assert all(len(p) == 1 for p in bought.values())
    assert sum(p for [p] in bought.values()) == pytest.approx(1.0, abs=1e-5)
    assert bought["i0"] == bought["i1"] == bought["i2"] == [0.0]
    assert bought["i4"][0] in (0.75, 0.5)
    assert {r.score for r in found.collect()} == {r.score for r in lines.collect()}


def test_it_waits_for_a_better_tree_as_long_as_its_patience(spark: SparkSession) -> None:
    """What was bought in the newest window is what was not in the one before: each further tree is worse."""
    before = rows(spark, 1)
    newest = before.withColumns(
        {"cutoff": F.lit(DAY0 + timedelta(days=14)), "label": (1 - F.col("label")).cast("float")}
    )
    for patience in (2, 5):
        asked = {"trees": 30, "patience": patience, "objectives": ("binary:logistic",)}
        fitted = fit(before.unionByName(newest), SETTINGS.model_copy(update=asked), 7, 1)
        assert fitted is not None
        assert fitted.held_out is not None
        assert fitted.trees == {"binary:logistic": 1}
        assert [r.model.get_booster().num_boosted_rounds() for r in fitted.held_out.rankers] == [1 + patience]


def test_as_many_rankers_as_are_asked_for_are_trained_at_a_time(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two fits that wait for each other both end only where they run side by side."""

    class Waiting:
        def fit(self, _: DataFrame) -> None:
            meeting.wait()

    monkeypatch.setattr(ranker, "_estimator", lambda *_: Waiting())
    asked = [("rank:ndcg", 1, 1), ("binary:logistic", 1, 1)]
    meeting = Barrier(2, timeout=30)
    found = _trained(rows(spark, 1), SETTINGS.model_copy(update={"parallel": 2}), asked, early=False)
    assert [r.objective for r in found] == ["rank:ndcg", "binary:logistic"]
    meeting = Barrier(2, timeout=0.1)
    with pytest.raises(BrokenBarrierError):
        _trained(rows(spark, 1), SETTINGS.model_copy(update={"parallel": 1}), asked, early=False)


def test_where_nothing_was_held_out_there_is_no_probability(spark: SparkSession) -> None:
    data = rows(spark, 1, users=1)
    fitted = fit(data, SETTINGS, 7, 1)
    for given in (fitted, None):
        found = with_probability(data.withColumn("score", F.lit(1.0)), given).collect()
        assert [r.purchase_probability for r in found] == [None] * ITEMS
