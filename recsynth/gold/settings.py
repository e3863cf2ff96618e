"""Settings of the gold room."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from recsynth.section import Section

EventType = Literal["view", "click", "cart", "purchase", "rating", "comment", "share"]

_WEIGHTS: dict[EventType, float] = {
    "view": 0.1,
    "click": 0.2,
    "cart": 0.5,
    "purchase": 1.0,
    "rating": 0.3,
    "comment": 0.3,
    "share": 0.5,
}


class WindowSettings(Section):
    """The earlier as-of windows that the ranker learns from."""

    count: int = Field(4, ge=1, description="How many earlier cut-offs; one with no event before it brings no rows.")
    days: int = Field(
        28, ge=1, description="Length of the window after a cut-off whose purchases are the labels, in days."
    )
    step_days: int = Field(14, ge=1, description="Days between one cut-off and the next earlier one.")


class GoldSettings(Section):
    """R, histories, item text, windows."""

    event_weights: dict[EventType, float] = Field(_WEIGHTS, description="What one event of each type adds to R_ij.")
    half_life_days: float = Field(180.0, gt=0, description="Age at which an event counts half in R, in days.")
    trend_smoothing: float = Field(
        0.2,
        gt=0,
        description="Added to both sides of an item's trend, in mean demand of an item: greater is nearer to 1.",
    )
    history_events: int = Field(100, ge=1, description="Events kept of each user's history, the latest.")
    item_text_chars: int = Field(1000, ge=50, description="Longest item text, in characters; what is beyond is cut.")
    windows: WindowSettings = Field(default_factory=WindowSettings, description="Training windows of the ranker.")
