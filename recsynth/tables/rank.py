"""Rank: candidates of every source and the features that the ranker reads."""

from __future__ import annotations

from recsynth.tables.gold import DEMAND_HALF_LIVES
from recsynth.tables.table import Table, column

SOURCES = {
    "item_neighbours": "linear autoencoder over what users have in common",
    "trending": "item neighbours and the user's own R, raised where the item's demand has risen lately",
    "last_basket": "item neighbours, from the user's last basket alone",
    "als": "matrix factorisation",
    "user_neighbours": "what the most similar users have",
    "text": "match of the language model, <u_i, v_j>",
    "text_transfer": "what item neighbours score, carried to this item by text alone, as if it were new",
    "popular": "purchases lately, decayed",
    "repeat": "the user's own R_ij",
}

_WHO = (
    column("cutoff", "timestamp", "only events before this instant were used, UTC"),
    column("user_id", "string", "the user"),
    column("item_id", "string", "the candidate"),
)

WINDOWS = Table(
    name="rank.windows",
    grain="one row per cutoff: whether its features are computed tonight or read from a night before",
    writer="windows",
    key=("cutoff",),
    columns=(
        column("cutoff", "timestamp", "the as-of date itself, or the beginning of a window to learn from, UTC"),
        column("read_from", "date?", "the night whose rows of rank.features are read; null where they are computed"),
        column("known_events", "bigint", "events before the cutoff that were known when they were computed"),
        column(
            "computed_by",
            "string",
            "sha256 of settings, code and erasures, 16 digits: what of it is the same may be read",
        ),
    ),
)

CANDIDATES = Table(
    name="rank.candidates",
    grain="one row per (cutoff, user, item) that a source proposed tonight; the latest cutoff is the as-of date itself",
    writer="candidates",
    key=("cutoff", "user_id", "item_id"),
    partition=("cutoff",),
    columns=(
        *_WHO,
        *(
            c
            for source, meaning in SOURCES.items()
            for c in (
                column(f"{source}_score", "float?", f"{meaning}; null where the source knows nothing of the user"),
                column(f"{source}_rank", "int?", "place of that score among the user's candidates, 1 is best"),
            )
        ),
        column("sources", "array<string>", "the sources that proposed it, the others only score it"),
        column("because_item", "string?", "item of the history that adds most to item_neighbours_score, if any adds"),
    ),
)

ITEM_NEIGHBOURS = Table(
    name="rank.item_neighbours",
    grain="one row per (item, neighbour) among the nearest by cosine of their columns of R",
    writer="candidates",
    key=("item_id", "neighbour_id"),
    columns=(
        column("item_id", "string", "the item"),
        column("neighbour_id", "string", "an item that the same users have"),
        column("score", "float", "cosine, 0 to 1"),
    ),
)

NEW_ITEM_CANDIDATES = Table(
    name="rank.new_item_candidates",
    grain="one row per (user, item without an interaction before the as-of date) among the user's best by text",
    writer="candidates",
    key=("user_id", "item_id"),
    columns=(
        column("user_id", "string", "a user with a row in R"),
        column("item_id", "string", "an item that nobody has touched"),
        column("score", "float", "what item neighbours score, carried to this item by text alone"),
        column("rank", "int", "1 is best", "rank >= 1"),
    ),
)

FEATURES = {
    **{f"{s}_{kind}": f"see rank.candidates.{s}_{kind}" for s in SOURCES for kind in ("score", "rank")},
    "pair_weight": "R_ij",
    "pair_purchases": "baskets of the user with the item",
    "pair_purchases_90": "in the last 90 days; null for none",
    "pair_log_units": "log of 1 + units of the pair, less those returned",
    "pair_views": "views and clicks of the pair",
    "pair_carts": "cart events of the pair",
    "pair_last_days": "days since the pair's last event",
    "pair_first_days": "days since the pair's first event",
    "pair_interval_days": "mean days between the pair's purchases",
    "pair_cycle": "days since the last event over that interval: 1 is due",
    "pair_cycle_of_user": "the same over the user's mean days between baskets",
    "pair_share": "baskets with the item over all baskets of the user",
    "pair_last_against_user": "days from the pair's last event to the user's last basket",
    "item_baskets_7": "baskets with the item in the last 7 days",
    "item_baskets_14": "in the last 14 days",
    "item_baskets_28": "in the last 28 days",
    "item_baskets_90": "in the last 90 days",
    "item_baskets": "ever",
    "item_views_28": "views and clicks in the last 28 days",
    "item_buyers": "users who bought it",
    "item_repeat_share": "share of them who bought it in two baskets or more",
    "item_trend_28": "2 * baskets in 14 days / (baskets in 28 days + 1)",
    "item_trend_90": "3 * baskets in 28 days / (baskets in 90 days + 1)",
    **{f"item_demand_{h}": f"see gold.item_demand.demand_{h}" for h in DEMAND_HALF_LIVES},
    "item_trend": "see gold.item_demand.trend",
    "item_age_days": "days since its first event",
    "item_last_days": "days since its last purchase",
    "item_log_price": "log of its mean price",
    "item_price_change": "log of its mean price in the last 28 days - item_log_price",
    "item_log_units": "log of its mean units in a line",
    "user_baskets": "baskets of the user",
    "user_baskets_28": "in the last 28 days",
    "user_baskets_90": "in the last 90 days",
    "user_first_days": "days since the first basket",
    "user_last_days": "days since the last basket",
    "user_interval_days": "mean days between baskets",
    "user_cycle": "days since the last basket over that interval",
    "user_basket_items": "mean items in a basket",
    "user_last_basket_items": "items in the last basket",
    "user_items": "items ever bought",
    "user_repeat_share": "share of the user's purchases that were of an item bought before",
    "user_log_price": "mean log price of what the user buys",
    "price_against_user": "item_log_price - user_log_price",
}

FEATURE_ROWS = Table(
    name="rank.features",
    grain="one row per (cutoff, user, candidate): the feature store; earlier cut-offs have labels",
    writer="features",
    key=("cutoff", "user_id", "item_id"),
    partition=("cutoff",),
    columns=(
        *_WHO,
        column("label", "float?", "1 if bought in the window after an earlier cutoff, else 0; null tonight"),
        column("known_events", "bigint?", "see rank.windows; null in rows from before it was told"),
        column("computed_by", "string?", "see rank.windows; null in rows from before it was told"),
        *(column(name, "float?", meaning) for name, meaning in FEATURES.items()),
    ),
)

TABLES = (WINDOWS, CANDIDATES, ITEM_NEIGHBOURS, NEW_ITEM_CANDIDATES, FEATURE_ROWS)
