"""Words of advertisements: sentences with slots, by language and tone, and what no advertisement may say."""

from __future__ import annotations

from typing import NamedTuple


class Patterns(NamedTuple):
    """Sentences with slots in braces, each a field of the record; `thing` is what the title names without them.

    They say nothing of an item but what stands in their slots: no quality, no use, no availability.
    """

    titles: tuple[str, ...]
    headlines: tuple[str, ...]
    bodies: tuple[str, ...]


THING = "thing"
_TITLES = {
    "en": ("{brand} {thing}, {colour} {material}, {size}", "{brand} {thing}, {colour} {material}", "{brand} {thing}",
           "{thing}, {colour} {material}, {size}", "{thing}, {colour} {material}", "{thing}, {material}",
           "{thing}, {colour}", "{thing}, {size}", "{brand} {thing}, {colour}", "{brand} {thing}, {material}",
           "{brand} {thing}, {size}", "{brand} {thing}, {material}, {size}", "{thing}"),
    "zh": ("{brand}{thing} {colour}{material} {size}", "{brand}{thing} {colour}{material}", "{brand}{thing}",
           "{thing} {colour}{material}", "{thing} {material}", "{thing} {colour}", "{thing} {size}",
           "{brand}{thing} {colour}", "{brand}{thing} {material}", "{thing}"),
}  # fmt: skip
PATTERNS = {
    ("en", "plain"): Patterns(
        _TITLES["en"],
        ("{colour} {material} {thing}", "{brand} {thing}", "{thing} of {material}", "{colour} {thing}",
         "{thing} by {brand}", "{size} {thing}", "{size} {colour} {thing}", "{thing} in {colour}", "{thing}",
         "Our {thing}", "See this {thing}"),
        ("The {thing} by {brand}: {material}, {colour}, {size}.", "{brand} {thing} of {material} in {colour}.",
         "This {size} {colour} {thing} is made of {material}.", "This {thing} is made of {material}.",
         "The {thing} comes in {colour}.", "This {thing} is by {brand}.", "The size of this {thing} is {size}.",
         "Have a look at this {thing}.", "This is our {thing}.", "You can see this {thing} in our shop."),
    ),
    ("en", "warm"): Patterns(
        _TITLES["en"],
        ("Say hello to {brand}", "Your new {colour} {thing}", "{thing} in {colour}", "Hello, {material} {thing}",
         "Your {thing}, by {brand}", "This {thing} is for you", "Your new {thing}", "Meet this {thing}", "{thing}"),
        ("Bring home this {colour} {thing} of {material}, made by {brand}.",
         "Your {size} {thing} in {colour}, made of {material}.",
         "{brand} made this {thing} of {material}. It could be yours.", "This {thing} in {colour} could be yours.",
         "Your new {thing}, made of {material}.", "Say hello to this {thing} by {brand}.",
         "Take a look at this {thing}: it could be yours.", "This {thing} would like to meet you.",
         "Bring home this {thing}."),
    ),
    ("zh", "plain"): Patterns(
        _TITLES["zh"],
        ("{colour}{material}{thing}", "{brand}{thing}", "{material}{thing}", "{colour}{thing}", "{size}{thing}",
         "{brand}出品的{thing}", "{thing}", "看看这款{thing}", "本店{thing}"),
        ("{brand}{thing}，{material}制作，{colour}，{size}。", "{colour}{thing}，采用{material}。",
         "{brand}这款{thing}由{material}制作。",
         "这款{thing}的规格为{size}。", "这款{thing}，颜色为{colour}。", "这款{thing}来自{brand}。",
         "欢迎看看这款{thing}。",
         "这是本店的{thing}。", "来本店看看{thing}。"),
    ),
    ("zh", "warm"): Patterns(
        _TITLES["zh"],
        ("遇见{brand}", "你的{colour}{thing}", "你好，{material}{thing}", "{brand}{thing}，送给你", "{thing}，送给你",
         "你的新{thing}", "遇见这款{thing}"),
        ("把{colour}的{brand}{thing}带回家。", "{material}制作的{thing}，送给你。",
         "{brand}用{material}制作这款{thing}，送给你。",
         "你的{size}{thing}，{colour}。", "看看这款{thing}吧。", "把这款{thing}带回家吧。", "这款{thing}想遇见你。"),
    ),
}  # fmt: skip
# Superlatives and promises that consumer law forbids without proof (Directive 2005/29/EC, annex I; 广告法, article 9).
FORBIDDEN = [
    "best", "cheapest", "number one", "no. 1", "#1", "world's", "greatest", "perfect", "guarantee", "miracle", "cure",
    "heal", "risk-free", "100%", "100 %", "free of charge", "unbeatable", "unique", "only one", "last chance", "hurry",
    "最", "第一", "唯一", "顶级", "国家级", "极致", "万能", "绝对", "百分之百",
]  # fmt: skip
# At the ends of what a title names they join it to what was taken out.
JOINING = frozenset(
    ("a", "an", "the", "of", "by", "in", "on", "with", "from", "for", "and", "or", "made", "to", "at", "as", "的", "和")
)
