"""From what a rule found to a verdict in one sentence; plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsynth.checks.passes import ON_ROWS, Found
from recsynth.checks.settings import RuleSettings
from recsynth.measure.drift import chance_of_drift, population_stability_index, usual_deviation


@dataclass(frozen=True)
class Verdict:
    """What ops.checks says of a rule beside its declaration."""

    outcome: str
    said: str
    value: float | None
    low: float | None
    high: float | None


def verdict(rule: RuleSettings, found: Found, past: Sequence[float], last: Found, least_nights: int) -> Verdict:
    """Judge one rule.

    past: values of the good nights before, oldest first; with fewer than `least_nights` they bound nothing.
    last: what a distribution was on the last good night. What has no rows or no bound is `not judged`, never passed.
    """
    value = found.value
    if rule.kind == "distribution":
        value = _moved(found, last)
    low, high = _bounds(rule, past if len(past) >= least_nights else ())
    if value is None:
        before = rule.kind == "distribution" and found.rows
        return Verdict("not judged", "no good night before" if before else "no rows to judge", None, low, high)
    if low is None and high is None:
        return Verdict("not judged", f"{_words(rule)} {_number(value)}; too few good nights before", value, low, high)
    is_good = (low is None or value >= low) and (high is None or value <= high)
    said = f"{_words(rule)} {_number(value)}, expected {_expected(low, high)}"
    if found.broken:
        said += f": {found.broken:,} of {found.rows:,} rows break it"
    return Verdict("passed" if is_good else "failed", said, value, low, high)


def _bounds(rule: RuleSettings, past: Sequence[float]) -> tuple[float | None, float | None]:
    if rule.kind in ON_ROWS:
        return None, rule.at_most
    lows, highs = [rule.min], [rule.max]
    if past:
        middle = float(np.median(past))
        lows.append(middle - rule.fall * abs(middle) if rule.fall else None)
        highs.append(middle + rule.rise * abs(middle) if rule.rise else None)
        # Figures that never moved say nothing of how far they may: a twentieth is no alarm.
        margin = rule.deviations * max(usual_deviation(np.array(past)), 0.05 * abs(middle)) if rule.deviations else None
        lows.append(None if margin is None else middle - margin)
        highs.append(None if margin is None else middle + margin)
    return max((x for x in lows if x is not None), default=None), min((x for x in highs if x is not None), default=None)


def _moved(found: Found, last: Found) -> float | None:
    """Index between the last good night's bins then and now, less what chance alone gives; None without either."""
    if not found.before or not found.rows or not last.rows:
        return None
    bins = sorted(last.profile)
    index = population_stability_index(
        np.array([last.profile[b] for b in bins]), np.array([found.before.get(b, 0.0) for b in bins])
    )
    return max(0.0, index - chance_of_drift(len(bins), last.rows, found.rows))


def _words(rule: RuleSettings) -> str:
    if rule.kind in ON_ROWS:
        return "share of rows that break it"
    return {"freshness": "days from the newest to the as-of date", "distribution": "population stability index"}.get(
        rule.kind, rule.says or rule.expression
    )


def _expected(low: float | None, high: float | None) -> str:
    if low is None:
        return f"at most {_number(high)}"
    return f"at least {_number(low)}" if high is None else f"{_number(low)} to {_number(high)}"


def _number(value: float | None) -> str:
    return f"{value:,.4g}" if value is not None and abs(value) < 1e4 else f"{value:,.0f}"
