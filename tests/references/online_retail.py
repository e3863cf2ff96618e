"""The protocol of the figures on Online Retail, from the raw files in plain pandas: the twin of the evaluation room."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recsynth.measure.ranking import ndcg

WINDOW_DAYS = 28


@dataclass(frozen=True)
class Truth:
    """Who bought what: `wanted` in the window, `bought` before it; users and items known before it alone."""

    wanted: Mapping[str, set[str]]
    bought: Mapping[str, set[str]]


def purchases(folder: Path) -> pd.DataFrame:
    """Rows (user_id, item_id, ts) with Quantity > 0, UnitPrice > 0, a customer and five digits for a code."""
    files = [pd.read_csv(f, dtype={"InvoiceNo": str, "StockCode": str}) for f in sorted(folder.glob("*.csv"))]
    rows = pd.concat(files)
    is_product = rows["StockCode"].str.match(r"^\d{5}[A-Za-z]*$")
    kept = rows[rows["CustomerID"].notna() & (rows["Quantity"] > 0) & (rows["UnitPrice"] > 0) & is_product]
    return pd.DataFrame({
        "user_id": kept["CustomerID"].astype(int).astype(str), "item_id": kept["StockCode"].str.upper(),
        "ts": pd.to_datetime(kept["InvoiceDate"]),
    })  # fmt: skip


def kept_units(folder: Path, as_of: str) -> dict[tuple[str, str], int]:
    """Units of each (user, item) bought before the as-of date and not given back; pairs with none left are absent.

    A cancelled invoice (C) and a negative quantity give back. A line that stands twice, letter by letter, is one.
    """
    lines = pd.concat([pd.read_csv(f, dtype=str) for f in sorted(folder.glob("*.csv"))]).drop_duplicates()
    code, quantity = lines["StockCode"].str.strip(), lines["Quantity"].astype(int)
    is_good = (
        lines["CustomerID"].notna() & code.str.match(r"^\d{5}[A-Za-z]*$") & (lines["UnitPrice"].astype(float) > 0)
        & (quantity != 0) & (pd.to_datetime(lines["InvoiceDate"]) < pd.Timestamp(as_of))
    )  # fmt: skip
    is_return = lines["InvoiceNo"].str.startswith("C") | (quantity < 0)
    moved = pd.DataFrame({
        "user_id": lines["CustomerID"].str.removesuffix(".0"), "item_id": code.str.upper(),
        "units": quantity.abs().where(~is_return, -quantity.abs()),
    })[is_good]  # fmt: skip
    units = moved.groupby(["user_id", "item_id"])["units"].sum()
    return {(str(u), str(i)): int(n) for (u, i), n in units[units > 0].items()}


def weekly_units(folder: Path, as_of: str, history: int, horizon: int) -> pd.DataFrame:
    """Units ordered of each item in each week from the as-of date: -history to horizon - 1; items with some before it.

    A line that stands twice, letter by letter, is one. What was given back was asked for too.
    """
    lines = pd.concat([pd.read_csv(f, dtype=str) for f in sorted(folder.glob("*.csv"))]).drop_duplicates()
    code, quantity = lines["StockCode"].str.strip(), lines["Quantity"].astype(int)
    is_sale = (
        lines["CustomerID"].notna() & code.str.match(r"^\d{5}[A-Za-z]*$") & (lines["UnitPrice"].astype(float) > 0)
        & (quantity > 0) & ~lines["InvoiceNo"].str.startswith("C")
    )  # fmt: skip
    week = (pd.to_datetime(lines["InvoiceDate"]).dt.normalize() - pd.Timestamp(as_of)).dt.days // 7
    sold = pd.DataFrame({"item_id": code.str.upper(), "week": week, "quantity": quantity})
    sold = sold[is_sale & (week >= -history) & (week < horizon)]
    units = sold.pivot_table(index="item_id", columns="week", values="quantity", aggfunc="sum", fill_value=0)
    units = units.reindex(columns=range(-history, horizon), fill_value=0)
    return units[units.loc[:, :-1].sum(axis=1) > 0]


def truth(rows: pd.DataFrame, as_of: str) -> Truth:
    """The window of 28 days from the as-of date on, by users and of items with a row before it."""
    start = pd.Timestamp(as_of)
    before, after = rows[rows["ts"] < start], rows[rows["ts"] >= start]
    window = after[after["ts"] < start + pd.Timedelta(days=WINDOW_DAYS)]
    known = window[window["user_id"].isin(set(before["user_id"])) & window["item_id"].isin(set(before["item_id"]))]
    return Truth(_sets(known), _sets(before))


def scores(lists: Mapping[str, Sequence[str]], known: Truth) -> dict[str, dict[str, float]]:
    """NDCG@10 of each user who bought, for the views `all` and `new`; a user without a list scores 0."""
    of_all = {user: ndcg(lists.get(user, ()), wanted) for user, wanted in known.wanted.items()}
    of_new = {
        user: ndcg([i for i in lists.get(user, ()) if i not in known.bought[user]], wanted - known.bought[user])
        for user, wanted in known.wanted.items()
        if wanted - known.bought[user]
    }
    return {"all": of_all, "new": of_new}


def is_cold(item_id: str) -> bool:
    """Whether an item is of the tenth that is held out: by md5 of its code."""
    return int(hashlib.md5(item_id.encode()).hexdigest(), 16) % 10 == 0


def cold_truth(rows: pd.DataFrame, as_of: str) -> Truth:
    """What of the held-out items was bought in the window, by users with another item before it."""
    known = truth(rows, as_of)
    bought = {u: {i for i in items if not is_cold(i)} for u, items in known.bought.items()}
    wanted = {u: {i for i in items if is_cold(i)} for u, items in known.wanted.items() if bought[u]}
    return Truth({u: items for u, items in wanted.items() if items}, {u: i for u, i in bought.items() if i})


def cold_scores(lists: Mapping[str, Sequence[str]], known: Truth) -> dict[str, float]:
    """NDCG@10 of each user who bought a held-out item, for lists over those alone."""
    return {user: ndcg(lists.get(user, ()), wanted) for user, wanted in known.wanted.items()}


def mean(values: Mapping[str, float]) -> float:
    """Mean over users."""
    return float(np.mean(list(values.values())))


def _sets(rows: pd.DataFrame) -> dict[str, set[str]]:
    return {str(user): set(items) for user, items in rows.groupby("user_id")["item_id"]}
