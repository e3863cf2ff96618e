"""Real dated complaints as posts: landed from their CSV, every row kept, counted by topic and name, surges told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from recsynth.apps.opinions import opinions
from recsynth.settings import Settings
from recsynth.tables.gold import CLICK_FARMS, POST_TOPICS
from recsynth.tables.model import CLASSIFIERS, TEXT_LABELS
from recsynth.tables.silver import ITEMS, REVIEWS
from tests.rows import table
from tests.silver.test_clean import Lake

AS_OF = date(2019, 7, 1)
# The worked example of a source of posts: a complaint is negative whether or not its writer let the text be shown.
COMPLAINTS: dict[str, Any] = {
    "name": "complaints", "kind": "posts", "format": "csv", "path": "cfpb_complaints/*.csv",
    "time_zone": "America/New_York", "time_format": "yyyy/M/d",
    "columns": {"post_id": "`Complaint ID`", "ts": "`Date received`", "text": "`Consumer complaint narrative`",
                "topic": "Product", "entity": "Company", "sentiment": "'negative'"},
}  # fmt: skip


@pytest.mark.slow
def test_real_complaints_run_through_and_their_surges_are_told(
    spark: SparkSession, tmp_path: Path, real_data: Path
) -> None:
    paths = {"landing": str(real_data), "lake": str(tmp_path / "lake"), "report": str(tmp_path / "report")}
    chosen = Settings.model_validate(
        {"sources": [COMPLAINTS], "paths": paths, "shop_time_zone": "America/New_York", "silver": {"mask_texts": False}}
    )
    lake = Lake(spark, chosen)
    lake.run()
    counted = lake.account()
    posts = lake.tables["posts"]
    assert counted["rows_landed"] == counted["rows_kept"] == posts.count() > 6000
    assert counted["rows_quarantined"] == 0
    at = replace(lake.night, as_of=AS_OF)
    none = table(spark, CLASSIFIERS, []).withColumn("run_date", F.lit(AS_OF))
    past = posts.where(F.col("ts") < F.lit(at.cutoff))
    reviews, items, farms, topics, labels = (
        table(spark, t, []) for t in (REVIEWS, ITEMS, CLICK_FARMS, POST_TOPICS, TEXT_LABELS)
    )
    made = opinions(reviews, past, items, farms, topics, none, labels, at)
    days = made["opinion_trends"].where("topic = 'all' and entity_kind = 'shop'").collect()
    month = past.where(F.col("ts") >= F.lit(at.cutoff_before(28))).count()
    assert sum(r.texts + r.reposts for r in days) == month > 100
    alerts = made["opinion_alerts"].collect()
    # In June 2019 complaints about one credit bureau came three times as often as before.
    named = [a for a in alerts if a.entity_kind == "named"]
    assert named
    assert all(a.negatives > 2 * a.expected and a.entity for a in named)
    assert all(date(2019, 6, 3) <= a.raised < AS_OF for a in alerts)
