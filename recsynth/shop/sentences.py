"""What the simulated shop and its customers write: titles, descriptions, searches with typing errors, reviews."""

from __future__ import annotations

from random import Random

TITLE = {"en": "{brand} {colour} {material} {noun}, {size}", "zh": "{brand}{colour}{material}{noun} {size}"}
# Each says all of an item's words.
DESCRIPTIONS = {
    "en": (
        "A {size} {colour} {noun} made of {material}, at its best for {use}. "
        "{brand} has made it for people who use it daily.",
        "For {use}: this {noun} by {brand} is made of {material} and comes in {colour}. The size is {size}.",
        "{brand} makes this {noun} from {material}. It is {colour}, {size} in size, and people like it for {use}.",
        "Simple, {colour} and made of {material}. This {size} {noun} from {brand} is a good choice for {use}.",
        "Think of {use}, and this {noun} comes to mind. {brand} makes it of {material}, here in {colour}; size {size}.",
        "Our {size} {noun} in {colour}: {material}, carefully finished by {brand}, made with {use} in mind.",
    ),
    "zh": (
        "这款{size}{colour}{noun}由{material}制成，最适合{use}。{brand}专为日常使用而设计。",
        "适合{use}：{brand}的这款{noun}采用{material}，颜色为{colour}，规格为{size}。",
        "{brand}用{material}制作这款{noun}。{colour}，{size}，深受喜爱，尤其适合{use}。",
        "简约的{colour}设计，选用{material}。{brand}这款{size}{noun}是{use}的好选择。",
        "说到{use}，就会想到这款{noun}。{brand}选用{material}制作，图为{colour}，{size}。",
        "{brand}{size}{noun}，{colour}，{material}质感，做工细致，为{use}而准备。",
    ),
}
SEARCHES = {
    "en": ("{colour} {noun}", "{material} {noun}", "{brand} {noun}", "{noun}", "{colour} {material} {noun}"),
    "zh": ("{colour}{noun}", "{material}{noun}", "{brand}{noun}", "{noun}", "{colour}{material}{noun}"),
}
REVIEWS = {
    "en": {
        1: ("Broke after a week. I would not buy this {noun} again.",
            "Very poor. It arrived damaged and is useless for {use}.",
            "The worst {noun} I ever had, and {brand} never answered."),
        2: ("Not what I hoped for; the {material} feels cheap.", "The {colour} is much paler than in the picture.",
            "I expected more from {brand}. Disappointing for {use}."),
        3: ("It is fine. The {noun} does its job.", "Average quality for the price, the {colour} is all right.",
            "Neither good nor bad; useful for {use} now and then."),
        4: ("Good {noun}, I like the {colour}.", "Solid {material}, well made, though delivery took long.",
            "Works well for {use}. I would buy from {brand} again."),
        5: ("Wonderful {noun}! Perfect for {use}.", "Excellent {material}, and a beautiful {colour}. I love it.",
            "My favourite {noun} by far; thank you, {brand}!"),
    },
    "zh": {
        1: ("用了一周就坏了，这款{noun}不会再买。", "质量很差，收到时已经破损。",
            "最糟糕的{noun}，{brand}的客服也不回复。"),
        2: ("不如预期，{material}感觉很廉价。", "{colour}比图片浅很多，有点失望。",
            "对{brand}期待更高，不太适合{use}。"),
        3: ("还可以，{noun}够用。", "这个价格质量一般，{colour}还行。", "不好不坏，偶尔用用。"),
        4: ("不错的{noun}，喜欢这个{colour}。", "{material}很扎实，做工好，就是物流慢了点。",
            "很好用，还会再买{brand}。"),
        5: ("非常好的{noun}！很适合{use}。", "{material}质感一流，{colour}很漂亮，太喜欢了。",
            "最喜欢的{noun}，谢谢{brand}！"),
    },
}  # fmt: skip


def mistyped(text: str, dice: Random) -> str:
    """A text with one letter within it left out, doubled, or swapped with the next; two letters have none within."""
    if len(text) < 3:
        return text
    at = dice.randrange(1, len(text) - 1)
    wrong = ("", text[at] * 2, text[at + 1] + text[at])[way := dice.randrange(3)]
    return text[:at] + wrong + text[at + (2 if way == 2 else 1) :]
