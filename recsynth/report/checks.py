"""The part of the page that tells which rules the night keeps, and whether readers see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from pyspark.sql import DataFrame

from recsynth.report import plots

PLOTS = 4


def checks(tables: Mapping[str, DataFrame]) -> dict[str, Any] | None:
    """Rules with what they found, the failed ones first, and figures drawn beside the nights before.

    None where nothing was judged. `held`: names of failed rules that hold the night back. Bound: a row a rule.
    """
    judged = tables["checks"].toPandas()
    if judged.empty:
        return None
    judged["order"] = judged["outcome"].map({"failed": 0, "not judged": 1, "passed": 2})
    rows = judged.sort_values(["order", "on_failure", "rule"])
    drawn = rows[(rows["kind"] == "figure") & (rows["past"].map(len) > 0) & rows["value"].notna()].head(PLOTS)
    failed = rows[rows["outcome"] == "failed"]
    return {
        "rules": rows.replace({np.nan: None}).to_dict("records"),
        "passed": int((rows["outcome"] == "passed").sum()), "failed": len(failed),
        "not_judged": int((rows["outcome"] == "not judged").sum()),
        "held": failed.loc[failed["on_failure"] == "hold", "rule"].tolist(),
        "plots": {row["rule"]: _history(row) for _, row in drawn.iterrows()},
    }  # fmt: skip


def _history(row: pd.Series) -> Markup:
    values = [*row["past"], row["value"]]
    nights = [*(f"-{n}" for n in range(len(values) - 1, 0, -1)), "tonight"]
    frame = pd.DataFrame({"night": nights, "figure": values, "least": row["low"], "most": row["high"]})
    return Markup(plots.lines(frame.dropna(axis=1, how="all"), "night", "good nights before, tonight"))
