"""Settings of the evaluation room."""

from __future__ import annotations

from pydantic import Field

from recsynth.section import Section


class EvaluationSettings(Section):
    """Judging a night."""

    days: int = Field(28, ge=1, description="Days from the as-of date on whose purchases are the truth.")
    new_user_baskets: int = Field(2, ge=0, description="A user with at most this many baskets is new.")
    light_user_baskets: int = Field(
        4, ge=0, description="One with more than a new user and at most this many is light, others heavy."
    )
    cold_item_users: int = Field(10, ge=0, description="An item that at most this many users have is cold.")
    rare_query_sessions: int = Field(5, ge=1, description="A query that at most this many sessions asked is rare.")
    resamples: int = Field(1000, ge=100, description="Bootstrap resamples of users for a 95 % interval.")
    max_users: int = Field(100_000, ge=1, description="Users that are judged, by hash where there are more.")
