"""Settings of the bronze room."""

from __future__ import annotations

from pydantic import Field

from recsynth.section import Section


class LandingSettings(Section):
    """Landing."""

    pseudonyms: bool = Field(
        False,
        description="User ids are replaced by a keyed hash (HMAC-SHA256) before anything is written, in every source "
        "that maps `user_id`; the key, at least 32 bytes, stands in the environment as `RECSYNTH_ID_KEY` and nowhere "
        "else. From the first landing on or never: a source whose rows landed otherwise is refused. The columns that "
        "`user_id` is read from hold the id and nothing else; a line that can't be read keeps its hash alone.",
    )
