"""Shards: what Spark wrote for training, streamed by each process in equal parts.

A shard folder holds `texts` (index, kind, text, popularity, variants, share, image; items first, then queries), `users`
(texts, types, ages of a history, oldest first) and `labels` (the same with `wanted`, what was bought after).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from recsynth.errors import InputError


@dataclass(frozen=True)
class Texts:
    """The catalogue's texts, items first: `items` of them are items, the rest queries.

    variants: of each item the same in other words, read instead of its text with the chance share_M.
    images_MI: the pictures of all texts, a row of zeros where there is none; (M, 0) where the catalogue has none.
    """

    texts: list[str]
    items: int
    popularity_M: np.ndarray
    variants: list[list[str]]
    share_M: np.ndarray
    images_MI: np.ndarray

    def read(self, items_M: np.ndarray, rng: np.random.Generator) -> list[str]:
        """Texts of items as a step of training reads them; without variants no random number is drawn."""
        texts = [self.texts[i] for i in items_M]
        if not self.share_M.any():
            return texts
        is_anew_M = rng.random(len(items_M)) < self.share_M[items_M]
        for place in np.flatnonzero(is_anew_M & np.array([bool(self.variants[i]) for i in items_M])):
            of_item = self.variants[items_M[place]]
            texts[place] = of_item[rng.integers(len(of_item))]
        return texts


@dataclass(frozen=True)
class Batch:
    """Histories of B users padded to L places; type 0 is padding."""

    texts_BL: np.ndarray
    types_BL: np.ndarray
    ages_BL: np.ndarray


def read_texts(folder: Path) -> Texts:
    """All texts, in the order of their index. Raises InputError where a shard is damaged."""
    table = _read(folder / "texts").sort_by("index")
    kinds = np.array(table["kind"].to_pylist(), dtype=object)
    items = int((kinds == "item").sum())
    return Texts(
        table["text"].to_pylist(), items, table["popularity"].to_numpy()[:items],
        table["variants"].slice(0, items).to_pylist(), table["share"].to_numpy()[:items], _images(table["image"]),
    )  # fmt: skip


def _images(column: pa.ChunkedArray) -> np.ndarray:
    """Lists of numbers, all of one length or empty, as a matrix."""
    length_M = pc.list_value_length(column).to_numpy()
    images_MI, is_there_M = np.zeros((len(column), length_M.max(initial=0)), np.float32), length_M > 0
    images_MI[is_there_M] = pc.list_flatten(column).to_numpy().reshape(is_there_M.sum(), -1 if is_there_M.any() else 0)
    return images_MI


def read_labels(folder: Path, length: int, limit: int) -> tuple[Batch, list[np.ndarray]]:
    """The first `limit` validation users: their histories and the item indices that they bought after."""
    table = _read(folder / "labels").slice(0, limit)
    return _padded(table, length), [np.array(w) for w in table["wanted"].to_pylist()]


def user_batches(folder: Path, rank: int, world_size: int, size: int, length: int, seed: int) -> Iterator[Batch]:
    """Batches of this process's share of the users, for ever, in another order each time.

    Every process gets the same number of users, wrapping around where they do not divide, so that none waits.
    """
    table = _read(folder / "users")
    share = -(-table.num_rows // world_size)
    mine = table.take(pa.array((np.arange(share) * world_size + rank) % table.num_rows))
    rng = np.random.default_rng([seed, rank])
    while True:
        order = rng.permutation(share)
        for start in range(0, share, size):
            yield _padded(mine.take(pa.array(order[start : start + size])), length)


def sampled_positives(batch: Batch, items_M: np.ndarray, items: int) -> tuple[np.ndarray, np.ndarray]:
    """Which sampled items each user has, (B, M) of 0 and 1, and which history places those are, (B, L)."""
    column = np.full(max(items, batch.texts_BL.max(initial=0) + 1), -1)
    column[items_M] = np.arange(len(items_M))
    place_BL = np.where(batch.types_BL > 0, column[batch.texts_BL], -1)
    positives_BM = np.zeros((len(batch.texts_BL), len(items_M)), np.float32)
    rows, places = np.nonzero(place_BL >= 0)
    positives_BM[rows, place_BL[rows, places]] = 1.0
    return positives_BM, place_BL >= 0


def _padded(table: pa.Table, length: int) -> Batch:
    columns = [table[c].to_pylist() for c in ("texts", "types", "ages")]
    rows = len(columns[0])
    texts, types, ages = (
        np.zeros((rows, length), int),
        np.zeros((rows, length), int),
        np.zeros((rows, length), np.float32),
    )
    for row, (t, y, a) in enumerate(zip(*columns, strict=True)):
        n = min(len(t), length)
        if n:
            texts[row, :n], types[row, :n], ages[row, :n] = t[-n:], y[-n:], a[-n:]
    return Batch(texts, types, ages)


def _read(folder: Path) -> pa.Table:
    try:
        return ds.dataset(folder, format="parquet").to_table()
    except (OSError, pa.ArrowException) as error:
        raise InputError(str(folder), "whole Parquet shards", str(error).splitlines()[0]) from error
