"""Public recommenders on the same rows as the night: RecTools and implicit, their settings chosen on an earlier date.

A program of its own, in an environment of its own (`make .venv-peers/installed`): RecTools wants NumPy 1, the product
NumPy 2. It reads rows (user_id, item_id, ts) before the as-of date and writes lists; it never sees the days after.

    OPENBLAS_NUM_THREADS=1 .venv-peers/bin/python tests/benchmarks/peers.py rows.csv lists.csv --users users.txt
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import (
    EASEModel,
    ImplicitALSWrapperModel,
    ImplicitItemKNNWrapperModel,
    PopularModel,
    SASRecModel,
)

K = 10
SEED = 20111015


def peers() -> dict[str, tuple[float | None, object]]:
    """By name: the half-life in days of what a purchase weighs (None: every purchase weighs one), and the model.

    Chosen as of 2011-09-17 by the mean of both views, the log beside this file has the grid.
    """
    als = AlternatingLeastSquares(
        factors=128, regularization=10.0, alpha=1.0, iterations=15, random_state=SEED, num_threads=2
    )
    return {
        "popularity, 28 days (RecTools)": (None, PopularModel(period=pd.Timedelta(days=28))),
        "cosine neighbours (implicit)": (None, ImplicitItemKNNWrapperModel(CosineRecommender(K=100))),
        "BM25 neighbours (implicit)": (None, ImplicitItemKNNWrapperModel(BM25Recommender(K=100))),
        "ALS (implicit)": (90.0, ImplicitALSWrapperModel(als)),
        "EASE (RecTools)": (120.0, EASEModel(regularization=500.0)),
        "SASRec (RecTools)": (
            None,
            SASRecModel(
                n_factors=64, n_blocks=2, n_heads=2, session_max_len=100, epochs=10, batch_size=128, lr=1e-3,
                loss="softmax", dropout_rate=0.2, deterministic=True, verbose=0,
            ),
        ),
    }  # fmt: skip


def interactions(rows: pd.DataFrame, half_life: float | None) -> pd.DataFrame:
    """One row per (user, item): its weight, the sum over purchases of 0.5^(age / half-life), and its last time."""
    age = (rows["ts"].max().normalize() + pd.Timedelta(days=1) - rows["ts"]) / pd.Timedelta(days=1)
    weights = np.ones(len(rows)) if half_life is None else 0.5 ** (age / half_life)
    summed = rows.assign(weight=weights).groupby(["user_id", "item_id"], as_index=False)
    found = summed.agg(weight=("weight", "sum"), datetime=("ts", "max"))
    return found.rename(columns={"user_id": Columns.User, "item_id": Columns.Item})


def lists(model: object, rows: pd.DataFrame, half_life: float | None, users: list[str]) -> pd.DataFrame:
    """The best K for each user in the views `all` and `new` (without what the user bought before)."""
    dataset = Dataset.construct(interactions(rows, half_life))
    model.fit(dataset)
    found = [
        model.recommend(users=users, dataset=dataset, k=K, filter_viewed=view == "new").assign(view=view)
        for view in ("all", "new")
    ]
    return pd.concat(found).rename(columns={Columns.User: "user_id", Columns.Item: "item_id", Columns.Rank: "rank"})


def main() -> None:
    """Fit each peer and write its lists (model, view, user_id, rank, item_id)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path, help="CSV (user_id, item_id, ts) of what is known")
    parser.add_argument("lists", type=Path, help="CSV to write")
    parser.add_argument("--users", required=True, type=Path, help="file with a user id a line")
    parser.add_argument("--only", nargs="+", help="names of the peers to fit")
    options = parser.parse_args()
    rows = pd.read_csv(options.rows, dtype={"user_id": str, "item_id": str}, parse_dates=["ts"])
    users = options.users.read_text().split()
    written = []
    for name, (half_life, model) in peers().items():
        if options.only and name not in options.only:
            continue
        started = time.monotonic()
        written.append(lists(model, rows, half_life, users).assign(model=name))
        print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
    columns = ["model", "view", "user_id", "rank", "item_id"]
    pd.concat(written)[columns].to_csv(options.lists, index=False)


if __name__ == "__main__":
    main()
