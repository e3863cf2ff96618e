"""Item records: what a catalogue row, or an event row, says of an item on a day."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from recsynth.silver.rules import common_rules, first_broken
from recsynth.source import SourceSettings
from recsynth.stage import Night
from recsynth.tables.silver import ITEM_RECORDS

FIELDS = (
    "title", "description", "category", "brand", "price", "currency", "attributes", "image_path", "image_vector",
    "available",
)  # fmt: skip
KEY = list(ITEM_RECORDS.key)


def item_rows(rows: DataFrame, source: SourceSettings, night: Night) -> DataFrame:
    """Rows of an item source with `i_<field>` columns and `reason`, null where the row is good."""
    rows = rows.withColumnsRenamed({f"m_{c}": f"i_{c}" for c in source.columns})
    day = F.expr("try_cast(i_seen_date as date)") if "seen_date" in source.columns else F.lit(night.started_at.date())
    rows = rows.withColumn("event_date", day).withColumn("item_id", _text("item_id"))
    price = F.col("i_price").cast("string") if "price" in source.columns else F.lit(None).cast("string")
    parsed = price.try_cast("decimal(18,4)")
    rules = [
        *common_rules(),
        (F.col("item_id").isNull(), F.lit("missing item_id")),
        (F.col("event_date").isNull(), F.lit("unparsable seen_date")),
        (parsed < 0, F.lit("negative price")),
        ((F.trim(price) != "") & parsed.isNull(), F.lit("unparsable price")),
    ]
    if "image_vector" in source.columns:
        size = night.settings.silver.image_size
        is_bad = F.col("i_image_vector").isNotNull() & _image_vector(size).isNull()
        rules.append((is_bad, F.lit(f"image_vector: not {size} finite numbers")))
    return rows.withColumn("reason", first_broken(rules))


def sightings(rows: DataFrame, night: Night) -> DataFrame:
    """Good rows with `i_<field>` columns folded to one row per (source, item, content, day)."""
    types = {c.name: c.type for c in ITEM_RECORDS.columns}
    local_day = F.from_utc_timestamp("ts", night.settings.shop_time_zone).cast("date")
    seen = rows.withColumn("seen_date", F.col("event_date") if "event_date" in rows.columns else local_day)
    fields = {f: F.col(f"i_{f}") if f"i_{f}" in rows.columns else F.lit(None) for f in FIELDS}
    if "i_image_vector" in rows.columns:
        fields["image_vector"] = _image_vector(night.settings.silver.image_size)
    typed = seen.select("source", "item_id", "seen_date", *(_cast(v, types[f]).alias(f) for f, v in fields.items()))
    title = F.when(F.expr(night.settings.silver.plausible_title), F.trim("title"))
    typed = typed.withColumn("title", title)
    content = F.sha2(F.to_json(F.struct(*FIELDS)), 256)
    said = typed.withColumn("record_hash", content).groupBy(*KEY)
    return said.agg(*(F.first(f).alias(f) for f in FIELDS), F.count("*").alias("copies")).select(
        *ITEM_RECORDS.column_names
    )


def merged_records(fresh: DataFrame, item_records: DataFrame) -> DataFrame:
    """The fresh records with the copies that silver already counts of them."""
    before = item_records.select(*KEY, F.col("copies").alias("before"))
    total = F.col("copies") + F.coalesce("before", F.lit(0))
    return fresh.join(before, on=KEY, how="left").withColumn("copies", total).select(*ITEM_RECORDS.column_names)


def _cast(value: Column, type_: str) -> Column:
    return F.nullif(F.trim(value.cast("string")), F.lit("")) if type_ == "string" else value.try_cast(type_)


def _image_vector(size: int) -> Column:
    """So many finite numbers, else null."""
    numbers = F.col("i_image_vector").try_cast("array<float>")
    is_finite = F.forall(numbers, lambda x: x.isNotNull() & (F.abs(x) < float("inf")))
    return F.when((F.size(numbers) == size) & is_finite, numbers)


def _text(name: str) -> Column:
    return F.nullif(F.trim(F.col(f"i_{name}").cast("string")), F.lit(""))
