"""Lives that agree: every item is met, what is bought was seen, searches come before and ratings after."""

from __future__ import annotations

import datetime
from itertools import pairwise

import numpy as np
import pytest

from recsynth.synthesis.table_draw import _on_weekday
from recsynth.synthesis.table_paths import DAY, Habits, Step, Visit, path

PAUSES = {t: np.array([10.0, 20.0]) for t in ("search", "view", "click", "cart", "purchase", "rating")}
HABITS = Habits(PAUSES, np.array([0.5, 1.5]), np.array([0, 0, 0, 0.5, 0.5]), "view", at_once=0.0, opening=1.0)


def visit(units: float = 2.0, begins: int = 3600, **counts: int) -> Visit:
    return Visit(begins, counts, units)


def lived(items: int, *visits: Visit, habits: Habits = HABITS, seed: int = 0) -> list[Step]:
    queries = {n: [f"q{n}"] for n in range(items)}
    return path(np.arange(items), visits, queries, habits, np.random.default_rng(seed))


def of(steps: list[Step], event_type: str) -> set[int | None]:
    return {s.item for s in steps if s.event_type == event_type}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "visits",
    [(visit(view=1),), (visit(view=2, purchase=1), visit(view=30)), (visit(purchase=3), visit(), visit(rating=1))],
    ids=["one view for nine items", "more than there are", "nothing in a visit"],
)
def test_every_item_is_met_and_no_other(visits: tuple[Visit, ...], seed: int) -> None:
    steps = lived(9, *visits, seed=seed)
    assert {s.item for s in steps if s.item is not None} == set(range(9))
    assert [s.visit for s in steps] == sorted(s.visit for s in steps)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_bought_was_carted_clicked_and_seen_before_in_the_visit(seed: int) -> None:
    steps = lived(6, visit(view=6, click=4, cart=3, purchase=2), seed=seed)
    assert [len(of(steps, t)) for t in ("view", "click", "cart", "purchase")] == [6, 4, 3, 2]
    assert of(steps, "purchase") <= of(steps, "cart") <= of(steps, "click") <= of(steps, "view")
    place = {(s.event_type, s.item): n for n, s in enumerate(steps)}
    for item in of(steps, "purchase"):
        order = [place[t, item] for t in ("view", "click", "cart", "purchase")]
        assert order == sorted(order)
    # Purchases end the visit where nobody buys at once.
    assert [s.event_type for s in steps[-2:]] == ["purchase", "purchase"]


def test_who_buys_at_once_does_so_right_after_the_item() -> None:
    at_once = Habits(PAUSES, HABITS.shares, HABITS.ratings, "view", at_once=1.0, opening=1.0)
    steps = lived(6, visit(view=6, purchase=6), habits=at_once)
    before = [(a.event_type, a.item) for a, b in pairwise(steps) if b.event_type == "purchase"]
    assert before == [("view", s.item) for s in steps if s.event_type == "purchase"]


def test_a_search_stands_before_the_item_that_it_finds() -> None:
    steps = lived(6, visit(view=6, search=2))
    found = [(a, b) for a, b in pairwise(steps) if a.event_type == "search"]
    assert len(found) == 2
    assert all(a.query == f"q{b.item}" and a.item is None for a, b in found)
    # All searches open the visit here; elsewhere they stand anywhere.
    assert [s.event_type for s in steps[:4]] == ["search", "view", "search", "view"]
    assert not [
        s for s in path(np.arange(3), [visit(view=3, search=2)], {}, HABITS, np.random.default_rng(0)) if s.query
    ]


def test_a_rating_is_of_what_was_bought_before_with_stars_that_people_give() -> None:
    steps = lived(5, visit(view=3, purchase=2), visit(view=2, rating=2))
    assert of(steps, "rating") == of(steps, "purchase")
    assert {s.rating for s in steps if s.event_type == "rating"} <= {4.0, 5.0}
    same = lived(5, visit(view=5, purchase=2, rating=1))
    assert of(same, "rating") < of(same, "purchase")
    assert same[-1].event_type == "rating"


def test_units_are_of_purchases_alone_and_near_the_visits_mean() -> None:
    steps = lived(40, visit(units=10.0, view=40, purchase=40))
    units = [s.quantity for s in steps if s.event_type == "purchase"]
    assert 5 <= min(u or 0 for u in units) <= max(u or 0 for u in units) <= 15
    assert np.mean([u or 0 for u in units]) == pytest.approx(10, abs=1.5)
    assert all(s.quantity is None for s in steps if s.event_type != "purchase")


def test_time_goes_on_and_ends_with_the_day() -> None:
    steps = lived(9, visit(begins=DAY - 60, view=9))
    seconds = [s.second for s in steps]
    assert seconds == sorted(seconds)
    assert (seconds[0], seconds[-1]) == (DAY - 60, DAY - 1)
    pauses = np.diff([s.second for s in lived(9, visit(view=9))])
    assert ((pauses >= 9) & (pauses <= 20)).all()


def test_a_visit_comes_on_the_nearest_day_that_is_its_weekday() -> None:
    wednesday, as_of = datetime.date(2024, 5, 1), datetime.date(2024, 5, 3)
    near = {w: _on_weekday(wednesday, w, None, as_of) for w in ("2", "1", "3", None)}
    assert near == {"2": wednesday, "1": datetime.date(2024, 4, 30), "3": datetime.date(2024, 5, 2), None: wednesday}
    # Never on the as-of date or later, nor before the visit before it.
    assert _on_weekday(wednesday, "4", None, as_of) == wednesday
    assert _on_weekday(wednesday, "1", wednesday - datetime.timedelta(days=0), as_of) == wednesday
