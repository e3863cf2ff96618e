"""A shop small enough to judge by hand, and the plain protocol in pandas."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession

from recsynth.evaluation.evaluate import evaluate
from recsynth.settings import Settings
from recsynth.tables.gold import INTERACTIONS, ITEM_TEXT
from recsynth.tables.model import ITEM_EMBEDDINGS
from recsynth.tables.output import RECOMMENDATIONS
from recsynth.tables.rank import CANDIDATES
from tests.inference.planted import champions
from tests.rows import events, night, table

AS_OF = date(2024, 5, 1)
CUTOFF = datetime(2024, 5, 1, tzinfo=UTC)
DAYS, K = 7, 10
EVALUATION = {"days": DAYS, "new_user_baskets": 1, "light_user_baskets": 2, "cold_item_users": 1, "resamples": 100}


def at(days: float) -> datetime:
    return CUTOFF + timedelta(days=days)


def judged(
    spark: SparkSession, lake: Path, bought: Sequence[tuple[Any, ...]], lines: dict[str, list[str]],
    candidates: Sequence[dict[str, Any]] = (), vectors: dict[str, list[float]] | None = None,
    probabilities: dict[tuple[str, str], float] | None = None, label_days: int = DAYS,
) -> dict[tuple[str, str, str], Any]:  # fmt: skip
    """Rows of ops.metrics by (metric, model, segment): events (user, item, type, ts), our list of each user."""
    settings = Settings.model_validate(
        {"paths": {"lake": str(lake)}, "evaluation": EVALUATION, "gold": {"windows": {"days": label_days}}}
    )
    pairs = {(user, item) for user, item, kind, ts in bought if item and kind == "purchase" and ts < CUTOFF}
    items = sorted({item for _, item, _, _ in bought if item} | {item for top in lines.values() for item in top})
    known = vectors or {}
    found = evaluate(
        events=events(spark, bought),
        recommendations=table(spark, RECOMMENDATIONS, [
            {
                "user_id": user, "rank": rank, "item_id": item, "sources": [], "reason_items": [],
                "purchase_probability": (probabilities or {}).get((user, item)),
            }
            for user, top in lines.items() for rank, item in enumerate(top, start=1)
        ]),
        candidates=table(spark, CANDIDATES, [{"cutoff": CUTOFF, **row} for row in candidates]),
        item_text=table(spark, ITEM_TEXT, [
            {"item_id": item, "content_hash": f"h{item}", "available": True, "is_cold": False} for item in items
        ]),
        interactions=table(spark, INTERACTIONS, [{"user_id": u, "item_id": i} for u, i in sorted(pairs)]),
        item_embeddings=table(spark, ITEM_EMBEDDINGS, [
            {"model_version": "m", "kind": "item", "content_hash": f"h{item}", "vector": vector}
            for item, vector in known.items()
        ]),
        models=champions(spark),
        night=night(AS_OF, settings),
    )  # fmt: skip
    return {(r.metric, r.model, r.segment): r for r in found.collect()}


def plain(bought: Sequence[tuple[Any, ...]], lines: dict[str, list[str]]) -> dict[str, list[float]]:
    """NDCG@10 of each user in the order of their ids, for `all` and `new`, by the protocol as one would say it."""
    rows = pd.DataFrame(bought, columns=["user_id", "item_id", "type", "ts"])
    before, later = rows[rows.ts < CUTOFF], rows[(rows.ts >= CUTOFF) & (rows.ts < at(DAYS)) & (rows.type == "purchase")]
    later = later[later.user_id.isin(before.user_id) & later.item_id.isin(before.item_id)]
    values: dict[str, list[float]] = {"all": [], "new": []}
    for user, basket in later.groupby("user_id"):
        had = set(before[(before.user_id == user) & (before.type == "purchase")].item_id)
        top, wanted = lines.get(str(user), []), set(basket.item_id)
        values["all"].append(_ndcg(top, wanted))
        if wanted - had:
            values["new"].append(_ndcg([i for i in top if i not in had], wanted - had))
    return values


def _ndcg(top: list[str], wanted: set[str]) -> float:
    gains = [1 / np.log2(place + 2) for place, item in enumerate(top[:K]) if item in wanted]
    return float(sum(gains) / sum(1 / np.log2(place + 2) for place in range(min(len(wanted), K))))
