"""Clean: rows that landed become typed events and item records, or are set aside with a reason."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.silver.activity import with_activity
from recsynth.silver.records import item_rows, merged_records, sightings
from recsynth.silver.rules import mapped, text, typed_events
from recsynth.source import PATH, SourceSettings
from recsynth.stage import Frames, Night
from recsynth.tables.silver import CLEANED_FILES, EVENTS, QUARANTINE


def clean(
    rows: DataFrame, landed_files: DataFrame, cleaned_files: DataFrame, events: DataFrame, item_records: DataFrame,
    night: Night,
) -> Frames:  # fmt: skip
    """Clean the files that are not cleaned yet; nothing where there is none.

    Reads bronze.rows, bronze.landed_files and, to join the new rows to them, silver.cleaned_files,
    silver.events and silver.item_records of all time; writes silver.events (days that were touched, whole),
    silver.item_records, silver.quarantine and silver.cleaned_files. Every landed row is in exactly one of
    events (in `copies`), item records (of item sources, in `copies`) and quarantine (in `copies`).
    """
    files = landed_files.join(cleaned_files, on="file_id", how="left_anti")
    if files.isEmpty():
        return {}
    named = F.broadcast(files.select("file_id", F.col("path").alias(PATH)))
    fresh = rows.join(named, on="file_id", how="inner")
    typed = [(s, _typed(fresh.where(F.col("source") == s.name), s, night)) for s in night.settings.sources]
    event_rows = [(s, t) for s, t in typed if s.kind == "events"]
    item_sources = [t for s, t in typed if s.kind == "items"]
    new_events = [_events(t.where("reason is null"), s, night) for s, t in event_rows]
    records = [sightings(t.where("reason is null"), night) for s, t in typed if s.kind == "items" or s.item_columns]
    verdicts = reduce(DataFrame.unionByName, [t.select("file_id", "source", "raw", "reason") for _, t in typed])
    result = {
        "quarantine": _quarantine(verdicts, files),
        "cleaned_files": _cleaned(verdicts, files),
    }
    if new_events:
        result["events"] = _touched_days(reduce(DataFrame.unionByName, new_events), events, night)
    if records or item_sources:
        result["item_records"] = merged_records(reduce(DataFrame.unionByName, records), item_records)
    return result


def _typed(rows: DataFrame, source: SourceSettings, night: Night) -> DataFrame:
    """Mapped and typed rows with `reason`; kept until the stage's tables are written, because four of them read it."""
    silver = night.settings.silver
    columns = mapped(rows, source)
    typed = typed_events(columns, source, silver) if source.kind == "events" else item_rows(columns, source, night)
    return typed.persist()


def _events(rows: DataFrame, source: SourceSettings, night: Night) -> DataFrame:
    """Events of one source, identical landed rows folded, without what only a whole day can tell."""
    local = F.from_utc_timestamp("ts", night.settings.shop_time_zone)
    event_id = F.coalesce(text("event_id"), F.sha2(F.concat_ws("/", "source", "raw"), 256))
    named = rows.withColumns({
        "event_id": event_id, "event_date": local.cast("date"), "shop_session": F.col("session_id"),
        "copies": F.lit(1).cast("bigint"),
    })  # fmt: skip
    return named.select(*_LANDED)


_LANDED = [c for c in EVENTS.column_names if c not in ("session_id", "is_bot", "is_near_duplicate")]


def _touched_days(fresh: DataFrame, events: DataFrame, night: Night) -> DataFrame:
    days = F.broadcast(fresh.select("event_date").distinct())
    before = events.join(days, on="event_date", how="left_semi").select(*_LANDED)
    content = F.xxhash64(*(c for c in _LANDED if c != "copies"))
    same = Window.partitionBy("event_date", "event_id")
    # Of rows that share an id but not their content, one is kept by a rule that no order of arrival can change.
    folded = (
        before.unionByName(fresh)
        .withColumn("copies", F.sum("copies").over(same))
        .withColumn("choice", F.row_number().over(same.orderBy(content)))
        .where("choice = 1")
    )
    return with_activity(folded, night.settings.silver).select(*EVENTS.column_names)


def _quarantine(verdicts: DataFrame, files: DataFrame) -> DataFrame:
    aside = verdicts.where("reason is not null").withColumn("row_hash", F.sha2("raw", 256))
    folded = aside.groupBy("file_id", "row_hash", "source", "raw", "reason").agg(F.count("*").alias("copies"))
    landed = F.broadcast(files.select("file_id", F.col("landed_at").alias("first_seen")))
    return folded.join(landed, on="file_id", how="inner").select(*QUARANTINE.column_names)


def _cleaned(verdicts: DataFrame, files: DataFrame) -> DataFrame:
    counted = verdicts.groupBy("file_id").agg(
        F.count_if(F.col("reason").isNull()).alias("kept"), F.count_if(F.col("reason").isNotNull()).alias("quarantined")
    )
    joined = files.join(counted, on="file_id", how="left").na.fill(0, ["kept", "quarantined"])
    return joined.withColumn("landed", F.col("rows")).select(*CLEANED_FILES.column_names)
