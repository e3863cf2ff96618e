"""Settings of the applications that read and write texts: reviews, questions, items, advertisements."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from recsynth.apps.ad_words import FORBIDDEN, PATTERNS
from recsynth.section import Section

_DECIDE_BY = (
    "By what a class is decided on: `accuracy`, the likeliest one; `macro_f1`, a rarer one where it is nearly as "
    "likely, as far as that is better on held-out texts. Chances stay as they are."
)


class FineTuningSettings(Section):
    """How the language model learns with a head of its own, over texts or over tokens."""

    encoder: str = Field("minilm", description="Folder or cached name of the encoder; `minilm` is the built-in one.")
    mixed_precision: bool = Field(
        True, description="Teach in bfloat16 where the GPU or the CPU (AMX, AVX-512 BF16) multiplies in it."
    )
    head_learning_rate: float = Field(2e-3, gt=0, description="Peak rate of the head.")
    weight_decay: float = Field(0.01, ge=0, description="AdamW's decoupled decay.")
    warmup: float = Field(0.1, ge=0, le=1, description="Share of steps in which the rate rises; then it falls to 0.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Dropout before the head.")


class ClassifierSettings(FineTuningSettings):
    """How texts are classified: the language model fine-tuned, blended with the words themselves."""

    epochs: int = Field(3, ge=0, description="Passes over the labelled texts; 0: words alone, no language model.")
    least_steps: int = Field(
        100, ge=0, description="Steps that are taken at least, in more passes where there are few texts."
    )
    members: int = Field(
        3, ge=1, description="Language models that learn, each holding out texts of its own, and are asked together."
    )
    batch_size: int = Field(32, ge=1, description="Texts in a step, and at once when classifying.")
    max_tokens: int = Field(128, ge=8, description="Tokens of a text that the language model reads.")
    learning_rate: float = Field(1e-4, gt=0, description="Peak rate of the encoder's top layer.")
    layer_decay: float = Field(0.9, gt=0, le=1, description="Rate of a layer over that of the layer above it.")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="Share of a label that is spread over all classes.")
    validation_share: float = Field(
        0.1, gt=0, lt=1, description="Share of each class that a member holds out to stop, blend and calibrate by."
    )
    decide_by: Literal["accuracy", "macro_f1"] = Field("accuracy", description=_DECIDE_BY)
    max_words: int = Field(50_000, ge=1, description="Most words and pairs of words that the word model counts.")
    max_characters: int = Field(
        50_000, ge=0, description="Most runs of two to five characters that it counts beside them; 0: none."
    )
    word_c: float = Field(10.0, gt=0, description="Inverse ridge of the word model.")


class PolarityClassifierSettings(ClassifierSettings):
    """How the polarity of reviews is told; few are neutral or negative, and those are what a shop reads them for."""

    decide_by: Literal["accuracy", "macro_f1"] = Field("macro_f1", description=_DECIDE_BY)


class TaggerSettings(FineTuningSettings):
    """How values are found in the words of items: the language model with a head over its tokens."""

    epochs: int = Field(3, ge=1, description="Passes over the texts.")
    batch_size: int = Field(16, ge=1, description="Texts in a step, and at once when tagging.")
    max_tokens: int = Field(128, ge=8, description="Tokens of a text that are tagged.")
    learning_rate: float = Field(2e-4, gt=0, description="Peak rate of the encoder.")
    hidden_share: float = Field(
        0.2, ge=0, lt=1, description="Share of values that are hidden in training, so that their surroundings count."
    )
    validation_share: float = Field(0.1, gt=0, lt=1, description="Share of the texts to stop and calibrate by.")


ASPECTS = {
    "quality": [
        "quality",
        "broke",
        "broken",
        "solid",
        "sturdy",
        "flimsy",
        "cheaply",
        "well made",
        "material",
        "fabric",
    ],
    "fit": ["fit", "fits", "size", "sizing", "large", "small", "tight", "loose", "length", "runs"],
    "look": ["look", "looks", "colour", "color", "picture", "beautiful", "pretty", "design", "style", "pale", "paler"],
    "price": ["price", "expensive", "cheap", "money", "value", "worth"],
    "delivery": ["delivery", "arrived", "shipping", "package", "packaging", "damaged"],
    "service": ["service", "support", "answered", "refund", "return", "returned", "returning"],
}


class TeachingSettings(Section):
    """How a classifier of the shop's own texts is taught."""

    min_each: int = Field(
        20, ge=4, description="Texts of a label that a classifier needs; it does not know a label of fewer."
    )
    max_texts: int = Field(
        20_000, ge=1, description="About how many labelled texts the driver learns from, and judges by; drawn by hash."
    )
    retrain_days: int = Field(7, ge=1, description="Days after which a new classifier challenges the one in use.")
    classifier: ClassifierSettings = Field(default_factory=ClassifierSettings, description="How texts are classified.")


class SentimentSettings(TeachingSettings):
    """What reviews say of items; while a polarity has fewer than `min_each` texts, stars alone are read."""

    enabled: bool = Field(True, description="Whether reviews are read at all; the tables are empty otherwise.")
    classifier: PolarityClassifierSettings = Field(
        default_factory=PolarityClassifierSettings, description="How their polarity is told."
    )
    positive_stars: float = Field(4, gt=1, le=5, description="Least stars of a positive review.")
    negative_stars: float = Field(2, ge=1, lt=5, description="Most stars of a negative review; between, it is neutral.")
    history_days: int = Field(90, ge=1, description="Days before the as-of date that the table tells of.")
    trend_days: int = Field(28, ge=1, description="Days whose mean is compared with that of as many before.")
    contradiction: float = Field(
        0.8,
        gt=0.5,
        lt=1,
        description="Chance of the opposite polarity from which stars are said to contradict the text.",
    )
    clause_marks: str = Field(
        ".!?;,。！？；，",
        min_length=1,
        description="Characters at which a review is cut into clauses, each of its own aspect.",
    )
    clause_words: list[str] = Field(
        default_factory=lambda: ["but", "although", "though", "however"],
        description="Words, in lower case, at which it is cut too.",
    )
    aspects: dict[str, list[str]] = Field(
        default_factory=lambda: ASPECTS, description="Aspect to the words that name it, in lower case, any language."
    )
    aspect_examples: str = Field(
        "",
        description='JSON Lines of sentences with their aspects, `{"text": ..., "aspects": [words, ...]}`: a tagger '
        "learns from them to find what else the shop's reviews speak of; none: the listed aspects alone.",
    )
    least_reviews: int = Field(5, ge=1, description="Reviews that must name an aspect that no list has.")
    most_found: int = Field(50, ge=0, description="Most aspects that are found, those of the most reviews.")
    aspect_chance: float = Field(
        0.3, gt=0, le=1, description="Chance from which words are an aspect: of other products a tagger is rarely sure."
    )
    aspect_tagger: TaggerSettings = Field(default_factory=TaggerSettings, description="How they are found.")


class IntentClassifierSettings(ClassifierSettings):
    """How questions are classified; the encoder, as it came, also finds passages."""

    epochs: int = Field(6, ge=0, description="Passes over the labelled texts; 0: words alone, no language model.")
    max_tokens: int = Field(64, ge=8, description="Tokens of a text that the language model reads.")


class ServiceSettings(TeachingSettings):
    """What customers ask, and what to answer."""

    enabled: bool = Field(True, description="Whether questions are answered at all; the tables are empty otherwise.")
    min_each: int = Field(
        8, ge=4, description="Questions of an intent that a classifier needs; it does not know an intent of fewer."
    )
    classifier: IntentClassifierSettings = Field(
        default_factory=IntentClassifierSettings, description="How questions are classified and passages found."
    )
    shown_days: int = Field(7, ge=1, description="Days before the as-of date whose questions are answered.")
    least_confidence: float = Field(
        0.5, ge=0, lt=1, description="Calibrated chance of its intent below which a question gets no template."
    )
    out_of_scope: list[str] = Field(
        default_factory=lambda: ["other", "oos", "out_of_scope"],
        description="Intents by which agents say that a question is none of the shop's, or has no ready answer.",
    )
    least_customers: int = Field(
        5, ge=2, description="Customers who must have got an answer before it is a template; fewer: it is personal."
    )
    templates_each: int = Field(3, ge=1, description="Most templates of an intent.")
    max_passages: int = Field(2000, ge=1, description="Most policies in which answers are looked for.")
    passages: int = Field(5, ge=1, description="Passages of a question that are looked at and shown.")
    least_similarity: float = Field(
        0.4, ge=-1, le=1, description="Cosine of a sentence and the question below which the sentence is no answer."
    )
    similarity_margin: float = Field(0.1, ge=0, description="How far below the best one a further sentence may be.")
    sentences: int = Field(3, ge=1, description="Most sentences of a composed answer.")


class CategoryTeachingSettings(TeachingSettings):
    """How the classifier of categories is taught, by the items that have one."""

    min_each: int = Field(5, ge=4, description="Items of a category that a classifier needs; else it does not know it.")
    retrain_days: int = Field(28, ge=1, description="Days after which a new classifier challenges the one in use.")


class LabelSettings(Section):
    """What the words of an item say of fields that its record may lack."""

    enabled: bool = Field(True, description="Whether items are labelled at all; the table is empty otherwise.")
    min_items: int = Field(
        100, ge=10, description="Items whose words hold a recorded value, that a tagger needs; else there is none."
    )
    max_texts: int = Field(
        20_000, ge=1, description="About how many items the driver learns from, and judges by; drawn by hash."
    )
    max_values: int = Field(1000, ge=1, description="Most values of a field that are known by name, the frequent ones.")
    retrain_days: int = Field(28, ge=1, description="Days after which a new tagger challenges the one in use.")
    least_confidence: float = Field(
        0.7, ge=0, le=1, description="Chance below which a label fills no gap of a record; it stays in the table."
    )
    tagger: TaggerSettings = Field(default_factory=TaggerSettings, description="How values are found.")
    category: CategoryTeachingSettings = Field(
        default_factory=CategoryTeachingSettings, description="How categories are proposed."
    )


class AdSettings(Section):
    """Titles, descriptions and advertisements of items."""

    enabled: bool = Field(True, description="Whether texts are written at all; the table is empty otherwise.")
    language: str = Field("en", description="Language of the patterns: en or zh, or any where patterns are given.")
    tone: str = Field("plain", description="Tone of the patterns: plain or warm, or any where patterns are given.")
    title_length: int = Field(60, ge=10, description="Most characters of a title.")
    headline_length: int = Field(30, ge=10, description="Most characters of a headline.")
    body_length: int = Field(90, ge=20, description="Most characters of a body.")
    description_length: int = Field(400, ge=40, description="Most characters of a description.")
    variants: int = Field(3, ge=1, description="Headlines, and bodies, that an item gets at most.")
    sentences: int = Field(3, ge=1, description="Most sentences of a description.")
    titles: list[str] = Field(default_factory=list, description="Titles with slots in braces; none: built-in ones.")
    headlines: list[str] = Field(default_factory=list, description="Headlines with slots; none: built-in ones.")
    bodies: list[str] = Field(default_factory=list, description="Sentences with slots; none: built-in ones.")
    own_sentences: bool = Field(
        True,
        description="Whether sentences that descriptions share are used for others; not where they are in another "
        "language or tone than asked for.",
    )
    slots: dict[str, str] = Field(
        default_factory=lambda: {"color": "colour", "颜色": "colour", "材质": "material", "尺寸": "size"},
        description="Name of an attribute, in lower case, to the slot that it fills; others fill one of their name.",
    )
    forbidden: list[str] = Field(
        default_factory=lambda: FORBIDDEN,
        description="Beginnings of words that no text may have: superlatives and promises that consumer law forbids.",
    )
    least_items: int = Field(
        5, ge=2, description="Items whose descriptions must share a sentence before it is used for others."
    )
    templates: int = Field(100, ge=1, description="Most such sentences, those of the most items.")
    plain_share: float = Field(
        0.1, gt=0, le=1, description="Share of descriptions that have a word from which it says nothing of an item."
    )
    max_values: int = Field(1000, ge=1, description="Most values of a field that are known by name, the frequent ones.")
    judged_items: int = Field(1000, ge=1, description="About how many held-out descriptions are compared with ours.")
    generator: str = Field(
        "", description="Folder of a T5 or GPT model that writes further texts; none: sentences and patterns alone."
    )
    generated: int = Field(4, ge=1, description="Texts that the model writes for each slot of an item.")
    generated_tokens: int = Field(96, ge=8, description="Most tokens of such a text.")

    @property
    def longest(self) -> dict[str, int]:
        """Slot to the most characters of its text."""
        return {"title": self.title_length, "description": self.description_length,
                "headline": self.headline_length, "body": self.body_length}  # fmt: skip

    @model_validator(mode="after")
    def _patterns_are_known(self) -> AdSettings:
        given = self.titles and self.headlines and self.bodies
        if not given and (self.language, self.tone) not in PATTERNS:
            known = ", ".join(f"{language} {tone}" for language, tone in PATTERNS)
            raise ValueError(
                f"language and tone: expected one of {known}, or titles, headlines and bodies of your own, "
                f"found {self.language} {self.tone}"
            )
        return self
