"""Rules for a row: how text becomes a typed value, and the reason for which a row is set aside."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from recsynth.mapping import text
from recsynth.silver.masking import masked
from recsynth.silver.settings import SilverSettings
from recsynth.source import SourceSettings
from recsynth.tables.output import STRANGER
from recsynth.tables.silver import EVENT_TYPES

MALFORMED = "malformed row"
TEXTS = ("user_id", "item_id", "query", "currency", "text", "session_id", "order_id", "country")
PARSED = {"quantity": "int", "price": "decimal(18,4)", "rating": "double"}


def typed_events(rows: DataFrame, source: SourceSettings, silver: SilverSettings) -> DataFrame:
    """Typed event columns and `reason`: the first rule that the row breaks, null where it is good."""
    rows = with_every(rows, ("event_id", "event_type", "ts", *TEXTS, *PARSED))
    words = (
        F.create_map(*(F.lit(x) for pair in source.event_types.items() for x in pair)) if source.event_types else None
    )
    word = text("event_type")
    event_type = word if words is None else F.coalesce(words[word], word)
    rows = rows.withColumns({
        "event_type": event_type, "ts": utc(source),
        **{name: text(name) for name in TEXTS},
        **{name: F.expr(f"try_cast(m_{name} as {type_})") for name, type_ in PARSED.items()},
    })  # fmt: skip
    if silver.mask_texts:
        rows = rows.withColumns({name: masked(F.col(name)) for name in ("text", "query")})
    return rows.withColumn("reason", first_broken(_event_rules(silver)))


def utc(source: SourceSettings, name: str = "ts") -> Column:
    """A mapped time in UTC: as its offset says, else as the clock of the source's zone showed it."""
    written = text(name)
    has_offset = written.rlike(r"(Z|[+-]\d\d:?\d\d)$")
    parsed = (
        F.try_to_timestamp(written, F.lit(source.time_format)) if source.time_format else F.try_to_timestamp(written)
    )
    return F.when(has_offset, parsed).otherwise(F.to_utc_timestamp(parsed, source.time_zone))


def with_every(rows: DataFrame, columns: Sequence[str]) -> DataFrame:
    """The rows with every one of these mapped columns; what the source does not map is null."""
    absent = [c for c in columns if f"m_{c}" not in rows.columns]
    return rows.select("*", *(F.lit(None).cast("string").alias(f"m_{c}") for c in absent))


def common_rules() -> list[tuple[Column, Column]]:
    """What makes a row of any kind a bad one: it could not be read, or the source's own filters refuse it."""
    return [
        (F.col("is_malformed"), F.lit(MALFORMED)),
        (F.col("failed_filter").isNotNull(), F.concat(F.lit("filtered: "), F.col("failed_filter"))),
    ]


def first_broken(rules: Sequence[tuple[Column, Column]]) -> Column:
    """The reason of the first rule that a row breaks, else null."""
    return F.coalesce(*(F.when(broken, reason) for broken, reason in rules), F.lit(None).cast("string"))


def _event_rules(silver: SilverSettings) -> list[tuple[Column, Column]]:
    is_search = F.col("event_type") == "search"
    return [
        *common_rules(),
        (F.col("user_id").isNull(), F.lit("missing user_id")),
        (F.col("user_id") == STRANGER, F.lit("reserved user_id")),
        (F.col("item_id").isNull() & ~F.coalesce(is_search, F.lit(False)), F.lit("missing item_id")),
        (text("ts").isNull(), F.lit("missing ts")),
        (F.col("ts").isNull(), F.lit("unparsable ts")),
        (is_outside(silver.earliest, silver.latest), F.lit("ts out of range")),
        (F.col("event_type").isNull(), F.lit("missing event_type")),
        (~F.col("event_type").isin(*EVENT_TYPES), F.lit("unknown event_type")),
        (F.col("price") < 0, F.lit("negative price")),
        (_is_unparsable("price"), F.lit("unparsable price")),
        (F.col("quantity") <= 0, F.lit("quantity not positive")),
        (_is_unparsable("quantity"), F.lit("unparsable quantity")),
        (~F.col("rating").between(1, 5), F.lit("rating out of range")),
        (_is_unparsable("rating"), F.lit("unparsable rating")),
        (is_search & F.col("query").isNull(), F.lit("missing query")),
    ]


def _is_unparsable(name: str) -> Column:
    return text(name).isNotNull() & F.col(name).isNull()


def is_outside(earliest: date, latest: date) -> Column:
    """Whether `ts` lies where no time of the shop's can."""
    return (F.col("ts") < F.lit(earliest)) | (F.col("ts") >= F.lit(latest))
