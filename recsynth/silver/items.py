"""Item versions: from which day to which day a shop described an item in one way."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.stage import Night
from recsynth.tables.silver import ITEMS


def items(item_records: DataFrame, night: Night) -> DataFrame:
    """A version begins on the first day on which the record most seen that day says something new.

    Reads silver.item_records of all time; writes silver.items. valid_from is a day's start in the shop's
    zone; a reader who is to see nothing later than a date keeps to versions with valid_from before it.
    """
    most_seen = Window.partitionBy("item_id", "seen_date").orderBy(F.desc("copies"), "source", "record_hash")
    by_day = Window.partitionBy("item_id").orderBy("seen_date")
    daily = item_records.withColumn("place", F.row_number().over(most_seen)).where("place = 1")
    is_new = ~F.col("record_hash").eqNullSafe(F.lag("record_hash").over(by_day))
    versions = daily.withColumn("is_new", is_new).where("is_new")
    start = F.to_utc_timestamp(F.col("seen_date").cast("timestamp"), night.settings.shop_time_zone)
    versions = versions.withColumn("valid_from", start)
    valid_to = F.lead("valid_from").over(Window.partitionBy("item_id").orderBy("valid_from"))
    return versions.withColumn("valid_to", valid_to).select(*ITEMS.column_names)
