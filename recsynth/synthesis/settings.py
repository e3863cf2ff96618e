"""Settings of the synthesis room."""

from __future__ import annotations

from pydantic import Field

from recsynth.section import Section
from recsynth.synthesis.gan_settings import GanSettings
from recsynth.synthesis.label_settings import LabelledTextSettings
from recsynth.synthesis.table_settings import TableSettings
from recsynth.synthesis.text_settings import AugmentSettings, TextsSettings


class GateSettings(Section):
    """What synthetic data must reach to be fit for training; each beside the same figure of real people."""

    popularity_at_least: float = Field(
        0.92, ge=0, le=1, description="KS complement of the share of users who have an item."
    )
    activity_at_least: float = Field(0.97, ge=0, le=1, description="KS complement of the number of items of a user.")
    lift_of_real_at_least: float = Field(
        0.9, ge=0, description="Spearman of co-occurrence lifts with the hold-out, as a share of the real half's."
    )
    transfer_of_real_at_least: float = Field(
        0.9,
        ge=0,
        description="NDCG@10 on real people of a recommender trained on synthetic ones, as a share of one trained on "
        "as many real ones; for all items and for new ones.",
    )
    discriminator_at_most: float = Field(
        0.6, ge=0.5, le=1, description="AUC of a classifier that tells synthetic from held-out real users."
    )
    copies_at_most: int = Field(0, ge=0, description="Real users of at least copy_items items who were copied exactly.")
    copy_items: int = Field(5, ge=1, description="Items from which on an equal history is a copy and not chance.")
    membership_at_most: float = Field(
        0.53, ge=0.5, le=1, description="AUC of the best of three attacks that ask who was learned from."
    )
    tail_of_real_at_least: float = Field(
        0.8, ge=0, description="Share of interactions with the rarer four fifths of items, over the hold-out's."
    )
    shares: list[float] = Field(
        [0.25, 1.0], min_length=1, description="Weights of synthetic rows in training that are tried, the best kept."
    )
    light_loss_at_most: float = Field(
        0.005, ge=0, description="Share of their NDCG@10 that people with under five items may lose by synthetic rows."
    )
    lift_items: int = Field(1000, ge=2, description="Most popular items among whose pairs lifts are compared.")
    ease_l2: float = Field(200.0, gt=0, description="L2 of the recommender (EASE) that measures what data teach.")


class SynthesisSettings(Section):
    """Synthetic users: how they are learned, drawn and judged."""

    enabled: bool = Field(True, description="Synthesise and judge tonight.")
    users: int = Field(0, ge=0, description="Synthetic users to draw; 0: as many as were learned from.")
    min_users: int = Field(50, ge=20, description="Users of R below which nothing is synthesised.")
    max_users: int = Field(
        20_000,
        ge=20,
        description="Users in each half, the one learned from and the one held out, by hash where there are more: a "
        "distribution is learned from a sample, and the sample fits one process.",
    )
    max_items: int = Field(5_000, ge=2, description="Items that are synthesised, those with the most users.")
    max_user_items: int = Field(500, ge=1, description="Items kept of a user's, those of the greatest weight.")
    latent_size: int = Field(16, ge=1, description="Numbers that the autoencoder has for a taste.")
    latent_l2: float = Field(0.001, ge=0, description="L2 on the autoencoder's decoder.")
    item_l2: float = Field(
        300.0, gt=0, description="L2 of the item weights (EASE) by which drawn items attract others."
    )
    neighbours: int = Field(200, ge=1, description="Greatest item weights kept of each item.")
    taste_sharpness: float = Field(
        1.2, gt=0, description="Power on a taste's share in a draw: above 1 makes up for what drawing blurs."
    )
    item_sharpness: float = Field(1.1, gt=0, description="The same for the items drawn so far.")
    calibration_rounds: int = Field(
        3, ge=0, description="Draws after which popularity is corrected by activity and by item."
    )
    gan: GanSettings = Field(
        default_factory=GanSettings, description="The generator of tastes, on the autoencoder's latent vectors."
    )
    gate: GateSettings = Field(default_factory=GateSettings, description="What must be reached.")
    texts: TextsSettings = Field(default_factory=TextsSettings, description="Searches written for items.")
    tables: TableSettings = Field(default_factory=TableSettings, description="Synthetic users, events and items.")
    labelled: LabelledTextSettings = Field(
        default_factory=LabelledTextSettings, description="Reviews, questions and opinions that nobody wrote."
    )
    augment: AugmentSettings = Field(default_factory=AugmentSettings, description="Items in other words.")
