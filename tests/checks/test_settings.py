"""Rules: one that says too little, too much or what is not there is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from recsynth.checks.settings import CheckSettings, RuleSettings, default_rules
from recsynth.settings import Settings


def rule(**more: Any) -> RuleSettings:
    return RuleSettings.model_validate({"name": "r", "table": "silver.events", "kind": "range", **more})


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"columns": ["price"]}, "expected one of max, min"),
        ({"max": 1}, "expected columns for kind range, found none"),
        ({"columns": ["price"], "max": 1, "values": ["a"]}, "found values"),
        ({"columns": ["prise"], "max": 1}, "expected columns of silver.events"),
        ({"columns": ["price"], "max": 1, "table": "silver.evens"}, "expected one of the tables"),
        ({"columns": ["price"], "max": 1, "table": "ops.runs"}, "expected one of the tables"),
        ({"columns": ["weight"], "max": 1, "table": "gold.interactions", "days": 3}, "expected a table with a time"),
        ({"kind": "figure", "expression": "count(*)"}, "expected one of deviations, fall, max, min, rise"),
        ({"kind": "freshness", "columns": ["ts", "event_date"], "max": 1}, "expected one column"),
        ({"kind": "distribution", "columns": ["user_id"], "max": 1}, "that name nobody"),
        ({"table": "output.recommendations", "kind": "distribution", "columns": ["sources"], "max": 1}, "plain values"),
        ({"kind": "foreign_key", "columns": ["item_id"], "references": "gold.histories"}, "columns of gold.histories"),
    ],
)
def test_a_rule_that_cannot_be_judged_is_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        rule(**more)


def test_a_bound_of_nothing_is_a_bound() -> None:
    assert rule(columns=["price"], min=0.0).min == 0.0


def test_a_rule_takes_the_place_of_ours_and_others_are_left_out() -> None:
    fresh = {"name": "events_are_fresh", "table": "silver.events", "kind": "freshness", "columns": ["ts"], "max": 1}
    settings = CheckSettings.model_validate({"rules": [fresh], "without": ["ranker_quality"]})
    names = [r.name for r in settings.in_force]
    assert len(names) == len(set(names)) == len(default_rules()) - 1
    assert next(r for r in settings.in_force if r.name == "events_are_fresh").max == 1
    assert "ranker_quality" not in names


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"without": ["no_such_rule"]}, "expected names of our rules"),
        ({"rules": [{"name": "a", "table": "silver.events", "kind": "figure", "expression": "count(*)", "min": 1}] * 2},
         "found a twice"),
    ],
)  # fmt: skip
def test_names_are_known_and_unique(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CheckSettings.model_validate(section)


def test_checks_shape_no_table_of_another_stage() -> None:
    one, other = Settings(), Settings.model_validate({"checks": {"nights": 3}})
    assert one.config_hash == other.config_hash
    assert one.section_hash("checks") != other.section_hash("checks")
