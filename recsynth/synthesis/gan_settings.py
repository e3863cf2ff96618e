"""Settings of the play of a generator against its critic, of tastes and of tables."""

from __future__ import annotations

from pydantic import Field

from recsynth.section import Section


class GanSettings(Section):
    """A generator and its critic: WGAN-GP."""

    steps: int = Field(600, ge=1, description="Steps of the generator.")
    critic_steps: int = Field(3, ge=1, description="Steps of the critic before each of them.")
    batch_size: int = Field(256, ge=2, description="Users, or rows of a table, in a step.")
    learning_rate: float = Field(
        2e-3, gt=0, description="Adam's rate of the generator, falling to zero; the critic's is twice that."
    )
    gradient_penalty: float = Field(1.0, gt=0, description="Weight of the penalty that keeps the critic's slope low.")
    hidden_size: int = Field(128, ge=1, description="Width of the hidden layers of both.")
    jitter: float = Field(
        0.05,
        ge=0,
        description="Noise on real vectors that the critic sees, in standard deviations: no vector is known.",
    )
