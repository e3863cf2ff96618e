"""The part of the page that tells what customers ask, and what they are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.report import plots

INTENTS, EXAMPLES = 12, 3
_JUDGED = ("macro_f1", "accuracy", "in_scope_accuracy", "out_of_scope_recall")


def service(tables: Mapping[str, DataFrame], metrics: pd.DataFrame) -> dict[str, Any] | None:
    """Questions by intent, how many an agent has to answer, a few of each decision, the classifier's judge.

    None where nobody asked. Bound: INTENTS intents, EXAMPLES questions a decision.
    """
    asked = tables["service_answers"]
    is_handed = F.count_if(F.col("decision") == "hand_over")
    by = asked.groupBy(F.coalesce("intent", F.lit("unknown")).alias("intent")).agg(
        F.count("*").alias("questions"), is_handed.alias("handed_over"), F.avg("confidence").alias("confidence")
    )  # fmt: skip
    intents = [row.asDict() for row in by.orderBy(F.desc("questions"), "intent").limit(INTENTS).collect()]
    if not intents:
        return None
    # The surest of each decision are dull: any of them, by hash.
    drawn = Window.partitionBy("decision").orderBy(F.xxhash64("source", "ticket_id"), "ticket_id")
    some = asked.withColumn("n", F.row_number().over(drawn)).where(F.col("n") <= EXAMPLES).orderBy("decision", "n")
    judged = metrics[(metrics["stage"] == "teach_texts") & (metrics["segment"] == "intent")]
    decisions: dict[str, int] = {r.decision: r["count"] for r in asked.groupBy("decision").count().collect()}
    return {
        "plot": Markup(plots.bars([i["intent"] for i in intents], [i["questions"] for i in intents], "questions")),
        "intents": intents,
        "decisions": decisions, "total": sum(decisions.values()),
        "examples": [row.asDict(recursive=True) for row in some.collect()],
        "judged": judged[judged["metric"].isin(_JUDGED)].to_dict("records"),
    }  # fmt: skip
