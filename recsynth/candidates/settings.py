"""Settings of the candidates room."""

from __future__ import annotations

from pydantic import Field

from recsynth.section import Section


class ALSSettings(Section):
    """Implicit matrix factorisation (MLlib)."""

    rank: int = Field(64, ge=1, description="Factors.")
    iterations: int = Field(8, ge=1, description="Alternations.")
    regularisation: float = Field(0.1, gt=0, description="L2 on the factors.")
    alpha: float = Field(1.0, gt=0, description="Confidence that one unit of R adds.")
    depth: int = Field(150, ge=0, description="Items that it proposes to a user.")


class ItemNeighbourSettings(Section):
    """Linear autoencoder over items (EASE)."""

    l2: float = Field(200.0, gt=0, description="L2 on the item weights.")
    max_items: int = Field(
        12_000, ge=1, description="Largest catalogue for the dense autoencoder; beyond, cosine neighbours."
    )
    neighbours: int = Field(
        50, ge=1, description="Nearest items kept for each item (all the model there is beyond max_items)."
    )
    depth: int = Field(150, ge=0, description="Items that it proposes to a user.")
    unseen_depth: int = Field(75, ge=0, description="Further items that it proposes among those the user never had.")


class TrendingSettings(Section):
    """Item neighbours and the user's own R, by how each item's demand moves: score = n * trend^a + w * r * trend^b."""

    power: float = Field(
        0.8, ge=0, description="Exponent a: how much an item's trend weighs on what item neighbours score."
    )
    own_weight: float = Field(0.5, ge=0, description="Weight w of the user's own R_ij.")
    own_power: float = Field(
        0.3, ge=0, description="Exponent b: how much an item's trend weighs on the user's own R_ij."
    )
    depth: int = Field(100, ge=0, description="Items that it proposes to a user.")
    unseen_depth: int = Field(75, ge=0, description="Further items that it proposes among those the user never had.")


class UserNeighbourSettings(Section):
    """What similar users have."""

    neighbours: int = Field(100, ge=1, description="Most similar users that vote.")
    pool: int = Field(
        20_000, ge=1, description="Users among whom they are sought: a sample by hash; its rows of R go to each worker."
    )
    depth: int = Field(75, ge=0, description="Items that it proposes to a user.")


class TextSettings(Section):
    """The language model."""

    depth: int = Field(75, ge=0, description="Items that it proposes to a user.")


class TextTransferSettings(Section):
    """What users do with known items, carried to other items by the nearness of their texts."""

    width: float = Field(1.0, gt=0, description="Width of the kernel exp((cosine - 1) / width) between texts.")
    ridge: float = Field(0.1, gt=0, description="Ridge of the regression: greater is smoother.")
    own_weight: float = Field(
        0.2, ge=0, description="Weight of the user's own damped R beside what item neighbours make of it."
    )
    max_anchors: int = Field(
        6_000, ge=1, description="Most popular items that scores are carried from; their square is held in memory."
    )
    max_new: int = Field(
        20_000,
        ge=1,
        description="Items without an interaction that are scored, those seen last; times max_anchors "
        "floats are held in memory.",
    )
    depth: int = Field(50, ge=0, description="Items that it proposes to a user.")


class PopularSettings(Section):
    """What many buy lately."""

    half_life_days: float = Field(21.0, gt=0, description="Age at which a purchase counts half, in days.")
    depth: int = Field(50, ge=1, description="Items that it proposes to everybody.")


class RepeatSettings(Section):
    """What the user had before."""

    depth: int = Field(200, ge=0, description="Items that it proposes to a user, those of greatest R_ij.")


class LastBasketSettings(Section):
    """What goes with the user's last basket."""

    hours: float = Field(24.0, gt=0, description="Events within this time of the user's last one are the last basket.")
    depth: int = Field(50, ge=0, description="Items that it proposes to a user.")


class CandidateSettings(Section):
    """Candidate sources."""

    window_users: int = Field(
        20_000, ge=1, description="Users with labels that are kept of each training window, by hash."
    )
    max_user_items: int = Field(
        1_000, ge=1, description="Items of a user, those of greatest R_ij, that models of R read."
    )
    block_users: int = Field(
        128, ge=1, description="Users scored at once: a block holds this many rows of the catalogue's width."
    )
    als: ALSSettings = Field(default_factory=ALSSettings, description="Matrix factorisation.")
    item_neighbours: ItemNeighbourSettings = Field(
        default_factory=ItemNeighbourSettings, description="Item neighbours."
    )
    trending: TrendingSettings = Field(
        default_factory=TrendingSettings, description="Item neighbours and repeats, by what is in demand now."
    )
    user_neighbours: UserNeighbourSettings = Field(
        default_factory=UserNeighbourSettings, description="User neighbours."
    )
    text: TextSettings = Field(default_factory=TextSettings, description="Language model.")
    text_transfer: TextTransferSettings = Field(
        default_factory=TextTransferSettings, description="Known items' scores carried over by text."
    )
    popular: PopularSettings = Field(default_factory=PopularSettings, description="Popularity.")
    repeat: RepeatSettings = Field(default_factory=RepeatSettings, description="Repeats.")
    last_basket: LastBasketSettings = Field(default_factory=LastBasketSettings, description="Last basket.")
