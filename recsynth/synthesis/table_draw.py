"""Drawing synthetic people whole: who they are, when they come, what they do; a block at a time, in any worker.

A block's rows depend on its number, kind and seed alone (generator.py). Shapes: B users of a block, M items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np

from recsynth.synthesis.generator import KINDS, Generator
from recsynth.synthesis.table_generator import TableGenerator
from recsynth.synthesis.table_paths import Habits, Visit, path
from recsynth.synthesis.table_rows import ON_ITEMS, SEARCH, USER, USER_GIVEN, VISIT, VISIT_GIVEN

Values = dict[str, np.ndarray]


def users_of(tables: Mapping[str, TableGenerator], kind: str, sizes_B: np.ndarray, rng: np.random.Generator) -> Values:
    """USER_COLUMNS of users who have so many items each."""
    found = _drawn(tables[USER], kind, {"items": sizes_B}, USER_GIVEN, rng)
    found["visits"] = np.maximum(1, np.nan_to_num(found["visits"], nan=1)).astype(int)
    span_B = np.where(found["visits"] > 1, np.nan_to_num(found["span"]), 0).astype(int)
    return found | {
        "items": sizes_B,
        "span": span_B,
        "idle": np.maximum(1, np.nan_to_num(found["idle"], nan=1)).astype(int),
    }


def visits_of(
    tables: Mapping[str, TableGenerator], kind: str, users: Values, as_of: date, most: int, rng: np.random.Generator
) -> list[list[tuple[date, Visit]]]:
    """The visits of each user in order, one after the other for all users at once: each knows what time is left.

    A visit's day is the nearest to what its gap says that has its weekday, not before the visit before it.
    """
    visits_B = np.minimum(users["visits"], most)
    made: list[list[tuple[date, Visit]]] = [[] for _ in visits_B]
    first = [as_of - timedelta(days=int(i + s)) for i, s in zip(users["idle"], users["span"], strict=True)]
    last = [as_of - timedelta(days=int(i)) for i in users["idle"]]
    for number in range(int(visits_B.max(initial=0))):
        at = np.flatnonzero(visits_B > number)
        now = {name: column[at] for name, column in users.items()}
        now["ahead"] = visits_B[at] - number - 1
        before = [made[u][-1][0] if number else None for u in at]
        now["left"] = np.array([np.nan if b is None else (last[u] - b).days for u, b in zip(at, before, strict=True)])
        drawn = _drawn(tables[VISIT], kind, now, VISIT_GIVEN, rng)
        for n, user in enumerate(at):
            earliest = before[n]
            gap = 0 if np.isnan(drawn["gap"][n]) else int(drawn["gap"][n])
            if earliest is None:
                meant = first[user]
            else:
                meant = last[user] if not now["ahead"][n] else min(earliest + timedelta(days=gap), last[user])
            day = _on_weekday(meant, drawn["weekday"][n], earliest, as_of)
            made[user].append((day, _visit(drawn, n, rng)))
    return made


def events_of(
    person: tuple[str, str | None], items: np.ndarray, days: Sequence[tuple[date, Visit]],
    queries: Mapping[int, list[str]], habits: Habits, rng: np.random.Generator,
) -> list[dict[str, Any]]:  # fmt: skip
    """Rows of synthetic_events of one user (id, country), items as numbers, time as day and second of the day."""
    user_id, country = person
    steps = path(items, [visit for _, visit in days], queries, habits, rng)
    return [
        {
            "event_id": f"{user_id}-{n:06d}", "user_id": user_id, "event_type": s.event_type, "item": s.item,
            "event_date": days[s.visit][0], "second": s.second, "query": s.query, "quantity": s.quantity,
            "rating": s.rating, "session_id": f"{user_id}/{s.visit:04d}", "country": country,
            "order_id": f"{user_id}/{s.visit:04d}" if s.event_type == "purchase" else None,
        }
        for n, s in enumerate(steps)
    ]  # fmt: skip


def block_of(
    generator: Generator, tables: Mapping[str, TableGenerator], kind: str, block: int, seed: int
) -> tuple[np.ndarray, list[np.ndarray], Values, np.random.Generator]:
    """Segments (B,), item numbers of each user and USER_COLUMNS of a block, and the stream to go on with."""
    segments_B, rows_BM = generator.users(kind, block, seed)
    rng = np.random.default_rng([seed, KINDS.index(kind), block, 1])
    items = [rows_BM[n].indices for n in range(rows_BM.shape[0])]
    return segments_B, items, users_of(tables, kind, np.array([len(i) for i in items]), rng), rng


def _drawn(
    table: TableGenerator, kind: str, given: Mapping[str, np.ndarray], names: Sequence[str], rng: np.random.Generator
) -> Values:
    """Values of the drawn columns; a column that was constant among those learned from is drawn as it was."""
    by_name = {c.name: c for c in table.columns[: table.given]}
    codes_BG = np.column_stack([by_name[name].encode(given[name]) for name in names if name in by_name])
    codes_BC = table.draw(kind, codes_BG, rng)
    rest = list(enumerate(table.columns))[table.given :]
    return {**given, **{c.name: c.decode(codes_BC[:, n], rng) for n, c in rest}}


def _visit(drawn: Values, n: int, rng: np.random.Generator) -> Visit:
    hour = 12 if drawn["hour"][n] is None else int(drawn["hour"][n])
    names = {SEARCH: "searches", **{t: f"{t}s" for t in ON_ITEMS}}
    counts = {t: 0 if np.isnan(drawn[name][n]) else int(drawn[name][n]) for t, name in names.items()}
    units = drawn["units"][n]
    return Visit(hour * 3600 + int(rng.integers(3600)), counts, 1.0 if np.isnan(units) else float(units))


def _on_weekday(meant: date, weekday: str | None, earliest: date | None, as_of: date) -> date:
    """The day nearest to the one meant that is such a weekday, from `earliest` to the day before `as_of`."""
    if weekday is not None and meant != earliest:
        for away in (0, -1, 1, -2, 2, -3, 3):
            day = meant + timedelta(days=away)
            if day.weekday() == int(weekday) and (earliest is None or day >= earliest) and day < as_of:
                return day
    return meant
