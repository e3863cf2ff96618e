"""Clean: landed rows become typed events, items, tickets, policies, posts and promotions, or are set aside and why."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.mapping import mapped, text, with_known_names
from recsynth.silver.activity import with_activity
from recsynth.silver.posts import merged_posts, post_rows
from recsynth.silver.promotions import promotion_rows
from recsynth.silver.records import item_rows, merged_records, sightings
from recsynth.silver.rules import MALFORMED, typed_events
from recsynth.silver.states import folded
from recsynth.silver.tickets import merged_policies, merged_tickets, policy_rows, ticket_rows
from recsynth.source import PATH, DriftSettings, SourceSettings
from recsynth.stage import Frames, Night
from recsynth.tables.silver import CLEANED_FILES, EVENTS, PROMOTIONS, QUARANTINE


def clean(
    rows: DataFrame, landed_files: DataFrame, column_changes: DataFrame, cleaned_files: DataFrame, events: DataFrame,
    item_records: DataFrame, tickets: DataFrame, policies: DataFrame, posts: DataFrame, promotions: DataFrame,
    night: Night,
) -> Frames:  # fmt: skip
    """Clean the files that are not cleaned yet; nothing where there is none.

    Reads bronze.rows, bronze.landed_files, bronze.column_changes and, to join the new rows to them,
    silver.cleaned_files, silver.events, silver.item_records, silver.tickets, silver.policies, silver.posts and
    silver.promotions of all time; writes silver.events (days that were touched, whole), silver.item_records,
    silver.tickets, silver.policies, silver.posts, silver.promotions, silver.quarantine and silver.cleaned_files. Every
    landed row is counted in the `copies` of exactly one row: of the table of its source's kind, or of quarantine.
    """
    files = landed_files.join(cleaned_files, on="file_id", how="left_anti")
    if files.isEmpty():
        return {}
    fresh = with_path(rows, files)
    result, verdicts = cleaned(
        fresh, column_changes, events, item_records, tickets, policies, posts, promotions, night
    )  # fmt: skip
    return {**result, "quarantine": _quarantine(verdicts, files), "cleaned_files": _cleaned(verdicts, files)}


def with_path(rows: DataFrame, files: DataFrame) -> DataFrame:
    """The rows of these files, each with the path of its own."""
    return rows.join(F.broadcast(files.select("file_id", F.col("path").alias(PATH))), on="file_id", how="inner")


def cleaned(
    fresh: DataFrame, column_changes: DataFrame, events: DataFrame, item_records: DataFrame, tickets: DataFrame,
    policies: DataFrame, posts: DataFrame, promotions: DataFrame, night: Night,
) -> tuple[dict[str, DataFrame], DataFrame]:  # fmt: skip
    """Rows of bronze that silver has not counted yet, joined to what it has.

    fresh: bronze.rows with their `_path`. Returns the tables by short name, and a verdict for every fresh row: file_id,
    source, raw and `reason`, null where it is kept.
    """
    sources = with_known_names(night.settings.sources, column_changes)
    refused = _refused_files(sources, column_changes)
    typed = [(s, _typed(fresh.where(F.col("source") == s.name), s, refused, night)) for s in sources]
    event_rows = [(s, t) for s, t in typed if s.kind == "events"]
    item_sources = [t for s, t in typed if s.kind == "items"]
    asked, told, posted, promoted = (
        [t for s, t in typed if s.kind == kind] for kind in ("tickets", "policies", "posts", "promotions")
    )
    new_events = [_events(t.where("reason is null"), s, night) for s, t in event_rows]
    records = [sightings(t.where("reason is null"), night) for s, t in typed if s.kind == "items" or s.item_columns]
    verdicts = reduce(DataFrame.unionByName, [t.select("file_id", "source", "raw", "reason") for _, t in typed])
    result = {}
    if new_events:
        result["events"] = _touched_days(reduce(DataFrame.unionByName, new_events), events, night)
    if records or item_sources:
        result["item_records"] = merged_records(reduce(DataFrame.unionByName, records), item_records)
    if asked:
        result["tickets"] = merged_tickets(_good(asked), tickets)
    if told:
        result["policies"] = merged_policies(_good(told), policies)
    if posted:
        result["posts"] = merged_posts(_good(posted), posts)
    if promoted:
        result["promotions"] = folded(_good(promoted), promotions, PROMOTIONS)
    return result, verdicts


def _refused_files(sources: Sequence[SourceSettings], column_changes: DataFrame) -> DataFrame | None:
    """Files (file_id, refused) whose rows are set aside whole for what became of a column, as the settings say now."""
    pairs = [(s.name, change) for s in sources for change in DriftSettings.model_fields
             if s.policy(change) == "quarantine"]  # fmt: skip
    if not pairs:
        return None
    aside = F.concat_ws("/", "source", "change").isin(["/".join(pair) for pair in pairs])
    found = column_changes.where(aside & (F.col("policy") == "quarantine"))
    reason = F.concat(F.lit("schema: "), F.min_by(F.concat_ws(" ", "change", "column"), "place"))
    return found.groupBy("file_id").agg(reason.alias("refused"))


def _typed(rows: DataFrame, source: SourceSettings, refused: DataFrame | None, night: Night) -> DataFrame:
    """Mapped and typed rows with `reason`; kept until the stage's tables are written, because four of them read it."""
    columns = mapped(rows, source)
    if source.kind == "events":
        typed = typed_events(columns, source, night.settings.silver)
    else:
        kinds = {"items": item_rows, "tickets": ticket_rows, "policies": policy_rows, "posts": post_rows,
                 "promotions": promotion_rows}  # fmt: skip
        typed = kinds[source.kind](columns, source, night)
    if refused is not None:
        reason = F.when(F.col("reason") == MALFORMED, MALFORMED).otherwise(F.coalesce("refused", "reason"))
        typed = typed.join(F.broadcast(refused), on="file_id", how="left").withColumn("reason", reason).drop("refused")
    return typed.persist()


def _good(typed: list[DataFrame]) -> DataFrame:
    return reduce(lambda a, b: a.unionByName(b, allowMissingColumns=True), [t.where("reason is null") for t in typed])


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
