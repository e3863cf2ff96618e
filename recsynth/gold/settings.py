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
    read_stored: bool = Field(
        True,
        description="Read the features of a window from the night that wrote them, where settings, code and what was "
        "known then are the same; off: compute all windows anew every night.",
    )


class FarmSettings(Section):
    """Click farms: which accounts that crowd on an item are left out of what it is worth."""

    enabled: bool = Field(True, description="Look for click farms.")
    leave_out: bool = Field(
        True,
        description="Leave what they did, but trades, out of R, demand and reviews; off: only tell of it.",
    )
    days: int = Field(7, ge=1, description="Days that are looked at together.")
    young_days: int = Field(7, ge=1, description="An account is young for so many days from its first event on.")
    few_items: int = Field(3, ge=1, description="A shallow account has touched at most so many items.")
    least_accounts: int = Field(20, ge=1, description="Fewer shallow accounts on an item are no crowd.")
    odds: float = Field(
        3.0,
        ge=1,
        description="How much greater the odds that an account is shallow may be on an item than in the shop.",
    )
    max_chance: float = Field(
        1e-6, gt=0, lt=1, description="Greatest probability of a crowd, were its odds those that are allowed."
    )


class TriggerSettings(Section):
    """Title triggers: which words that come into many titles at once the models do not read."""

    enabled: bool = Field(True, description="Look for words that come into many titles at once.")
    leave_out: bool = Field(
        True,
        description="Leave them out of the texts that models read; titles are shown as they are. Off: only tell of it.",
    )
    days: int = Field(7, ge=1, description="Days that are looked at together.")
    least_items: int = Field(3, ge=2, description="A word that came to fewer items is none.")
    least_categories: int = Field(
        3, ge=2, description="Fewer top categories are a line of goods; a catalogue without categories names no word."
    )
    foreign_share: float = Field(
        0.01,
        gt=0,
        lt=1,
        description="A category hardly knows a word that at most this share of its items have: only there it counts.",
    )
    max_chance: float = Field(
        1e-6, gt=0, lt=1, description="Greatest probability of a crowd, were its share of changed items that one."
    )


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
    farms: FarmSettings = Field(default_factory=FarmSettings, description="Click farms.")
    triggers: TriggerSettings = Field(default_factory=TriggerSettings, description="Title triggers.")
    windows: WindowSettings = Field(default_factory=WindowSettings, description="Training windows of the ranker.")
