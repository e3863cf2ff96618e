"""The writer of texts on a language of its own: colours and things, which a tiny encoder reads."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from recsynth.errors import ModelError
from recsynth.model.towers import TextTower
from recsynth.synthesis.text_settings import WriterSettings
from recsynth.synthesis.writer import Example, Writer, _loss, _padded, fit_writer, read_writer, tower_of, write_writer
from tests.model.tiny import COLOURS, write_encoder

SETTINGS = WriterSettings(layers=1, steps=250, batch_size=16, learning_rate=3e-3, dropout=0.0, most_tokens=6)
# Nobody has asked for these, in any colour.
UNSEEN = range(30, 40)


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory) -> TextTower:
    return tower_of(write_encoder(tmp_path_factory.mktemp("encoder")), 16)


@pytest.fixture(scope="module")
def writer(tower: TextTower) -> Writer:
    """Taught that people type the colour and then the thing of a text that says them the other way round."""
    examples = [Example(f"thing{n} {c}", f"{c} thing{n}") for n in range(30) for c in COLOURS]
    return fit_writer(examples, tower, SETTINGS, seed=3)


def drawn(writer: Writer, source: str, seed: int = 1, count: int = 8) -> list[str]:
    return writer.write(writer.read([source])[0], count, seed)


def test_it_learns_what_to_say(writer: Writer) -> None:
    for n, colour in ((3, "red"), (17, "gold")):
        said = drawn(writer, f"thing{n} {colour}")
        assert said.count(f"{colour} thing{n}") >= 6


def test_what_nobody_asked_for_is_copied_from_the_text(writer: Writer) -> None:
    right = [drawn(writer, f"thing{n} blue").count(f"blue thing{n}") >= 4 for n in UNSEEN]
    assert sum(right) >= 8


def test_a_draw_depends_on_its_seed_and_its_text_alone(writer: Writer, tower: TextTower) -> None:
    alone = drawn(writer, "thing5 red", seed=9)
    readings = writer.read(["thing5 red", "thing7 blue and so on and on"])
    assert writer.write(readings[0], 8, 9) == alone
    torch.manual_seed(77)
    assert drawn(writer, "thing5 red", seed=9) == alone
    examples = [Example(f"thing{n} red", f"thing{n}") for n in range(30)]
    unsure = fit_writer(examples, tower, SETTINGS.model_copy(update={"steps": 5}), seed=1)
    assert drawn(unsure, "thing5 red", 9, 64) != drawn(unsure, "thing5 red", 10, 64)


def test_a_written_folder_says_the_same_and_a_changed_one_is_refused(writer: Writer, tmp_path: Path) -> None:
    encoder = str(writer.tower.tokenizer.name_or_path)
    card = {"settings": SETTINGS.model_dump(mode="json"), "encoder": encoder, "max_tokens": 16}
    first = write_writer(writer, tmp_path / "one", card)
    assert write_writer(writer, tmp_path / "two", card) == first
    read = read_writer(tmp_path / "one")
    assert drawn(read, "thing9 green") == drawn(writer, "thing9 green")
    (tmp_path / "two" / "vocabulary.json").write_text("[1, 2]")
    with pytest.raises(ModelError, match=r"vocabulary\.json: expected sha256"):
        read_writer(tmp_path / "two")


def test_the_same_examples_and_seed_teach_the_same(tower: TextTower) -> None:
    examples = [Example("thing1 red", "red thing1"), Example("thing2 blue", "blue thing2")]
    short = SETTINGS.model_copy(update={"steps": 3})
    one, two, other = (fit_writer(examples, tower, short, seed) for seed in (1, 1, 2))
    states = [w.decoder.state_dict() for w in (one, two, other)]
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])
    assert not all(torch.equal(states[0][k], states[2][k]) for k in states[0])


def test_the_loss_is_of_the_mixture_of_saying_and_copying(tower: TextTower) -> None:
    writer = fit_writer([Example("thing1 red", "thing1")], tower, SETTINGS.model_copy(update={"steps": 1}), seed=1)
    writer.decoder.eval()
    (reading,) = writer.read(["thing1 red"])
    (token,) = tower.tokenizer("thing1", add_special_tokens=False)["input_ids"]
    loss = _loss(writer, _padded([type(reading)(*(x[0] for x in vars(reading).values()))]), [[token]])
    first = writer._next(torch.tensor([[writer.start]]), reading)[0, token]
    second = writer._next(torch.tensor([[writer.start, token]]), reading)[0, writer.end]
    assert loss.item() == pytest.approx(-(first.log() + second.log()).item() / 2, abs=1e-5)
    assert writer._next(torch.tensor([[writer.start]]), reading).sum().item() == pytest.approx(1.0, abs=1e-5)


def test_half_words_unknown_tokens_and_unended_texts_are_no_texts(writer: Writer, tower: TextTower) -> None:
    assert writer._text([tower.tokenizer.unk_token_id, 5]) == ""
    assert writer._text([]) == ""
    red_cup = tower.tokenizer("红 茶 杯", add_special_tokens=False)["input_ids"]
    assert writer._text(red_cup) == "红茶杯"
    endless = SETTINGS.model_copy(update={"steps": 1, "most_tokens": 2})
    untaught = fit_writer([Example("thing1", "red red red red")], tower, endless, seed=1)
    assert len(drawn(untaught, "thing1", count=50)) < 50


def test_sources_beyond_the_bound_are_not_learned_from(tower: TextTower) -> None:
    bounded = SETTINGS.model_copy(update={"max_sources": 1, "steps": 1})
    examples = [Example("thing1", "red"), Example("thing2", "blue")]
    vocabulary = set(fit_writer(examples, tower, bounded, seed=1).vocabulary_V.tolist())
    red, blue = (tower.tokenizer(w, add_special_tokens=False)["input_ids"][0] for w in ("red", "blue"))
    assert red in vocabulary
    assert blue not in vocabulary
