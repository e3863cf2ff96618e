"""A catalogue into whose titles words may be planted."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tests.rows import item_record

DAY0 = date(2024, 3, 1)
CATEGORIES = ("Kitchen", "Garden", "Office", "Toys")
WORD = "bestseller"


def catalogue(days: int = 20) -> list[dict[str, Any]]:
    """200 items of four categories, each with words of its own and of its category, seen every fifth day."""
    return [
        item_record(f"i{n:03d}", DAY0 + timedelta(days=d), title=f"{c} thing m{n}", category=[c], brand="Ora")
        for n in range(200) for c in (CATEGORIES[n % 4],) for d in range(0, days, 5)
    ]  # fmt: skip


def planted(
    day: int = 21, items: int = 4, categories: int = 4, word: str = WORD, **fields: Any
) -> list[dict[str, Any]]:
    """The first items of so many categories, with one more word in their titles."""
    chosen = [n for n in range(200) if n % 4 < categories][:items]
    return [
        item_record(f"i{n:03d}", DAY0 + timedelta(days=day), title=f"{c} thing m{n} {word.upper()}!", category=[c],
                    **{"brand": "Ora", **fields})
        for n in chosen for c in (CATEGORIES[n % 4],)
    ]  # fmt: skip
