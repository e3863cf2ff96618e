"""Settings of the ranking room."""

from __future__ import annotations

from recsynth.section import Section


class RankingSettings(Section):
    """To be declared by the room."""
