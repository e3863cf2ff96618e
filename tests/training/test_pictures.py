"""Pictures: a taste that no text tells is learned from them, and a champion takes up what the catalogue has."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsynth.model.folder import write_model
from recsynth.training.loop import Trainer
from recsynth.training.process import starting_model
from recsynth.training.settings import TrainingSettings
from tests.model.tiny import COLOURS, write_encoder
from tests.training.planted import ITEMS, quick, write_planted

# A colour each, on a ground that all share.
PICTURES = [[1.0, *(0.5 * float(colour == item % len(COLOURS)) for colour in range(len(COLOURS)))]
            for item in range(ITEMS)]  # fmt: skip


def untold(folder: Path, pictures: list[list[float]]) -> Path:
    """The planted shards with texts that leave the colour out."""
    write_planted(folder, images=pictures)
    for path in (folder / "texts").glob("*.parquet"):
        table = pq.read_table(path)
        place = table.column_names.index("text")
        texts = [text.split()[1] for text in table["text"].to_pylist()]
        pq.write_table(table.set_column(place, "text", pa.array(texts)), path)
    return folder


def settings(tmp_path: Path, **changes: object) -> TrainingSettings:
    return quick(encoder=write_encoder(tmp_path / "encoder"), **changes)


@pytest.mark.parametrize(
    "phase",
    [
        pytest.param({"head_steps": 5, "max_steps": 1, "head_items_per_step": 20}, id="while the encoder rests"),
        pytest.param({"max_steps": 5}, id="while it learns"),
        pytest.param({"max_steps": 5, "gradient_chunk": 7}, id="in chunks"),
    ],
)
def test_a_taste_that_pictures_alone_tell_is_learned(tmp_path: Path, phase: dict[str, object]) -> None:
    found = {}
    for name, pictures in (("without", []), ("with", PICTURES)):
        shards, chosen = untold(tmp_path / name, pictures), settings(tmp_path, head_learning_rate=0.05, **phase)
        made = Trainer(starting_model("", shards, chosen), shards, chosen, seed=3)
        found[name] = made.run(tmp_path / f"{name}_checkpoints")
        assert made.validate() == pytest.approx(found[name].best, abs=1e-6)
    # Longer, and the items of a colour are learned by heart from who bought them.
    assert found["with"].best > found["without"].best + 0.2
    assert found["with"].best > found["with"].before + 0.4


def test_a_champion_takes_up_pictures_and_lets_go_of_them(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    plain, shown = untold(tmp_path / "plain", []), untold(tmp_path / "shown", PICTURES)
    first = starting_model("", plain, chosen)
    assert first.image_size == 0
    write_model(first, tmp_path / "first", {})
    second = starting_model(str(tmp_path / "first"), shown, chosen)
    assert second.image_size == len(PICTURES[0])
    assert second.image is not None
    assert second.image.mean_I[0] == 1.0
    second.image.weight_DI.data.fill_(0.5)
    write_model(second, tmp_path / "second", {})
    same = starting_model(str(tmp_path / "second"), shown, chosen)
    assert same.image is not None
    assert (same.image.weight_DI == 0.5).all()
    assert starting_model(str(tmp_path / "second"), plain, chosen).image_size == 0
