"""Settings of synthetic tables: users, events and items that do not exist."""

from __future__ import annotations

from pydantic import Field

from recsynth.section import Section
from recsynth.synthesis.gan_settings import GanSettings


class TableGateSettings(Section):
    """What synthetic tables must reach; each beside the same figure of the real rows learned from."""

    shapes_of_real_at_least: float = Field(
        0.95, ge=0, description="Mean likeness of single columns to the hold-out's, as a share of the real half's."
    )
    pairs_of_real_at_least: float = Field(
        0.95, ge=0, description="Mean likeness of pairs of columns to the hold-out's, as a share of the real half's."
    )
    discriminator_at_most: float = Field(
        0.6, ge=0.5, le=1, description="AUC of a classifier that tells synthetic rows from held-out real ones."
    )
    transfer_of_real_at_least: float = Field(
        0.9,
        ge=0,
        description="Likeness to the truth of what trees learned from the synthetic rows say of held-out real ones, "
        "as a share of what trees learned from real rows say.",
    )
    closest_at_most: float = Field(
        0.53, ge=0.5, le=1, description="Share of synthetic rows that lie closer to a row learned from than to one not."
    )
    membership_at_most: float = Field(
        0.53, ge=0.5, le=1, description="AUC of the attack that asks who was learned from by the closest row."
    )
    paths_of_real_at_least: float = Field(
        0.9,
        ge=0,
        description="Likeness of what follows what in a visit, of the hour of the week, of the days between visits and "
        "of the events of a visit, each as a share of the real half's.",
    )
    max_rows: int = Field(3_000, ge=20, description="Rows of a side that are compared, by hash where there are more.")


class PlaySettings(GanSettings):
    """The play that goes on from the likelihood: shorter and slower than that of tastes."""

    steps: int = Field(200, ge=1, description="Steps of the generator.")
    learning_rate: float = Field(
        2e-4, gt=0, description="Adam's rate of the generator, falling to zero; the critic's is twice that."
    )


class TableSettings(Section):
    """Synthetic users, events and items: learned by a conditional tabular GAN, drawn and judged."""

    enabled: bool = Field(True, description="Draw synthetic tables tonight; they need `synthesis.enabled` too.")
    least_people: int = Field(
        5, ge=2, description="People, of items items, who must have a value for it to be told at all."
    )
    max_words: int = Field(100, ge=1, description="Different words of a column that are told, the most frequent.")
    max_bins: int = Field(24, ge=2, description="Bins of a column of numbers.")
    max_attributes: int = Field(6, ge=0, description="Attributes of items that become columns, the most frequent.")
    max_rows: int = Field(
        40_000, ge=50, description="Rows of a table that are learned from, by hash where there are more."
    )
    max_visits: int = Field(500, ge=1, description="Visits of a user that are drawn.")
    items: int = Field(0, ge=0, description="Synthetic items to draw; 0: as many as were learned from.")
    steps: int = Field(500, ge=1, description="Steps by likelihood, before the play.")
    batch_size: int = Field(256, ge=2, description="Rows in each of those steps.")
    learning_rate: float = Field(3e-3, gt=0, description="AdamW's rate of those steps, falling to zero.")
    weight_decay: float = Field(0.01, ge=0, description="Of those steps.")
    hidden_size: int = Field(64, ge=1, description="Width of the hidden layer of each column's network.")
    looks_at: int = Field(
        4, ge=1, description="Rows drawn for each row set apart, by which the play is looked at: more, less noise."
    )
    gan: PlaySettings = Field(default_factory=PlaySettings, description="The play against the critic.")
    gate: TableGateSettings = Field(default_factory=TableGateSettings, description="What must be reached.")
