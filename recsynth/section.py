"""What every section of the settings has in common: unknown keys are refused, values never change."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of the TOML file."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
