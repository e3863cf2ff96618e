"""Settings of the shop room."""

from __future__ import annotations

from recsynth.section import Section


class ShopSettings(Section):
    """To be declared by the room."""
