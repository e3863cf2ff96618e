"""Silver: clean, typed, deduplicated, and what was set aside."""

from __future__ import annotations

from recsynth.tables.table import Table, column

EVENT_TYPES = ("search", "view", "click", "cart", "purchase", "return", "rating", "comment", "share")
# Of these somebody has paid for something.
TRADES = ("purchase", "return")

EVENTS = Table(
    name="silver.events",
    grain="one row per (day, event id); `copies` counts the landed rows that it stands for",
    writer="clean",
    key=("event_date", "event_id"),
    nightly=False,
    write="partitions",
    partition=("event_date",),
    time="ts",
    columns=(
        column("event_id", "string", "the shop's id of the event, or a sha256 of its source and fields"),
        column("user_id", "string", "as the shop writes it"),
        column("item_id", "string?", "as the shop writes it; null for a search"),
        column("event_type", "string", "one of EVENT_TYPES", "event_type in " + str(EVENT_TYPES)),
        column("ts", "timestamp", "when it happened, UTC"),
        column("event_date", "date", "the day it happened in the shop's time zone"),
        column("query", "string?", "search text as typed; on other events the search that led here, if known"),
        column("quantity", "int?", "units; positive, on a return the units given back", "quantity > 0"),
        column("price", "decimal(18,4)?", "unit price in `currency`", "price >= 0"),
        column("currency", "string?", "ISO 4217"),
        column("rating", "double?", "stars, 1 to 5", "rating between 1 and 5"),
        column("text", "string?", "review text"),
        column("session_id", "string", "the shop's own, or found: idle minutes or midnight end a session"),
        column("shop_session", "string?", "the session as the shop named it"),
        column("order_id", "string?", "basket or invoice"),
        column("country", "string?", "country of the user at the event"),
        column("source", "string", "name of the [[sources]] entry"),
        column("is_bot", "boolean", "the user's day has a pace that no person has"),
        column("is_near_duplicate", "boolean", "follows a like event of the user within a moment: a double click"),
        column("copies", "bigint", "landed rows folded into this one, at least 1", "copies >= 1"),
    ),
)

ITEM_RECORDS = Table(
    name="silver.item_records",
    grain="one row per (source, item, content, day): an item record as it was seen that day",
    writer="clean",
    key=("source", "item_id", "record_hash", "seen_date"),
    nightly=False,
    write="merge",
    time="seen_date",
    columns=(
        column("source", "string", "name of the [[sources]] entry"),
        column("item_id", "string", "as the shop writes it"),
        column("record_hash", "string", "sha256 of the fields below up to `available`"),
        column("seen_date", "date", "shop-local day on which the record held"),
        column("title", "string?", "name of the item"),
        column("description", "string?", "longer text"),
        column("category", "array<string>?", "path from the top"),
        column("brand", "string?", "maker"),
        column("price", "decimal(18,4)?", "list price in `currency`"),
        column("currency", "string?", "ISO 4217"),
        column("attributes", "map<string,string>?", "name to value, such as colour or material"),
        column("image_path", "string?", "where its picture lies"),
        column(
            "image_vector", "array<float>?", "what a picture encoder of the shop's made of it, silver.image_size long"
        ),
        column("available", "boolean?", "false where the shop says that it can not be sold"),
        column("copies", "bigint", "landed rows folded into this one", "copies >= 1"),
    ),
)

ITEMS = Table(
    name="silver.items",
    grain="one row per item version",
    writer="items",
    key=("item_id", "valid_from"),
    nightly=False,
    write="replace",
    time="valid_from",
    columns=(
        column("item_id", "string", "as the shop writes it"),
        column("valid_from", "timestamp", "start of the first day on which this version was seen, UTC"),
        column("valid_to", "timestamp?", "start of the next version; null while it is the latest"),
        *(
            c
            for c in ITEM_RECORDS.columns
            if c.name
            in (
                "title",
                "description",
                "category",
                "brand",
                "price",
                "currency",
                "attributes",
                "image_path",
                "image_vector",
                "available",
            )
        ),
    ),
)

REVIEWS = Table(
    name="silver.reviews",
    grain="one row per review: an event of type rating or comment that has stars or text",
    writer="reviews",
    key=("event_id",),
    nightly=False,
    write="replace",
    time="ts",
    columns=tuple(
        c for c in EVENTS.columns if c.name in ("event_id", "user_id", "item_id", "ts", "rating", "text", "source")
    ),
)

QUARANTINE = Table(
    name="silver.quarantine",
    grain="one row per (file, raw row, reason) that was set aside; `copies` counts how often the file has it",
    writer="clean",
    key=("file_id", "row_hash"),
    nightly=False,
    write="merge",
    columns=(
        column("file_id", "string", "the file it came in"),
        column("row_hash", "string", "sha256 of the raw row"),
        column("source", "string", "name of the [[sources]] entry"),
        column("raw", "string", "the row as it came"),
        column("reason", "string", "the first rule that it broke, such as `missing user_id`"),
        column("first_seen", "timestamp", "when its file was landed"),
        column("copies", "bigint", "rows of that file folded into this one", "copies >= 1"),
    ),
)

CLEANED_FILES = Table(
    name="silver.cleaned_files",
    grain="one row per landed file that was cleaned: landed = kept + quarantined, kept holding the duplicates",
    writer="clean",
    key=("file_id",),
    nightly=False,
    write="merge",
    columns=(
        column("file_id", "string", "the file"),
        column("source", "string", "name of the [[sources]] entry"),
        column("landed", "bigint", "data rows in the file"),
        column("kept", "bigint", "rows that became a row of silver, duplicates included"),
        column("quarantined", "bigint", "rows set aside"),
    ),
)

TICKETS = Table(
    name="silver.tickets",
    grain="one row per (source, ticket): a customer's question as its last landed row tells it",
    writer="clean",
    key=("source", "ticket_id"),
    nightly=False,
    write="merge",
    time="ts",
    columns=(
        column("source", "string", "name of the [[sources]] entry"),
        column("ticket_id", "string", "as the shop writes it"),
        column("user_id", "string?", "who asked; null where nobody was signed in"),
        column("ts", "timestamp", "when it was asked, UTC"),
        column("question", "string", "as typed"),
        column("answer", "string?", "what an agent wrote; null while nobody has"),
        column("answered_at", "timestamp?", "when answer and intent were given, UTC; null: with the question"),
        column("intent", "string?", "what the question is about, where an agent said so"),
        column("order_id", "string?", "the order that it is about"),
        column("item_id", "string?", "the item that it is about"),
        column("copies", "bigint", "landed rows folded into this one, earlier states of it too", "copies >= 1"),
    ),
)

POLICIES = Table(
    name="silver.policies",
    grain="one row per (source, policy, content, day): what the shop told everybody that day",
    writer="clean",
    key=("source", "policy_id", "text_hash", "seen_date"),
    nightly=False,
    write="merge",
    time="seen_date",
    columns=(
        column("source", "string", "name of the [[sources]] entry"),
        column("policy_id", "string", "as the shop writes it"),
        column("text_hash", "string", "sha256 of title and text"),
        column("seen_date", "date", "shop-local day on which it held"),
        column("title", "string?", "what it is about"),
        column("text", "string", "sentences that any customer may be told"),
        column("copies", "bigint", "landed rows folded into this one", "copies >= 1"),
    ),
)

PROMOTIONS = Table(
    name="silver.promotions",
    grain="one row per (source, promotion, item, days, day): what the shop said that day of a promotion",
    writer="clean",
    key=("source", "promotion_id", "item_id", "first_day", "last_day", "is_cancelled", "seen_date"),
    nightly=False,
    write="merge",
    time="seen_date",
    columns=(
        column("source", "string", "name of the [[sources]] entry"),
        column("promotion_id", "string", "as the shop writes it"),
        column("item_id", "string", "the item that is promoted"),
        column("first_day", "date", "shop-local day on which it begins"),
        column("last_day", "date", "shop-local day with which it ends", "last_day >= first_day"),
        column("is_cancelled", "boolean", "it does not take place after all"),
        column("seen_date", "date", "shop-local day on which the shop said so"),
        column("copies", "bigint", "landed rows folded into this one", "copies >= 1"),
    ),
)

POSTS = Table(
    name="silver.posts",
    grain="one row per (source, post): what somebody wrote in public, as its last landed row tells it",
    writer="clean",
    key=("source", "post_id"),
    nightly=False,
    write="merge",
    time="ts",
    columns=(
        column("source", "string", "name of the [[sources]] entry"),
        column("post_id", "string", "as the shop writes it, or sha256 of the row where it has none"),
        column("user_id", "string?", "the customer who wrote it, where known"),
        column("ts", "timestamp", "when it was written, UTC"),
        column("text", "string?", "as written; null where only its topic and sentiment are told"),
        column("topic", "string?", "what it is about, where somebody said so"),
        column(
            "sentiment",
            "string?",
            "where somebody said so",
            "sentiment in ('positive', 'neutral', 'negative')",
        ),
        column("labelled_at", "timestamp?", "when topic and sentiment were said, UTC; null: with the post"),
        column("entity", "string?", "a company, person or product that it speaks of, in the shop's own words"),
        column("item_id", "string?", "the item that it speaks of"),
        column("copies", "bigint", "landed rows folded into this one, earlier states of it too", "copies >= 1"),
    ),
)

TABLES = (EVENTS, ITEM_RECORDS, ITEMS, REVIEWS, TICKETS, POLICIES, PROMOTIONS, POSTS, QUARANTINE, CLEANED_FILES)
