"""Settings of texts that are written under a label: reviews, questions, opinions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from recsynth.section import Section
from recsynth.synthesis.text_settings import WriterSettings


class LabelWriterSettings(WriterSettings):
    """The decoder that writes a text of a label."""

    steps: int = Field(1_000, ge=1, description="Steps of its training, at most.")
    batch_size: int = Field(16, ge=1, description="Examples in a step.")
    most_tokens: int = Field(
        64, ge=2, description="Tokens of a text, its end included; of a longer one the first sentences teach."
    )


class LabelGateSettings(Section):
    """What written texts must reach to be learned from; each beside the same figure of people's."""

    label_kept_of_real_at_least: float = Field(
        0.9, ge=0, description="Share whose label a classifier of people's texts tells, of that of held-out texts."
    )
    likeness_of_real_at_least: float = Field(
        0.8, ge=0, description="Likeness of lengths and of words to held-out texts, as a share of people's."
    )
    distinct_of_real_at_least: float = Field(
        0.5, ge=0, description="Distinct pairs of words over all of them, as a share of as many people's texts'."
    )
    repeats_more_at_most: float = Field(
        0.1, ge=0, description="Share of near-duplicates of another text, above that of as many people's texts."
    )
    copied_at_most: float = Field(
        0.0, ge=0, le=1, description="Share with 13 words in a row of fewer than least_users people."
    )
    transfer_of_real_at_least: float = Field(
        0.9, ge=0, description="Macro-F1 on held-out texts of a classifier taught by them, of one by as many people's."
    )


class LabelledTextSettings(Section):
    """Reviews for a rating, questions for an intent, opinions for a topic and a sentiment, that nobody wrote."""

    enabled: bool = Field(True, description="Write texts under labels.")
    kinds: list[Literal["review", "question", "opinion"]] = Field(
        ["review", "question", "opinion"], description="Kinds of texts that are written."
    )
    least_users: int = Field(
        5, ge=1, description="People who must have said a word, or a whole text, for it to be written."
    )
    min_each: int = Field(20, ge=2, description="Texts of a label without which none is written of it.")
    max_labels: int = Field(200, ge=2, description="Labels of a kind, those with the most texts.")
    max_texts: int = Field(
        3_000, ge=10, description="Texts of a kind learned from, as many to judge by, by hash where there are more."
    )
    max_words: int = Field(20_000, ge=1, description="Words that may be written, those of the most people.")
    retrain_days: int = Field(7, ge=1, description="Days until a writer is taught again.")
    passes: float = Field(
        6.0, gt=0, description="Passes over the texts after which a writer's training ends: more, and it repeats them."
    )
    draws: int = Field(40, ge=1, description="Texts drawn of a label.")
    kept: int = Field(
        20,
        ge=1,
        description="Texts kept of a label: of those that keep it by people's texts, the ones drawn most often.",
    )
    writer: LabelWriterSettings = Field(default_factory=LabelWriterSettings, description="The decoder.")
    gate: LabelGateSettings = Field(default_factory=LabelGateSettings, description="What must be reached.")
