"""The part of the page that tells which gaps of the catalogue were filled from items' own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.report import plots

FIELDS, EXAMPLES = 15, 6
_JUDGED = ("span_f1", "unseen_recall", "accuracy", "macro_f1")


def labels(tables: Mapping[str, DataFrame], metrics: pd.DataFrame) -> dict[str, Any] | None:
    """Fields with how many items have, lack and contradict them, some of either, and the models' judge.

    None where no item was labelled. Bound: FIELDS fields, EXAMPLES items of each sort.
    """
    said = tables["item_labels"]
    against = F.col("recorded").isNotNull() & (F.lower("recorded") != F.lower("value"))
    fields = said.groupBy("field").agg(
        F.count("*").alias("items"), F.count_if("is_inferred").alias("inferred"), F.count_if(against).alias("against"),
        F.avg("confidence").alias("confidence"),
    )  # fmt: skip
    rows = [row.asDict() for row in fields.orderBy(F.desc("items"), "field").limit(FIELDS).collect()]
    if not rows:
        return None
    titled = said.join(tables["item_text"].select("item_id", "title"), on="item_id", how="left")
    surest = (F.desc("confidence"), F.col("item_id"), F.col("field"))
    shown = {"filled": titled.where("is_inferred"), "against": titled.where(against)}
    judged = metrics[(metrics["stage"] == "teach_texts") & metrics["segment"].isin(["item_fields", "item_category"])]
    return {
        "plot": Markup(plots.bars([r["field"] for r in rows], [r["inferred"] for r in rows], "gaps filled")),
        "fields": rows,
        **{sort: [r.asDict() for r in some.orderBy(*surest).limit(EXAMPLES).collect()] for sort, some in shown.items()},
        "judged": judged[judged["metric"].isin(_JUDGED)].to_dict("records"),
    }
