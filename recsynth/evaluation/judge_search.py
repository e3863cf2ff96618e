"""The stage that judges tonight's search results on the searches of the days after the night."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.mapping import LED_TO, with_searches
from recsynth.measure.intervals import bootstrap_mean
from recsynth.measure.ranking import ndcg, recall, reciprocal_rank
from recsynth.stage import Night
from recsynth.tables.ops import METRICS

STAGE, OURS, CHOSEN, POPULARITY, K = "judge_search", "recsynth", "chosen before", "popularity", 10
ACCURACY = {"ndcg": ndcg, "recall": recall, "mrr": reciprocal_rank}
ALL, RARE = "all", "rare"
_OF_SEARCH = f"user_id string, model string, is_rare boolean, {', '.join(f'{m} double' for m in ACCURACY)}"


def judge_search(
    events: DataFrame, search_results: DataFrame, query_items: DataFrame, item_demand: DataFrame, night: Night
) -> DataFrame:
    """NDCG, recall and reciprocal rank of the results against what people took up after the same search later.

    Reads silver.events of all time, output.search_results, gold.query_items and gold.item_demand; writes ops.metrics.
    A search is a query of one session within the days that an evaluation looks at; relevant is what it led to among
    items with an event before the night. The mean over people of the mean over their searches, beside what led from
    the query so far alone and the shop's most wanted items; `rare` are queries that no more than
    evaluation.rare_query_sessions sessions had asked. A search without results is not judged but counted: `answered`.
    """
    settings = night.settings.evaluation
    later = _later(events, night).persist()
    try:
        asked = later.select("query").distinct()
        lists = _lists(search_results, query_items, item_demand, asked, night)
        judged = later.join(lists, on="query", how="inner").mapInPandas(_of_searches, _OF_SEARCH)
        by_person = _by_person(judged)
        answered = later.join(search_results.select("query").distinct(), on="query", how="left_semi").count()
        searches, found = later.count(), by_person.toPandas()  # bound: evaluation.max_users * models * 2
    finally:
        later.unpersist()
    rows: list[tuple[object, ...]] = []
    if searches:
        rows.append((STAGE, "answered", OURS, "searches", answered / searches, None, None, searches))
    for (model, segment), part in found.sort_values("user_id").groupby(["model", "segment"]):
        for metric in ACCURACY:
            values = part[metric].to_numpy(float)
            interval = bootstrap_mean(values, settings.resamples)
            rows.append((STAGE, f"{metric}@{K}", model, segment, float(values.mean()), *interval, len(values)))
    return events.sparkSession.createDataFrame(rows, METRICS.schema)


def _later(events: DataFrame, night: Night) -> DataFrame:
    """Searches after the night that led to something: user_id, session_id, query, `wanted`."""
    settings, cutoff = night.settings.evaluation, F.lit(night.cutoff)
    until = F.lit(night.cutoff + timedelta(days=settings.days))
    people = events.where("not is_bot and not is_near_duplicate")
    known = people.where((F.col("ts") < cutoff) & F.col("item_id").isNotNull()).select("item_id").distinct()
    led = with_searches(people.where((F.col("ts") >= cutoff) & (F.col("ts") < until)))
    led = led.where(F.col("event_type").isin(*LED_TO) & F.col("led_by").isNotNull())
    searches = led.join(known, on="item_id", how="left_semi").groupBy("user_id", "session_id", "led_by").agg(
        F.array_sort(F.collect_set("item_id")).alias("wanted")
    )  # fmt: skip
    judged = searches.select("user_id").distinct().orderBy(F.xxhash64("user_id"), "user_id").limit(settings.max_users)
    return searches.join(judged, on="user_id", how="left_semi").withColumnRenamed("led_by", "query")


def _lists(
    search_results: DataFrame, query_items: DataFrame, item_demand: DataFrame, asked: DataFrame, night: Night
) -> DataFrame:
    """(query, is_rare, ours, chosen, popular): the first items of each way for the queries that have results."""
    ours = search_results.groupBy("query").agg(
        F.sort_array(F.collect_list(F.struct("rank", "item_id")))["item_id"].alias("ours")
    )
    weight = Window.partitionBy("query").orderBy(F.desc("weight"), "item_id")
    chosen = query_items.withColumn("rank", F.row_number().over(weight)).groupBy("query").agg(
        F.sort_array(F.collect_list(F.when(F.col("rank") <= K, F.struct("rank", "item_id"))))["item_id"]
        .alias("chosen"),
        (F.max("query_sessions") <= night.settings.evaluation.rare_query_sessions).alias("is_rare"),
    )  # fmt: skip
    tonight = item_demand.where(F.col("cutoff") == F.lit(night.cutoff))
    popular = [r.item_id for r in tonight.orderBy(F.desc("demand_28"), "item_id").limit(K).collect()]
    listed = asked.join(ours, on="query", how="inner").join(chosen, on="query", how="left")
    return listed.withColumn("popular", F.array(*map(F.lit, popular)).cast("array<string>"))


def _of_searches(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """The mapInPandas function: a row per (search, model)."""
    for frame in batches:
        rows: list[tuple[object, ...]] = []
        for row in frame.to_dict("records"):
            wanted, is_rare = set(row["wanted"]), bool(row["is_rare"])
            for model, items in ((OURS, row["ours"]), (CHOSEN, row["chosen"]), (POPULARITY, row["popular"])):
                top = [] if items is None else list(items)
                rows.append((row["user_id"], model, is_rare, *(m(top, wanted, K) for m in ACCURACY.values())))
        yield pd.DataFrame(rows, columns=["user_id", "model", "is_rare", *ACCURACY])


def _by_person(judged: DataFrame) -> DataFrame:
    """Means over each person's searches, of all of them and of the rare ones."""
    segments = F.array_compact(F.array(F.lit(ALL), F.when(F.col("is_rare"), F.lit(RARE))))
    each = judged.withColumn("segment", F.explode(segments))
    # Rounded: the sum of doubles depends on the order that a shuffle brings them in.
    means = [F.round(F.avg(metric), 9).alias(metric) for metric in ACCURACY]
    return each.groupBy("user_id", "model", "segment").agg(*means)
