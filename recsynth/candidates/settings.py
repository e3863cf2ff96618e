"""Settings of the candidates room."""

from __future__ import annotations

from recsynth.section import Section


class CandidateSettings(Section):
    """To be declared by the room."""
