"""Settings of the inference room."""

from __future__ import annotations

from recsynth.section import Section


class InferenceSettings(Section):
    """To be declared by the room."""
