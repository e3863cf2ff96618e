"""Settings of the measure room."""

from __future__ import annotations

from recsynth.section import Section


class EvaluationSettings(Section):
    """To be declared by the room."""
