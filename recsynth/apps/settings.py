"""Settings of the applications."""

from __future__ import annotations

from pydantic import Field

from recsynth.section import Section


class PropensitySettings(Section):
    """Each user's chance to buy and to leave."""

    enabled: bool = Field(True, description="Whether probabilities are made at all; the table is empty otherwise.")
    leave_days: int = Field(90, ge=29, description="Days without a purchase after which a user has left.")
    step_days: int = Field(14, ge=1, description="Days between one earlier cut-off and the one before it.")
    windows: int = Field(12, ge=2, description="Most cut-offs that a model learns from, the newest ones.")
    min_history_days: int = Field(
        56, ge=1, description="Days between the shop's first event and the earliest cut-off that is learned from."
    )
    min_each: int = Field(
        30,
        ge=1,
        description="Rows with a purchase, and without, that learning and calibration each need; else a base rate.",
    )
    max_rows: int = Field(1_000_000, ge=1, description="About how many rows a model learns from, drawn by hash.")
    trees: int = Field(100, ge=1, description="Trees of a model.")
    learning_rate: float = Field(0.05, gt=0, description="Shrinkage of each tree.")
    max_depth: int = Field(4, ge=1, description="Depth of a tree.")
    min_child_weight: float = Field(60.0, ge=0, description="Least hessian in a leaf.")
    subsample: float = Field(0.6, gt=0, le=1, description="Share of rows for each tree.")
    colsample: float = Field(0.4, gt=0, le=1, description="Share of features for each tree.")
    l2: float = Field(20.0, ge=0, description="Ridge on the values of the leaves.")
    workers: int = Field(1, ge=1, description="Spark tasks that train together.")
    judged_users: int = Field(100_000, ge=1, description="About how many users are judged, drawn by hash.")


class AppsSettings(Section):
    """The applications."""

    propensity: PropensitySettings = Field(
        default_factory=PropensitySettings, description="Chance to buy and to leave."
    )
