"""Settings of the silver room."""

from __future__ import annotations

from recsynth.section import Section


class SilverSettings(Section):
    """To be declared by the room."""
