"""Settings of synthetic texts: who writes them, of what, and what they must reach."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from recsynth.section import Section


class WriterSettings(Section):
    """The decoder that writes what the language model has read."""

    layers: int = Field(2, ge=1, description="Layers of the decoder.")
    steps: int = Field(150, ge=1, description="Steps of its training.")
    batch_size: int = Field(64, ge=1, description="Examples in a step.")
    learning_rate: float = Field(5e-4, gt=0, description="AdamW's peak rate, falling to zero.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Dropout in the decoder.")
    most_tokens: int = Field(16, ge=2, description="Tokens of a text, its end included; a longer one is not whole.")
    max_sources: int = Field(2_000, ge=1, description="Distinct item texts learned from: their states lie in memory.")
    top_p: float = Field(
        0.9, gt=0, le=1, description="A token is drawn from the likeliest that together have this share."
    )


class TextGateSettings(Section):
    """What written searches must reach to be used; each beside the same figure of what people typed later."""

    likeness_of_real_at_least: float = Field(
        0.8, ge=0, description="Likeness of lengths and of words to later searches, as a share of real searches'."
    )
    words_of_real_at_least: float = Field(
        0.9,
        ge=0,
        description="Share of a search's words that its item's text or its use elsewhere explains, of real's.",
    )
    found_of_real_at_least: float = Field(
        1.0, ge=0, description="Share of searches that find their own item among ten by words alone, of real searches'."
    )
    transfer_of_real_at_least: float = Field(
        0.9,
        ge=0,
        description="NDCG@10 of later searches by written searches alone, as a share of that by as many real ones.",
    )
    coverage_at_least: float = Field(
        0.8, ge=0, description="Share of items that nobody has searched for with a text, over that of the others."
    )
    shares: list[float] = Field(
        [0.2, 0.35, 0.5],
        min_length=1,
        description="Weights of what is searched for beside an item's own text that are tried, the best kept.",
    )
    loss_at_most: float = Field(
        0.005,
        ge=0,
        description="Share of the NDCG@10 of all later searches that written ones may cost where new items gain.",
    )


class TextsSettings(Section):
    """Searches that nobody has typed yet, written for each item (doc2query, Nogueira and Lin, 2019)."""

    enabled: bool = Field(True, description="Write searches for items.")
    generator: str = Field(
        "",
        description="Folder of a T5 or GPT model (safetensors) that writes instead; empty: a decoder that the night "
        "teaches by the shop's own searches.",
    )
    least_users: int = Field(
        5, ge=1, description="People who must have typed a search for it to be learned from or repeated."
    )
    min_examples: int = Field(
        200, ge=1, description="Searches that led to an item, each pair once, below which nothing is taught or written."
    )
    max_examples: int = Field(5_000, ge=1, description="Pairs learned from, by hash where there are more.")
    learn_within: int = Field(
        20,
        ge=1,
        description="A pair is learned from if the search finds the item among so many by its text: people click on "
        "other things too.",
    )
    retrain_days: int = Field(7, ge=1, description="Days until the writer is taught again.")
    draws: int = Field(10, ge=1, description="Texts drawn for an item.")
    find_within: int = Field(10, ge=1, description="A text is kept if it finds its own item among so many.")
    kept: int = Field(5, ge=1, description="Texts kept of an item, those drawn most often.")
    max_items: int = Field(5_000, ge=1, description="Items written for in a night, new ones first.")
    max_rivals: int = Field(5_000, ge=1, description="Items among which a text must find its own, by hash.")
    writer: WriterSettings = Field(default_factory=WriterSettings, description="The decoder.")
    gate: TextGateSettings = Field(default_factory=TextGateSettings, description="What must be reached.")


class AugmentGateSettings(Section):
    """What items in other words must reach to be learned from."""

    label_kept_at_least: float = Field(
        0.9, ge=0, le=1, description="Share of the texts written anew that still find their own item."
    )
    changed_at_least: float = Field(
        0.02, ge=0, le=1, description="Mean share of a text's characters that are others, by edit distance."
    )


class AugmentSettings(Section):
    """Items in other words, for training that must bear typing errors and poor records."""

    enabled: bool = Field(False, description="Write items in other words, and learn from those that pass.")
    ways: list[Literal["typos", "missing", "synonyms"]] = Field(
        ["typos", "missing"],
        description="Words mistyped; sentences (of a single one, words) left out; words of the catalogue that the "
        "pretrained language model finds alike. Models of folders (below) bring further ways.",
    )
    typo_share: float = Field(0.2, gt=0, le=1, description="Chance of a word of three letters or more to be mistyped.")
    missing_share: float = Field(0.3, gt=0, lt=1, description="Chance of a sentence but the first to be left out.")
    synonym_share: float = Field(0.3, gt=0, le=1, description="Chance of a word that has synonyms to be said by one.")
    synonym_likeness: float = Field(
        0.65, gt=0, lt=1, description="Cosine of two words' vectors from which one may stand for the other."
    )
    max_words: int = Field(5_000, ge=2, description="Words of the catalogue among which synonyms are, the commonest.")
    guesser: str = Field(
        "",
        description="Folder of a masked-language model (safetensors, such as BERT) that fills hidden words anew "
        "(infill); empty: none.",
    )
    infill_share: float = Field(0.15, gt=0, le=1, description="Chance of a word to be hidden and guessed.")
    infill_top_p: float = Field(
        0.5, gt=0, le=1, description="A guess is drawn from the likeliest words that together have this share."
    )
    paraphraser: str = Field(
        "",
        description="Folder of a T5 or GPT model (safetensors) that is asked for a paraphrase; empty: none.",
    )
    there: str = Field(
        "",
        description="Folder of a model (safetensors, such as Marian's) that translates into another language, for "
        "back-translation; empty: none.",
    )
    back: str = Field("", description="Folder of the model that translates back.")
    each: int = Field(2, ge=1, description="Texts of an item in each way.")
    share: float = Field(0.5, gt=0, le=1, description="Chance of an item in a step of training to be read anew.")
    find_within: int = Field(10, ge=1, description="A text keeps its label if it finds its own item among so many.")
    max_items: int = Field(5_000, ge=1, description="Items written anew in a night, new ones first.")
    gate: AugmentGateSettings = Field(default_factory=AugmentGateSettings, description="What must be reached.")

    @model_validator(mode="after")
    def _both_ways(self) -> Self:
        if bool(self.there) != bool(self.back):
            raise ValueError("expected folders for both there and back, or for none")
        return self
