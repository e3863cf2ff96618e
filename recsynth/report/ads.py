"""The part of the page that shows advertisements, with what each says and where that stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.report import plots

EXAMPLES = 6
SLOTS = ("title", "description", "headline", "body")
REFERENCED = ("bleu", "chrf", "rouge_l")


def ads(tables: Mapping[str, DataFrame], metrics: pd.DataFrame) -> dict[str, Any] | None:
    """How many items got texts tonight, figures by slot, and a few items with all of their texts.

    None where no item has a text. Bound: EXAMPLES items, those written last.
    """
    made = tables["ad_copy"]
    newest = made.where("slot = 'headline'").groupBy("item_id").agg(F.max("written").alias("written"))
    shown = newest.orderBy(F.desc("written"), F.xxhash64("item_id"), "item_id").limit(EXAMPLES)
    titled = made.join(shown.select("item_id"), on="item_id", how="left_semi").join(
        tables["item_text"].select("item_id", F.col("title").alias("own_title")), on="item_id", how="left"
    )
    rows = titled.orderBy("item_id", "slot", "variant").toPandas()
    if rows.empty:
        return None
    found = metrics[metrics["stage"] == "ad_copy"]
    by_slot = {slot: part.set_index("metric")["value"].to_dict() for slot, part in found.groupby("segment")}
    slots = [{"slot": slot, **by_slot[slot]} for slot in SLOTS if "coverage" in by_slot.get(slot, {})]
    judged = found[found["metric"].isin(REFERENCED)]
    return {
        "items": found[found["metric"] == "items"].set_index("segment")["value"].to_dict(),
        "plot": Markup(plots.bars([s["slot"] for s in slots], [100 * s["coverage"] for s in slots], "% told"))
        if slots else None,
        "slots": slots,
        "judged": judged.pivot_table(index="model", columns="metric", values="value").reset_index().to_dict("records"),
        "judged_items": int(judged["count"].max()) if len(judged) else 0,
        "examples": [_example(str(item), part) for item, part in rows.groupby("item_id", sort=False)],
    }  # fmt: skip


def _example(item: str, rows: pd.DataFrame) -> dict[str, Any]:
    texts = {slot: rows.loc[rows["slot"] == slot, "text"].tolist() for slot in SLOTS}
    claims = sorted({(c["field"], c["text"], c["found_in"]) for said in rows["claims"] for c in said})
    own = rows["own_title"].iloc[0]
    return {"item": own if isinstance(own, str) else item, "texts": texts, "claims": claims}
