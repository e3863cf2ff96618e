"""The part of the page that tells what people speak of, and where complaints surge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.report import plots
from recsynth.tables.output import WHOLE

ALERTS, SENTENCES, TOPICS = 10, 3, 20
# The narrowest entity says most about what to do.
_NARROW = ("item", "brand", "category", "shop")


def opinions(tables: Mapping[str, DataFrame]) -> dict[str, Any] | None:
    """Negative shares of the shop by day, topics of the shop, the alerts of the last days that chance explains least.

    None where nothing was said. Bound: a row a day, TOPICS topics, as many found ones, ALERTS alerts.
    """
    shop = tables["opinion_trends"].where("entity_kind = 'shop'")
    whole = shop.where(F.col("topic") == WHOLE).orderBy("day")
    counted = {"all": F.col("texts"), "negative": F.col("negative_texts")}
    days = whole.select(F.col("day").cast("string"), *(c.alias(n) for n, c in counted.items())).toPandas()
    if not len(days):
        return None
    of_topic = shop.where(F.col("topic") != WHOLE).groupBy("topic").agg(
        F.sum("texts").alias("texts"), (F.sum("negative_texts") / F.sum("texts")).alias("negative_share")
    )  # fmt: skip
    titles = tables["item_text"].select(F.col("item_id").alias("entity"), "title", F.lit("item").alias("entity_kind"))
    place = F.array_position(F.array(*(F.lit(kind) for kind in _NARROW)), F.col("entity_kind"))
    order = (
        F.round(F.log10(F.greatest("chance", F.lit(1e-300)))),
        place,
        F.col("topic"),
        F.col("entity"),
        F.col("raised"),
    )
    alerts = tables["opinion_alerts"].orderBy(*order).limit(ALERTS)
    named = alerts.join(titles, on=["entity_kind", "entity"], how="left").orderBy(*order)
    return {
        "days": Markup(plots.lines(days, "day", "texts a day")),
        "topics": [row.asDict() for row in of_topic.orderBy(F.desc("texts"), "topic").limit(TOPICS).collect()],
        "found": _found(tables["found_topics"]),
        "alerts": [{**row.asDict(), "sentences": row.sentences[:SENTENCES]} for row in named.collect()],
    }


def _found(topics: DataFrame) -> list[dict[str, Any]]:
    """Topics that nobody named, the newest first: topic, texts, since and the text that is nearest to its centre."""
    shown = topics.select("topic", "texts", "since", F.get("examples", F.lit(0)).alias("example"))
    return [row.asDict() for row in shown.orderBy(F.desc("since"), F.desc("texts"), "topic").limit(TOPICS).collect()]
