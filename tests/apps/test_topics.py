"""Topics: texts that lie close together are one, named by their own words; names last from night to night."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsynth.apps.settings import FoundTopicSettings
from recsynth.apps.topics import Spoken, Topic, kept_names, nearest, topics_of
from recsynth.model.encoders import load_encoder
from recsynth.model.towers import TextTower

LEAST = FoundTopicSettings(least_texts=8)
NOBODY = Spoken([], np.zeros((0, 0)))


def around(centre: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """n unit vectors close to a direction of their own."""
    made = rng.normal(0, 0.05, (n, 12))
    made[:, centre] += 1
    unit: np.ndarray = made / np.linalg.norm(made, axis=1, keepdims=True)
    return unit


def planted() -> tuple[list[str], np.ndarray, list[int]]:
    """Twenty texts on a crashing app, twelve on late parcels, and ten that are about nothing in common."""
    rng = np.random.default_rng(0)
    texts = [f"the app crashes on phone {n} at login" for n in range(20)]
    texts += [f"the parcel number {n} was late" for n in range(12)]
    texts += [f"the word{chr(97 + n)} alone" for n in range(10)]
    noise = rng.normal(0, 1, (10, 12))
    vectors = np.vstack([around(0, 20, rng), around(1, 12, rng), noise / np.linalg.norm(noise, axis=1, keepdims=True)])
    return texts, vectors.astype(np.float32), [0] * 20 + [1] * 12 + [-1] * 10


def test_planted_topics_are_found_and_named_by_their_words() -> None:
    texts, vectors, true = planted()
    first, second = topics_of(Spoken(texts, vectors), NOBODY, LEAST)
    # Nine in ten are within reach by its definition; a text about nothing may lie close by chance.
    assert first.texts in range(18, 23)
    assert second.texts in range(10, 15)
    assert set(first.words[:3]) <= {"app", "crashes", "phone", "login", "at", "on"}
    assert {"parcel", "late"} <= set(second.words[:4])
    # What texts of known topics say too tells none apart.
    known = [f"the staff on the phone were friendly at {n}" for n in range(200)]
    elsewhere = Spoken(known, around(2, 200, np.random.default_rng(1)).astype(np.float32))
    named = topics_of(Spoken(texts, vectors), elsewhere, LEAST)[0]
    assert set(named.words[:3]) == {"app", "crashes", "login"}
    # Known texts lie far away: whatever is nearer than they are belongs to it.
    assert named.reach < 0.3 < first.reach
    assert all("app crashes" in text for text in first.examples)
    best, cosine = nearest(vectors, np.stack([first.centre_D, second.centre_D]), np.array([first.reach, second.reach]))
    is_of = np.array(true) >= 0
    # Noise is not within reach.
    assert (best[is_of] == np.array(true)[is_of]).mean() >= 0.85
    assert (best[~is_of] == -1).all()
    assert cosine[is_of].min() > 0.9


def test_topics_do_not_depend_on_the_run_and_fewer_texts_than_asked_for_are_none() -> None:
    texts, vectors, _ = planted()
    once, again = (topics_of(Spoken(texts, vectors), NOBODY, LEAST) for _ in range(2))
    assert [t.words for t in once] == [t.words for t in again]
    (only,) = topics_of(Spoken(texts, vectors), NOBODY, FoundTopicSettings(least_texts=15))
    # Of fifteen or more that lie close; whoever is within its reach belongs to it.
    assert only.texts in range(13, 23)
    assert topics_of(Spoken(texts[:7], vectors[:7]), NOBODY, LEAST) == []
    one = FoundTopicSettings(least_texts=8, max_topics=1)
    assert len(topics_of(Spoken(texts, vectors), NOBODY, one)) == 1


@pytest.mark.parametrize(("new", "drawn"), [(1, 0), (4, 1)])
def test_questions_that_nobody_named_come_apart_by_what_they_ask(real_data: Path, new: int, drawn: int) -> None:
    """Intents of banking77, 60 questions each, and 40 of others: one is found as one, four as four or little more."""
    rows = pd.read_csv(real_data / "banking77" / "train.csv")
    names = np.random.default_rng(drawn).permutation(sorted(rows["category"].unique()))
    asked = rows[rows["category"].isin(names[:new])].groupby("category").head(60)
    others = rows[rows["category"].isin(names[new : new + 15])].sample(340, random_state=drawn)
    unknown, known = pd.concat([asked, others[:40]]), others[40:]
    tower = TextTower(*load_encoder("minilm"), 64).eval()
    vectors, known_vectors = (tower.encode(part["text"].tolist()) for part in (unknown, known))
    found = topics_of(Spoken(unknown["text"].tolist(), vectors), Spoken(known["text"].tolist(), known_vectors),
                      FoundTopicSettings())  # fmt: skip
    best, _ = nearest(vectors, np.stack([t.centre_D for t in found]), np.array([t.reach for t in found]))
    told = unknown.assign(found=best)[best >= 0].groupby("found")["category"]
    assert set(told.agg(lambda c: c.mode()[0])) == set(names[:new])
    assert len(found) <= 1.5 * new
    assert told.agg(lambda c: (c == c.mode()[0]).mean()).min() > 0.7
    assert (best[: len(asked)] >= 0).mean() > 0.7


def topic(centre: list[float], *words: str) -> Topic:
    return Topic(words, np.array(centre, np.float32), 0.5, 9, ())


def test_a_topic_keeps_the_name_of_the_night_before_and_no_two_have_one() -> None:
    before = [("crashes, app, login", np.array([1, 0], np.float32))]
    near, far = topic([0.9, 0.4359], "app", "update", "phone"), topic([0, 1], "late", "parcel", "week")
    assert kept_names([far, near], before, 0.8) == ["late, parcel, week", "crashes, app, login"]
    assert kept_names([near], before, 0.95) == ["app, update, phone"]
    # Two that would keep one name: the nearer does; and names that are alike get a number.
    nearer = topic([1, 0], "login", "app", "fails")
    assert kept_names([near, nearer], before, 0.8) == ["app, update, phone", "crashes, app, login"]
    assert kept_names([far, topic([1, 0], "late", "parcel", "week")], [], 0.8)[1] == "late, parcel, week (2)"
    assert kept_names([topic([1, 0])], [], 0.8) == ["unnamed"]


@pytest.mark.parametrize("texts", [["", "", ""] * 5, ["😀"] * 15])
def test_texts_without_words_have_a_topic_without_a_name(texts: list[str]) -> None:
    found = topics_of(Spoken(texts, np.tile(np.eye(4, dtype=np.float32)[0], (15, 1))), NOBODY, LEAST)
    assert all(t.words == () for t in found)
