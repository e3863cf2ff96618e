"""Settings of the bronze room."""

from __future__ import annotations

from recsynth.section import Section


class SourceSettings(Section):
    """To be declared by the room."""
