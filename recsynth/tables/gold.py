"""Gold: R, the text-item association matrix, item text, histories and the windows that models learn from."""

from __future__ import annotations

from recsynth.tables.table import Column, Table, column

_INTERACTION: tuple[Column, ...] = (
    column("user_id", "string", "row of R"),
    column("item_id", "string", "column of R"),
    column("weight", "double", "R_ij: event weights, halved every half-life of age, returns taken off", "weight > 0"),
    column("views", "int", "events of type view or click"),
    column("carts", "int", "events of type cart"),
    column("purchases", "int", "baskets (or purchase events) not given back"),
    column("quantity", "bigint", "units bought, less units returned"),
    column("opinions", "int", "ratings, comments and shares"),
    column("rating", "double?", "mean stars, 1 to 5"),
    column("first_ts", "timestamp", "first event of the pair"),
    column("last_ts", "timestamp", "last event of the pair"),
)

_HISTORY: tuple[Column, ...] = (
    column("user_id", "string", "the user"),
    column(
        "events",
        "array<struct<ts:timestamp,event_type:string,item_id:string,query:string>>",
        "the last N item events and searches, oldest first",
    ),
)

_CUTOFF = column("cutoff", "timestamp", "only events before this instant are in the row, UTC")

CLICK_FARMS = Table(
    name="gold.click_farms",
    grain="one row per (account, item) of a crowd of accounts without a past, as of the day on which it was noticed",
    writer="click_farms",
    key=("user_id", "item_id"),
    columns=(
        column("user_id", "string", "a shallow account: young, few items touched, nothing bought"),
        column("item_id", "string", "what such accounts crowd on"),
        column("noticed", "timestamp", "last event of the day on which they were beyond chance, UTC"),
        column("accounts", "bigint", "accounts that were new to the item in the days looked at", "accounts > 0"),
        column("shallow_accounts", "bigint", "the shallow ones of them", "shallow_accounts between 1 and accounts"),
        column("usual_share", "double", "share of the shallow ones on all other items", "usual_share between 0 and 1"),
        column("chance", "double", "greatest probability of so many without a farm", "chance between 0 and 1"),
    ),
    time="noticed",
)

POST_TOPICS = Table(
    name="gold.post_topics",
    grain="one row per text of a post whose topic nobody knew and that lies close to a topic that was found",
    writer="find_topics",
    key=("content_hash",),
    columns=(
        column("content_hash", "string", "sha256 of the text as models read it"),
        column("topic", "string", "a topic of output.found_topics of the same night"),
        column("similarity", "double", "cosine of the text and the topic's centre", "similarity between -1 and 1.0001"),
    ),
)

TITLE_TRIGGERS = Table(
    name="gold.title_triggers",
    grain="one row per (item, word) of a word that came into too many titles at once, as of when it was noticed",
    writer="title_triggers",
    key=("item_id", "word"),
    columns=(
        column("item_id", "string", "an item into whose title the word came"),
        column("word", "string", "in small letters"),
        column("noticed", "date", "the shop-local day on which so many titles were beyond chance"),
        column("items", "bigint", "items whose titles got the word in the days looked at", "items > 0"),
        column("changed_items", "bigint", "items that got any word in those days", "changed_items >= items"),
        column("categories", "bigint", "top categories that those with the word lie in", "categories > 0"),
        column("usual_share", "double", "most that had it before in any of them", "usual_share between 0 and 1"),
        column("chance", "double", "greatest probability of so many by chance", "chance between 0 and 1"),
    ),
    time="noticed",
)

INTERACTIONS = Table(
    name="gold.interactions",
    grain="one row per (user, item) pair with R_ij > 0 before the as-of date",
    writer="interactions",
    key=("user_id", "item_id"),
    columns=_INTERACTION,
)

WINDOW_INTERACTIONS = Table(
    name="gold.window_interactions",
    grain="one row per (cutoff, user, item): R as it stood at each earlier cut-off that the ranker learns from",
    writer="interactions",
    key=("cutoff", "user_id", "item_id"),
    columns=(_CUTOFF, *_INTERACTION),
)

HISTORIES = Table(
    name="gold.histories",
    grain="one row per user with an event before the as-of date",
    writer="histories",
    key=("user_id",),
    columns=_HISTORY,
)

WINDOW_HISTORIES = Table(
    name="gold.window_histories",
    grain="one row per (cutoff, user): histories as they stood at each earlier cut-off",
    writer="histories",
    key=("cutoff", "user_id"),
    columns=(_CUTOFF, *_HISTORY),
)

WINDOW_LABELS = Table(
    name="gold.window_labels",
    grain="one row per (cutoff, user, item): bought in the window after an earlier cut-off",
    writer="interactions",
    key=("cutoff", "user_id", "item_id"),
    columns=(
        _CUTOFF,
        column("user_id", "string", "the user"),
        column("item_id", "string", "what was bought"),
        column("purchases", "int", "baskets in the window"),
        column("first_ts", "timestamp", "first purchase in the window"),
    ),
)

QUERY_ITEMS = Table(
    name="gold.query_items",
    grain="one row per (normalised query, item) that a user's search led to",
    writer="query_items",
    key=("query", "item_id"),
    columns=(
        column("query", "string", "lower case, trimmed, white space folded"),
        column("item_id", "string", "what was clicked, carted or bought in the session after it"),
        column("weight", "double", "event weights of those events, decayed by age", "weight > 0"),
        column("sessions", "bigint", "sessions in which the query led to the item"),
        column("query_sessions", "bigint", "sessions with the query"),
        column("last_ts", "timestamp", "last such event"),
    ),
)

ITEM_TEXT = Table(
    name="gold.item_text",
    grain="one row per item known before the as-of date",
    writer="item_text",
    key=("item_id",),
    columns=(
        column("item_id", "string", "the item"),
        column("text", "string", "title, category, brand, attributes and description as one natural-language text"),
        column(
            "content_hash", "string", "sha256 of `text`, and of `image_vector` on a line below it where there is one"
        ),
        column("title", "string", "best title: the most seen plausible one; the id where there is none"),
        column("category", "array<string>?", "path from the top"),
        column("brand", "string?", "maker"),
        column("price", "decimal(18,4)?", "latest price, list or paid"),
        column("currency", "string?", "ISO 4217"),
        column("available", "boolean", "false where the shop's latest record says so"),
        column("first_seen", "timestamp", "first record or event"),
        column("is_cold", "boolean", "no interaction before the as-of date"),
        column("image_vector", "array<float>?", "of its latest picture, silver.image_size long"),
    ),
)

DEMAND_HALF_LIVES = (3, 7, 14, 28, 60, 180)

ITEM_DEMAND = Table(
    name="gold.item_demand",
    grain="one row per (cutoff, item) with an event before it; the latest cutoff is the as-of date itself",
    writer="item_demand",
    key=("cutoff", "item_id"),
    columns=(
        _CUTOFF,
        column("item_id", "string", "the item"),
        *(
            column(f"demand_{h}", "double", f"event weights a day, halved every {h} days of age", f"demand_{h} >= 0")
            for h in DEMAND_HALF_LIVES
        ),
        column("trend", "double", "share of demand_7 against share of demand_180, smoothed: 1 is as ever", "trend > 0"),
    ),
)

TABLES = (
    CLICK_FARMS,
    TITLE_TRIGGERS,
    POST_TOPICS,
    INTERACTIONS,
    WINDOW_INTERACTIONS,
    WINDOW_LABELS,
    HISTORIES,
    WINDOW_HISTORIES,
    QUERY_ITEMS,
    ITEM_TEXT,
    ITEM_DEMAND,
)
