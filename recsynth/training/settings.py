"""Settings of the training room."""

from __future__ import annotations

from recsynth.section import Section


class TrainingSettings(Section):
    """To be declared by the room."""
