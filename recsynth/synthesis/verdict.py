"""From figures to a verdict: what was measured, beside the same of real data, against the bounds of the settings."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

REAL = "real"


@dataclass(frozen=True)
class Rules:
    """What is measured and what must hold.

    metrics: kind and meaning of each; bounds: whether at least (else at most) and, from the settings and the real
    data's figure, how much; of_real: metrics whose bound is a share of the real data's figure and says nothing where
    that is none.
    """

    metrics: Mapping[str, tuple[str, str]]
    bounds: Mapping[str, tuple[bool, Callable[[Any, float], float]]]
    of_real: Sequence[str]


def report_rows(figures: pd.DataFrame, settings: Any, rules: Rules) -> list[tuple[object, ...]]:
    """Rows of synthesis.synthesis_report from (generator, metric, value), of which `real` is the reference.

    What has a bound and could not be measured, on either side, is not passed.
    """
    of_real = figures[figures["generator"] == REAL]
    real: dict[str, float] = dict(zip(of_real["metric"], of_real["value"], strict=True))
    rows: list[tuple[object, ...]] = []
    for name, metric, value in figures[figures["generator"] != REAL].itertuples(index=False):
        beside = real.get(metric)
        threshold, passed, reason = None, None, None
        if metric in rules.bounds:
            at_least, bound = rules.bounds[metric]
            by = real.get(metric, math.nan)
            threshold = bound(settings, by)
            passed = bool(value >= threshold if at_least else value <= threshold)
            if math.isnan(value) or (metric in rules.of_real and not by > 0):
                threshold = None if math.isnan(threshold) else threshold
                passed, reason = False, f"nothing to measure {metric} by: {value} here, {by} of real people"
        measured = None if math.isnan(value) else value
        beside = None if beside is None or math.isnan(beside) else beside
        rows.append((name, metric, rules.metrics[metric][0], measured, beside, threshold, passed, reason))
    return sorted(rows, key=lambda row: (str(row[0]), str(row[1])))


def judgement(rows: Sequence[tuple[object, ...]], generator: str, share: str) -> tuple[str, float]:
    """The verdict on a generator's batch, and its weight where it is used: the share that helps, if it passed."""
    ours = {r[1]: r for r in rows if r[0] == generator}
    if any(r[6] is False for r in ours.values()):
        return "failed", 0.0
    return "passed", float(str(ours[share][3]))
