"""Columns of mixed tables as codes: words one by one, numbers in bins, and nothing that few people have.

Numbers in bins of about as many rows each, a value that many have as a bin of its own, stand for the mode-specific
normalisation of Xu et al., Modeling Tabular data using Conditional GAN, NeurIPS 2019: bins are modes that need no
mixture to converge, hold counts and prices alike, and each can be asked how many people are in it.

Shapes: B rows, K codes of a column, the last of them for null and for what is too rare to be told; Q = QUANTILES.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from recsynth.synthesis.table_rows import PERSON
from recsynth.synthesis.table_settings import TableSettings

QUANTILES = 9
CENTS = 2


@dataclass(frozen=True)
class Column:
    """The coding of a column: `words`, or for numbers `bins`, each the quantiles within it; `shares` (K,) of rows."""

    name: str
    shares: tuple[float, ...]
    words: tuple[str, ...] | None = None
    bins: tuple[tuple[float, ...], ...] = ()
    whole: bool = False

    @property
    def is_number(self) -> bool:
        """Whether its codes have an order."""
        return self.words is None

    def encode(self, values: pd.Series | np.ndarray) -> np.ndarray:
        """Codes (B,) of values; of null and of what was too rare, the last."""
        last = len(self.shares) - 1
        if self.words is not None:
            words_B: np.ndarray = np.array([self._places.get(v, last) for v in values], int)
            return words_B
        numbers_B = np.asarray(values, float)
        binned_B = np.searchsorted(self._bounds, np.nan_to_num(numbers_B), side="right")
        found_B: np.ndarray = np.where(np.isnan(numbers_B) | (last == 0), last, binned_B)
        return found_B

    def decode(self, codes_B: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Values (B,): words or None; numbers drawn within their bins or NaN."""
        places_B = rng.random(len(codes_B))
        if self.words is not None:
            told_B: np.ndarray = np.array([*self.words, None], object)[codes_B]
            return told_B
        inner_KQ = np.array([*self.bins, (np.nan,) * QUANTILES])
        at_B = places_B * (QUANTILES - 1)
        below_B = np.minimum(at_B.astype(int), QUANTILES - 2)
        low_B, high_B = inner_KQ[codes_B, below_B], inner_KQ[codes_B, below_B + 1]
        drawn_B: np.ndarray = np.round(low_B + (at_B - below_B) * (high_B - low_B), 0 if self.whole else CENTS)
        return drawn_B

    @cached_property
    def features_KW(self) -> np.ndarray:
        """What a network reads of each code: of a word itself, of a bin also all the bins below it."""
        codes = len(self.shares)
        if not self.is_number:
            return np.eye(codes, dtype=np.float32)
        below_KK = np.tril(np.full((codes, codes), codes**-0.5, np.float32))
        below_KK[-1, :-1] = 0
        below_KK[:-1, -1] = 0
        return below_KK

    @cached_property
    def _places(self) -> dict[str, int]:
        return {word: n for n, word in enumerate(self.words or ())}

    @cached_property
    def _bounds(self) -> np.ndarray:
        """Half way between neighbouring bins."""
        bounds: np.ndarray = np.array([(a[-1] + b[0]) / 2 for a, b in zip(self.bins, self.bins[1:], strict=False)])
        return bounds

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Column:
        """What `to_json` left."""
        words = stored["words"] if stored["words"] is None else tuple(stored["words"])
        return cls(
            stored["name"], tuple(stored["shares"]), words, tuple(map(tuple, stored["bins"])), bool(stored["whole"])
        )


def word_column(values: pd.Series, people: pd.Series, least: int, most: int) -> Column:
    """Code a column of words: the `most` frequent of those that at least `least` different people have."""
    told = pd.DataFrame({"word": values, "person": people}).dropna(subset=["word"])
    by = told.groupby("word").agg(rows=("word", "size"), people=("person", "nunique")).reset_index()
    kept = by[by["people"] >= least].sort_values(["rows", "word"], ascending=[False, True]).head(most)
    rows = kept["rows"].tolist()
    counts = np.array([*rows, len(values) - sum(rows)], float)
    return Column(str(values.name), _shares(counts), words=tuple(kept["word"]))


def number_column(values: pd.Series, people: pd.Series, least: int, most: int) -> Column:
    """Code a column of numbers: at most about `most` bins of at least `least` different people each.

    What is drawn of a bin lies between the value that `least` people reach from below and the one from above: the
    greatest order of a single customer is never told.
    """
    told = pd.DataFrame({"value": pd.to_numeric(values).astype(float), "person": people}).dropna(subset=["value"])
    told = told.sort_values("value", kind="stable")
    wanted = max(1.0, len(told) / most)
    bins: list[pd.DataFrame] = []
    waiting: list[pd.DataFrame] = []
    rows, seen = 0, set[Any]()

    def close() -> None:
        nonlocal rows
        bins.append(pd.concat(waiting))
        waiting.clear()
        seen.clear()
        rows = 0

    for _, part in told.groupby("value", sort=True):
        if waiting and len(part) >= wanted and len(seen) >= least:
            close()
        waiting.append(part)
        rows += len(part)
        seen.update(part["person"].head(least * 50))
        if rows >= wanted and len(seen) >= least:
            close()
    if waiting and bins:
        bins[-1] = pd.concat([bins[-1], *waiting])
    elif waiting and len(seen) >= least:
        close()
    counts = np.array([*(len(b) for b in bins), len(values) - sum(len(b) for b in bins)], float)
    is_whole = bool((told["value"] == told["value"].round()).all())
    return Column(str(values.name), _shares(counts), bins=tuple(_inner(b, least) for b in bins), whole=is_whole)


def coded(rows: pd.DataFrame, columns: Sequence[Column]) -> np.ndarray:
    """Codes (B, C) of the rows."""
    if not columns:
        return np.zeros((len(rows), 0), int)
    return np.column_stack([c.encode(rows[c.name]) for c in columns])


def columns_of(
    rows: pd.DataFrame, names: Sequence[str], words: Collection[str], settings: TableSettings
) -> tuple[Column, ...]:
    """Code the named columns of rows that have a person each: those among `words` as words, the others as numbers."""
    least, found = settings.least_people, []
    for name in names:
        make, most = (word_column, settings.max_words) if name in words else (number_column, settings.max_bins)
        found.append(make(rows[name], rows[PERSON], least, most))
    return tuple(found)


def _inner(rows: pd.DataFrame, least: int) -> tuple[float, ...]:
    by = rows.groupby("person")["value"]
    least = min(least, by.ngroups)
    low, high = np.sort(by.min())[least - 1], np.sort(by.max())[-least]
    if low > high:
        low = high = float(rows["value"].median())
    inside = np.clip(rows["value"].to_numpy(), low, high)
    return tuple(float(q) for q in np.quantile(inside, np.linspace(0, 1, QUANTILES)))


def _shares(counts: np.ndarray) -> tuple[float, ...]:
    return tuple(float(c) for c in counts / max(counts.sum(), 1))
