"""What each source and each group of features is worth, and what variety costs: one night on Online Retail.

    make bench-ablation
    make bench-ablation ARGS="--date 2011-08-20 --lake data/bench/2011-08-20/lake --only als text"

The night of the date is run unless the lake holds it whole. Then the ranker is fitted once more without each source
(its candidates that no other source proposed, its score and its rank) and without each group of features, on the same
windows with the same number of trees and seeds, and both orders are judged on the purchases of the 28 days after the
date, which no model saw. A row is the NDCG@10 without it and what it adds, with the 95 % interval of the paired
difference over users. Below stands the curve of `ranking.diversity`: NDCG@10 against the mean cosine distance within
the first ten of a list.

The date is none of those that the README's figures are judged on but the one that settings were chosen on.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.measure.intervals import bootstrap_difference
from recsynth.measure.ranking import ndcg
from recsynth.measure.variety import intra_list_diversity
from recsynth.model.champion import champion
from recsynth.model.vectors import load_vectors, vectors_of, write_vectors
from recsynth.nightly import run_night
from recsynth.ranking.diversity import maximal_marginal_relevance
from recsynth.ranking.ranker import Fitted, fit, grown, learnable, scored
from recsynth.seeds import sub_seed
from recsynth.session import session
from recsynth.settings import Settings
from recsynth.store import Store
from recsynth.tables.gold import ITEM_TEXT
from recsynth.tables.model import ITEM_EMBEDDINGS, MODELS
from recsynth.tables.ops import PUBLISHED
from recsynth.tables.rank import CANDIDATES, FEATURE_ROWS, FEATURES, SOURCES
from tests.references import online_retail as judge

K, LENGTH = 10, 50
WEIGHTS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
GROUPS: Mapping[str, Callable[[str], bool]] = {
    "pair: history, recency, cycle": lambda name: name.startswith("pair_"),
    "item: popularity, trend, age, price": lambda name: name.startswith("item_") and not name.startswith("item_neigh"),
    "item: demand that moves": lambda name: name.startswith("item_demand") or name == "item_trend",
    "user: activity, rhythm, price level": lambda name: name.startswith("user_") and not name.startswith("user_neigh"),
    "price against the user's": lambda name: name == "price_against_user",
    "ranks of all sources": lambda name: name.endswith("_rank"),
}
Scores = dict[str, dict[str, float]]


def main() -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder with a CSV a day")
    parser.add_argument("--date", default="2011-09-17", help="as-of date")
    parser.add_argument("--config", default="conf/online_retail.toml", help="settings of the night")
    parser.add_argument("--lake", default="data/bench_ablation", help="lake of the night, kept")
    parser.add_argument("--only", nargs="+", default=[*SOURCES, *GROUPS], help="sources and groups to leave out")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    places = [f"paths.landing={options.data}", f"paths.lake={options.lake}", f"paths.report={options.lake}_report"]
    settings, day = Settings.load(options.config, places), date.fromisoformat(options.date)
    spark = session("ablation", settings.spark)
    store = Store(spark, settings.paths.lake)
    if not _is_whole(store, day):
        run_night(spark, settings, day)
    known = judge.truth(judge.purchases(options.data), options.date)
    rows = store.read_night(FEATURE_ROWS, day).drop("run_date")
    proposed = store.read_night(CANDIDATES, day).select("cutoff", "user_id", "item_id", "sources")
    fitted = _fitted(rows, settings, day, {})
    whole = _ranked(rows, fitted, known)
    base = judge.scores(_lists(whole), known)
    print(f"\n## {options.date}, seed {settings.seed}, trees {dict(fitted.trees)}, {len(known.wanted)} users\n")
    print("| without | all | it adds | 95 % | new | it adds | 95 % |\n|---|---|---|---|---|---|---|")
    print(f"| nothing | {judge.mean(base['all']):.4f} | | | {judge.mean(base['new']):.4f} | | |", flush=True)
    for name in options.only:
        started = time.monotonic()
        less = _without(rows, proposed, name)
        found = judge.scores(_lists(_ranked(less, _fitted(less, settings, day, fitted.trees), known)), known)
        cells = " | ".join(_cells(base[view], found[view]) for view in ("all", "new"))
        print(f"| {name} | {cells} |", flush=True)
        logging.info("%s: %.0f s", name, time.monotonic() - started)
    _print_curve(whole, store, day, settings, known)
    return 0


def _is_whole(store: Store, day: date) -> bool:
    return not store.read(PUBLISHED).where(F.col("run_date") == F.lit(day)).isEmpty()


def _without(rows: DataFrame, proposed: DataFrame, name: str) -> DataFrame:
    """Feature rows without a source or a group of features: its values are missing, and so is what it alone found."""
    is_gone = GROUPS.get(name, lambda feature: feature in (f"{name}_score", f"{name}_rank"))
    gone = [feature for feature in FEATURES if is_gone(feature)]
    assert gone, f"expected one of {[*SOURCES, *GROUPS]}, found {name}"
    less = rows.withColumns({feature: F.lit(None).cast("float") for feature in gone})
    if name not in SOURCES:
        return less
    alone = proposed.where((F.size("sources") == 1) & F.array_contains("sources", name))
    return less.join(alone, on=["cutoff", "user_id", "item_id"], how="left_anti")


def _fitted(rows: DataFrame, settings: Settings, day: date, trees: Mapping[str, int]) -> Fitted:
    """The night's rankers; with `trees` of each objective nothing is held out to find how many."""
    seed, ranker, labelled = sub_seed(settings.seed, day, "ranker"), settings.ranking.ranker, rows.where("label >= 0")
    if not trees:
        fitted = fit(labelled, ranker, settings.gold.windows.days, seed)
        assert fitted is not None
        return fitted
    lists = learnable(labelled, ranker, seed).persist()
    try:
        return Fitted(grown(lists, ranker, trees, seed), trees, None, None)
    finally:
        lists.unpersist()


def _ranked(rows: DataFrame, fitted: Fitted, known: judge.Truth) -> pd.DataFrame:
    """Judged users' candidates of the night with their score, best first; bound: judged users times LENGTH or so."""
    tonight = rows.where("label is null")
    users = rows.sparkSession.createDataFrame([(u,) for u in sorted(known.wanted)], "user_id string")
    ordered = scored(tonight.join(users, on="user_id", how="left_semi"), fitted)
    is_new = F.coalesce("pair_purchases", F.lit(0.0)) == 0
    best = (F.desc("score"), F.desc("popular_score"), "item_id")
    place = F.row_number().over(Window.partitionBy("user_id").orderBy(*best))
    among = F.row_number().over(Window.partitionBy("user_id", "is_new").orderBy(*best))
    placed = ordered.withColumn("is_new", is_new).withColumns({"place": place, "among": among})
    kept = placed.where((F.col("place") <= LENGTH) | (F.col("is_new") & (F.col("among") <= K)))
    return kept.select("user_id", "item_id", "score", "place").toPandas().sort_values(["user_id", "place"])


def _lists(ranked: pd.DataFrame) -> dict[str, list[str]]:
    return {str(user): list(items) for user, items in ranked.groupby("user_id")["item_id"]}


def _cells(base: Mapping[str, float], found: Mapping[str, float]) -> str:
    a, b = (np.array([scores[user] for user in base]) for scores in (base, found))
    low, high = bootstrap_difference(a, b)
    return f"{b.mean():.4f} | {(a - b).mean():.4f} | {low:.4f} to {high:.4f}"


def _print_curve(ranked: pd.DataFrame, store: Store, day: date, settings: Settings, known: judge.Truth) -> None:
    """NDCG@10 of all purchases and diversity of the first ten, for each weight of likeness."""
    best = champion(store.read(MODELS))
    assert best is not None
    of_champion = (F.col("model_version") == best.model_version) & (F.col("kind") == "item")
    text, embedded = store.read_night(ITEM_TEXT, day), store.read(ITEM_EMBEDDINGS).where(of_champion)
    folder = Path(settings.paths.lake) / "_work" / "ablation_vectors"
    ids, matrix = load_vectors(write_vectors(text.join(embedded, on="content_hash", how="inner"), folder))
    print("\n| ranking.diversity | NDCG@10 | less than at 0 by | 95 % | cosine distance |\n|---|---|---|---|---|")
    at_none: list[float] = []
    for weight in WEIGHTS:
        accuracy, variety = [], []
        for user, lines in ranked[ranked["place"] <= LENGTH].groupby("user_id"):
            items = lines["item_id"].to_numpy(object)
            vectors = vectors_of(items, ids, matrix)
            order = maximal_marginal_relevance(lines["score"].to_numpy(float), vectors, weight)[:K]
            accuracy.append(ndcg(list(items[order]), known.wanted[str(user)], K))
            variety.append(intra_list_diversity(vectors[order]))
        at_none = at_none or accuracy
        lost = np.mean(at_none) - np.mean(accuracy)
        low, high = bootstrap_difference(np.array(at_none), np.array(accuracy))
        print(f"| {weight} | {np.mean(accuracy):.4f} | {lost:.4f} | {low:.4f} to {high:.4f} | {np.mean(variety):.4f} |")


if __name__ == "__main__":
    sys.exit(main())
