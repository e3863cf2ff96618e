"""Settings of the silver room."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from recsynth.section import Section


class SilverSettings(Section):
    """Cleaning."""

    earliest: date = Field(date(2000, 1, 1), description="An event before this day is set aside as `ts out of range`.")
    latest: date = Field(
        date(2100, 1, 1), description="An event on or after this day is set aside as `ts out of range`."
    )
    session_gap_minutes: int = Field(30, ge=1, description="Idle minutes that end a session.")
    near_duplicate_seconds: int = Field(
        1,
        ge=0,
        description="A like event (not a purchase or return) this soon after the last is a double click; 0: none is.",
    )
    bot_events_per_minute: int = Field(
        60, ge=1, description="A user who does more in some minute, purchases and returns apart, is a bot that day."
    )
    bot_events_per_day: int = Field(
        2000, ge=1, description="A user who does more in a day, purchases and returns apart, is a bot that day."
    )
    mask_texts: bool = Field(
        True,
        description="Mask mail addresses, phone, card and account numbers in reviews, searches and questions, before "
        "any model reads them; rows that were cleaned before stay as they are, and bronze keeps rows as they came.",
    )
    image_size: int = Field(
        0,
        ge=0,
        description="Numbers of an item's `image_vector`, which a picture encoder of the shop's own made; a row with "
        "another length is set aside. 0: the shop delivers none.",
    )
    plausible_title: str = Field(
        r"title rlike r'\p{L}{2,}'",
        description="SQL condition on `title`; another title is taken as none (a note, a code).",
    )
