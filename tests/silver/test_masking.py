"""Masking: what was planted is found, what only looks like it stays."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from recsynth.silver.masking import masked
from tests.silver.test_clean import Lake
from tests.silver.test_tickets import TICKETS, asked
from tests.sources import EVENTS, event, settings, write_jsonl

SENTENCES = (
    "Please write to me at {}.", "{} is mine, thanks", "My number ({}) has changed", "it broke. {}", "call:{}!",
    "请联系 {} 谢谢", "Reach me:\n{}\nbefore noon", "\"{}\"", "{}, or by post",
)  # fmt: skip
MAILS = (
    "anna.berg@example.org", "o'brien+shop@mail.example.co.uk", "USER_99@EXAMPLE.COM", "jörg@müller.example",
    "a@b.io", "first.last%dept@sub-domain.example.museum",
)  # fmt: skip
PHONES = (
    "+49 30 1234567", "+44 (0)20 7946 0018", "+1-202-555-0143", "0049 171 1234567", "030 1234567", "089/12345678",
    "(030) 123 4567", "0171-1234567", "+86 138 0013 8000", "01632 960 983", "(202) 555-0143", "+33 1 23 45 67 89",
)  # fmt: skip
# Numbers that their issuers publish for tests.
CARDS = (
    "4111 1111 1111 1111", "5500-0055-5555-5559", "378282246310005", "6011111111111117", "3530 1113 3330 0000",
    "2223003122003222",
)  # fmt: skip
ACCOUNTS = (
    "DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819", "FR14 2004 1010 0505 0001 3M02 606",
    "NL91 ABNA 0417 1643 00", "NO93 8601 1117 947", "de89370400440532013000", "MT84MALT011000012345MTLCAST001S",
)  # fmt: skip
KINDS = {"mail": MAILS, "phone": PHONES, "card": CARDS, "account": ACCOUNTS}
PLANTED = [(kind, value) for kind, values in KINDS.items() for value in values]
CLEAN = (
    "Order 536365 came on 2024-05-01 at 10:30", "article 85123A, size 38-40, EAN 4006381333931", "5 x 0.75 l for 12.99",
    "invoice 2024/00017 of 01.05.2024", "I am 1,80 m and 75 kg", "50-60 cm, 100% cotton, model DE12 3456",
    "ISBN 978-3-16-148410-0", "O0001234567 was sent twice", "version 10.0.19041 at 192.168.0.1", "rated 5/5 @ home",
    "batch 4111 1111 1111 1112", "GB29NWBK60161331926818 is no account", "tracking 00340434161094042557",
    "2024-05-01T10:30:00+02:00", "ask for red & blue @night", "1234567890123456", "0.5 0.25 0.125", "0800 mg",
)  # fmt: skip


def run(spark: SparkSession, texts: list[str | None]) -> list[str | None]:
    rows = spark.createDataFrame(list(enumerate(texts)), "n int, text string")
    return [r.text for r in rows.select("n", masked(F.col("text")).alias("text")).orderBy("n").collect()]


def test_everything_planted_is_found_and_the_sentence_around_it_stays(spark: SparkSession) -> None:
    pairs = [(kind, value, sentence) for kind, value in PLANTED for sentence in SENTENCES]
    found = run(spark, [sentence.format(value) for _, value, sentence in pairs])
    expected = [sentence.format(f"[{kind}]") for kind, _, sentence in pairs]
    # In an apostrophe's name the part before it stays: "o'[mail]".
    wrong = [(e, f) for e, f in zip(expected, found, strict=True) if str(f).replace("o'[mail]", "[mail]") != e]
    assert wrong == []


def test_what_only_looks_like_it_stays_as_it_is(spark: SparkSession) -> None:
    assert run(spark, list(CLEAN)) == list(CLEAN)


def test_several_in_one_text_and_none_and_null(spark: SparkSession) -> None:
    two = "a@b.io, c@d.io, +49 30 1234567 or +49 30 1234567; 4111111111111111"
    assert run(spark, [two, "", None, "nothing"]) == ["[mail], [mail], [phone] or [phone]; [card]", "", None, "nothing"]


@pytest.mark.parametrize("kind", ["card", "account"])
def test_numbers_with_a_wrong_check_digit_are_not_masked(spark: SparkSession, kind: str) -> None:
    draw = random.Random(0)
    values = [value for k, value in PLANTED if k == kind]
    changed = []
    for value in values:
        places = [i for i, c in enumerate(value) if c.isdigit() and i > 4]
        at = draw.choice(places)
        changed.append(value[:at] + str((int(value[at]) + 1) % 10) + value[at + 1 :])
    assert not [text for text in run(spark, changed) if f"[{kind}]" in str(text)]


def test_a_text_of_a_megabyte_ends(spark: SparkSession) -> None:
    (text,) = run(spark, ["0 " * 500_000 + "a@b.io"])
    assert text is not None
    assert text.endswith("[mail]")


@pytest.mark.parametrize("is_on", [True, False])
def test_silver_has_no_such_thing_in_what_people_write_and_bronze_keeps_it(
    spark: SparkSession, tmp_path: Path, is_on: bool
) -> None:
    said = "write to a@b.io"
    reviews = EVENTS | {"path": "events/e*.jsonl", "columns": EVENTS["columns"] | {"text": "text"}}
    write_jsonl(tmp_path, "e.jsonl", [event("e1", event_type="comment", text=said),
                                      event("e2", event_type="search", query=said)])  # fmt: skip
    write_jsonl(tmp_path, "t.jsonl", [asked("t", question=said, answer="We wrote to shop@b.io.")])
    lake = Lake(spark, settings(tmp_path, reviews, TICKETS, silver={"mask_texts": is_on}))
    lake.run()
    expected = "write to [mail]" if is_on else said
    assert {(r.text, r["query"]) for r in lake.tables["events"].collect()} == {(expected, None), (None, expected)}
    assert [(r.question, r.answer) for r in lake.tables["tickets"].collect()] == [(expected, "We wrote to shop@b.io.")]
    assert all(said in r.raw for r in lake.tables["rows"].collect())


@pytest.mark.slow
def test_real_texts_without_such_things_stay_as_they_are(spark: SparkSession, real_data: Path) -> None:
    names = ("clothing_reviews", "banking77", "product_reviews_absa", "clinc150", "fin_tweets_sentiment",
             "fin_tweets_topic")  # fmt: skip
    files = {name: [p for p in sorted((real_data / name).rglob("*")) if p.is_file()] for name in names}
    assert all(files.values())
    lines = [line for name in names for p in files[name] for line in p.read_text("utf-8", "replace").splitlines()]
    rows = spark.createDataFrame([(line,) for line in lines], "text string").repartition(4)
    changed = rows.withColumn("masked", masked(F.col("text"))).where("masked <> text").collect()
    assert len(lines) > 100_000
    # Two lines do hold a mail address; hours written as 0600-0700 are taken for a telephone.
    assert len([r for r in changed if "[mail]" in r.masked and "@" in r.text]) == 2
    assert len([r for r in changed if "[mail]" not in r.masked]) <= 1
