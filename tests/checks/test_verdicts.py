"""Verdicts: what passes, what fails, what cannot be judged; plain values."""

from __future__ import annotations

from typing import Any

import pytest

from recsynth.checks.passes import Found
from recsynth.checks.settings import RuleSettings
from recsynth.checks.verdicts import verdict


def rule(kind: str, **more: Any) -> RuleSettings:
    needs = {"figure": {"expression": "count(*)"}, "range": {"columns": ["price"]}, "freshness": {"columns": ["ts"]},
             "distribution": {"columns": ["event_type"]}}[kind]  # fmt: skip
    return RuleSettings.model_validate({"name": "r", "table": "silver.events", "kind": kind, **needs, **more})


@pytest.mark.parametrize(
    ("broken", "at_most", "outcome"), [(0, 0.0, "passed"), (1, 0.0, "failed"), (1, 0.01, "passed"), (2, 0.01, "failed")]
)
def test_a_rule_on_rows_fails_above_the_share_that_it_allows(broken: int, at_most: float, outcome: str) -> None:
    found = Found(100, broken, broken / 100)
    judged = verdict(rule("range", max=5, at_most=at_most), found, [], Found(), 3)
    assert (judged.outcome, judged.high) == (outcome, at_most)
    assert ("2 of 100 rows" in judged.said) == (broken == 2)


def test_without_rows_nothing_is_judged() -> None:
    assert verdict(rule("range", max=5), Found(0, 0), [], Found(), 3).outcome == "not judged"
    assert verdict(rule("figure", min=5), Found(), [], Found(), 3).outcome == "not judged"
    assert verdict(rule("freshness", max=5), Found(), [], Found(), 3).outcome == "not judged"


@pytest.mark.parametrize(("value", "outcome"), [(49, "failed"), (50, "passed"), (300, "passed"), (301, "failed")])
def test_a_figure_is_held_to_the_median_of_the_nights_before(value: float, outcome: str) -> None:
    judged = verdict(rule("figure", fall=0.5, rise=2), Found(value=value), [90, 100, 5_000], Found(), 3)
    assert (judged.outcome, judged.low, judged.high) == (outcome, 50, 300)


def test_too_few_nights_before_bound_nothing_but_fixed_bounds_do() -> None:
    assert verdict(rule("figure", fall=0.5), Found(value=1), [100, 100], Found(), 3).outcome == "not judged"
    assert verdict(rule("figure", fall=0.5, min=2), Found(value=1), [100, 100], Found(), 3).outcome == "failed"


def test_deviations_follow_how_much_the_figure_mostly_moves() -> None:
    calm, wild = [100.0, 101, 99, 100, 100], [100.0, 150, 50, 120, 80]
    assert verdict(rule("figure", deviations=3), Found(value=130), calm, Found(), 3).outcome == "failed"
    assert verdict(rule("figure", deviations=3), Found(value=130), wild, Found(), 3).outcome == "passed"
    # A figure that never moved may move by a twentieth for each deviation.
    assert verdict(rule("figure", deviations=3), Found(value=114), [100.0] * 5, Found(), 3).outcome == "passed"
    assert verdict(rule("figure", deviations=3), Found(value=116), [100.0] * 5, Found(), 3).outcome == "failed"


def test_a_distribution_is_compared_with_the_last_good_night() -> None:
    same, other = {"view": 0.8, "purchase": 0.2}, {"view": 0.3, "purchase": 0.7}
    first = verdict(rule("distribution", max=0.25), Found(10_000, profile=same), [], Found(), 3)
    assert (first.outcome, first.said) == ("not judged", "no good night before")
    assert (
        verdict(rule("distribution", max=0.25), Found(10_000, before=same), [], Found(10_000, profile=same), 3).outcome
        == "passed"
    )
    assert (
        verdict(rule("distribution", max=0.25), Found(10_000, before=other), [], Found(10_000, profile=same), 3).outcome
        == "failed"
    )
