"""An item as one natural-language text, made of the best that is known of it before the as-of date."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from recsynth.gold.title_triggers import without_triggers
from recsynth.stage import Night
from recsynth.tables.gold import ITEM_TEXT


def item_text(
    item_records: DataFrame, events: DataFrame, item_labels: DataFrame, title_triggers: DataFrame, night: Night
) -> DataFrame:
    """Join what the records and the events say of each item; what a record lacks is filled from the item's own words.

    Reads silver.item_records, silver.events, output.item_labels (inferred ones that are sure enough) and
    gold.title_triggers (words that no model is to read); writes gold.item_text. The title is the one most often seen
    (then the latest, then the first by alphabet), because shops key in notes and typos; of every other field the
    latest known value holds, of pictures the latest with as many numbers as silver.image_size now says.
    """
    records, people = (
        _records(item_records),
        events.where("not is_bot and not is_near_duplicate and item_id is not null"),
    )
    traded = people.groupBy("item_id").agg(
        F.min("ts").alias("first_event"),
        F.max_by("price", F.when(F.col("price").isNotNull(), F.struct("ts", "event_id"))).alias("paid"),
        F.max_by("currency", F.when(F.col("price").isNotNull(), F.struct("ts", "event_id"))).alias("paid_currency"),
    )
    known = records.join(_titles(item_records), on="item_id", how="left").join(traded, on="item_id", how="full")
    title = F.coalesce("title", "item_id")
    sure, image_size = night.settings.apps.labels.least_confidence, night.settings.silver.image_size
    is_of_size = F.lit(image_size > 0) & (F.size("image_vector") == F.lit(image_size))
    known = _filled(known, item_labels.where(F.col("is_inferred") & (F.col("confidence") >= sure)))
    if night.settings.gold.triggers.leave_out:
        words = title_triggers.groupBy("item_id").agg(F.sort_array(F.collect_set("word")).alias("triggers"))
        known = known.join(words, on="item_id", how="left")
    else:
        known = known.withColumn("triggers", F.lit(None).cast("array<string>"))
    return (
        known.withColumn("title", title)
        .withColumn("text", without_triggers(sentence(), F.col("triggers")))
        .withColumn("text", F.substring("text", 1, night.settings.gold.item_text_chars))
        .withColumn("image_vector", F.when(is_of_size, F.col("image_vector")))
        .withColumn("content_hash", F.sha2(F.concat_ws("\n", "text", F.col("image_vector").cast("string")), 256))
        .withColumn("currency", F.when(F.col("price").isNotNull(), F.col("currency")).otherwise(F.col("paid_currency")))
        .withColumn("price", F.coalesce("price", "paid"))
        .withColumn("available", F.coalesce("available", F.lit(True)))
        .withColumn("first_seen", F.least("first_record", "first_event"))
        .withColumn("is_cold", F.col("first_event").isNull())
        .select(*ITEM_TEXT.column_names)
    )


def _filled(known: DataFrame, labels: DataFrame) -> DataFrame:
    """Brand, category and attributes that a record lacks, from labels."""
    of_item = labels.groupBy("item_id").agg(
        F.map_from_entries(F.sort_array(F.collect_list(F.struct("field", "value")))).alias("labels")
    )
    found = F.coalesce("labels", F.create_map().cast("map<string,string>"))
    own = F.map_filter(
        F.coalesce("attributes", F.create_map().cast("map<string,string>")), lambda _, v: F.trim(v) != ""
    )
    names = F.transform(F.map_keys(own), lambda k: F.lower(F.trim(k)))
    new = F.map_filter(found, lambda k, _: ~k.isin("brand", "category") & ~F.array_contains(names, k))
    return known.join(of_item, on="item_id", how="left").withColumns({
        "brand": F.coalesce("brand", found["brand"]),
        "category": F.coalesce("category", F.split(found["category"], " > ")),
        "attributes": F.map_concat(own, new),
    }).drop("labels")  # fmt: skip


def sentence() -> Column:
    """Title, category, brand, attributes and description in words; what is missing is left out.

    Title 'Blue mug', category ['Kitchen', 'Mugs'], brand 'Ora', colour blue give
    `Blue mug. Kitchen, Mugs. By Ora. colour blue.` and then the description.
    """
    sorted_attributes = F.sort_array(F.map_entries("attributes"))
    attributes = F.array_join(F.transform(sorted_attributes, lambda e: F.concat_ws(" ", e["key"], e["value"])), ", ")
    parts = [
        _plain(F.col("title")),
        _plain(F.array_join("category", ", ")),
        F.concat(F.lit("By "), _plain(F.col("brand"))),
        _plain(attributes),
        _plain(F.col("description")),
    ]
    ended = [F.when(p.rlike(r"[.!?。！？]$"), p).otherwise(F.concat(p, F.lit("."))) for p in parts]
    return F.concat_ws(" ", *ended)


def _plain(text: Column) -> Column:
    """Control characters and runs of white space folded to one blank; null where nothing is left."""
    folded = F.trim(F.regexp_replace(text, r"[\p{Cntrl}\s]+", " "))
    return F.when(folded != "", folded)


def _titles(item_records: DataFrame) -> DataFrame:
    seen = (
        item_records.where("title is not null")
        .groupBy("item_id", "title")
        .agg(F.sum("copies").alias("times"), F.max("seen_date").alias("last_seen"))
    )
    # min_by on negated figures, so that the alphabet decides upwards where all else is equal.
    order = F.struct(-F.col("times"), F.date_diff(F.lit("9999-12-31").cast("date"), "last_seen"), F.col("title"))
    return seen.groupBy("item_id").agg(F.min_by("title", order).alias("title"))


def _records(item_records: DataFrame) -> DataFrame:
    fields = ("description", "category", "brand", "price", "currency", "attributes", "available", "image_vector")
    latest = [
        F.max_by(f, F.when(F.col(f).isNotNull(), F.struct("seen_date", "copies", "source", "record_hash"))).alias(f)
        for f in fields
    ]
    return item_records.groupBy("item_id").agg(*latest, F.min("seen_date").cast("timestamp").alias("first_record"))
