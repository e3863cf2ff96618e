"""Rank: candidates of every source and the features that the ranker reads."""

from __future__ import annotations

from recsynth.tables.table import Table, column

CANDIDATES = Table(
    name="rank.candidates",
    grain="one row per (cutoff, user, item) that a source proposed; the latest cutoff is the as-of date itself",
    writer="candidates",
    key=("cutoff", "user_id", "item_id"),
    partition=("cutoff",),
    columns=(
        column("cutoff", "timestamp", "only events before this instant were used, UTC"),
        column("user_id", "string", "the user"),
        column("item_id", "string", "the candidate"),
        column("sources", "map<string,struct<score:float,rank:int>>", "source to its score and rank (1 is best)"),
    ),
)

TABLES = (CANDIDATES,)
