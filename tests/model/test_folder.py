"""A model's folder: what was written is read, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertModel

from recsynth.errors import ModelError
from recsynth.model.encoders import load_encoder
from recsynth.model.folder import MANIFEST, TOWERS, link, read_card, read_model, write_model
from recsynth.model.towers import ImageMap
from tests.model.tiny import tiny_model, write_encoder

TEXTS = ["red thing1", "红色茶杯", "blue"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model that was changed in every tower, then written."""
    model = tiny_model(tmp_path / "encoder")
    model.text.centre_on(model.text.encode_plain(TEXTS))
    with torch.no_grad():
        model.user.query_D.fill_(0.25)
        model.log_scale.fill_(2.0)
        model.bias.fill_(-1.5)
    write_model(model, tmp_path / "model", {"metrics": {"ndcg_before": 0.1, "ndcg_after": 0.2}})
    return tmp_path / "model"


def test_the_model_that_is_read_is_the_model_that_was_written(folder: Path, tmp_path: Path) -> None:
    model = read_model(folder)
    assert not model.training
    assert read_card(folder)["metrics"] == {"ndcg_before": 0.1, "ndcg_after": 0.2}
    assert link(folder) == (pytest.approx(float(torch.tensor(2.0).exp())), -1.5)
    again = tmp_path / "again"
    write_model(model, again, read_card(folder))
    other = read_model(again)
    assert (model.text.encode(TEXTS) == other.text.encode(TEXTS)).all()
    assert all((a == b).all() for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True))


def test_the_version_follows_weights_and_card(tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "encoder")
    first, same = (write_model(model, tmp_path / n, {"base": "tiny"}) for n in ("a", "b"))
    other_card = write_model(model, tmp_path / "c", {"base": "other"})
    with torch.no_grad():
        model.bias.add_(1.0)
    assert first == same
    assert len({first, other_card, write_model(model, tmp_path / "d", {"base": "tiny"})}) == 3


def test_without_a_manifest_it_is_no_model(folder: Path) -> None:
    (folder / MANIFEST).unlink()
    with pytest.raises(ModelError, match=r"expected a model with manifest\.json, found none"):
        read_model(folder)


def test_half_a_manifest_is_none(folder: Path) -> None:
    (folder / MANIFEST).write_text((folder / MANIFEST).read_text()[:40])
    with pytest.raises(ModelError, match=r"manifest\.json: expected"):
        read_model(folder)


@pytest.mark.parametrize("name", [TOWERS, "encoder/model.safetensors", "card.json"])
def test_a_flipped_bit_is_named_with_both_checksums(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=rf"{name}: expected sha256 [0-9a-f]{{64}}, found [0-9a-f]{{64}}"):
        read_model(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / TOWERS).unlink()
    with pytest.raises(ModelError, match=f"{TOWERS}: expected sha256 [0-9a-f]+, found no such file"):
        read_model(folder)


def test_an_encoder_that_is_neither_folder_nor_cached() -> None:
    with pytest.raises(ModelError, match="encoder no/such-model: expected a folder or a cached model"):
        load_encoder("no/such-model")


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    path = Path(write_encoder(tmp_path / "pickled"))
    torch.save(BertModel.from_pretrained(path).state_dict(), path / "pytorch_model.bin")
    (path / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"expected weights as safetensors, found .*pytorch_model\.bin"):
        load_encoder(str(path))


def test_code_that_a_folder_brings_is_refused_and_does_not_run(tmp_path: Path) -> None:
    tiny_model(tmp_path / "encoder")
    config = tmp_path / "encoder" / "config.json"
    named = {"AutoConfig": "evil.EvilConfig", "AutoModel": "evil.Evil", "AutoTokenizer": ["evil.Evil", None]}
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_type": "evil", "auto_map": named}))
    (tmp_path / "encoder" / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(ModelError, match="expected a folder or a cached model"):
        load_encoder(str(tmp_path / "encoder"))
    assert not (tmp_path / "ran").exists()


def test_a_map_of_pictures_is_read_as_it_was_written(tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "encoder")
    model.image = ImageMap(3, model.text.embedding_size)
    with torch.no_grad():
        model.image.weight_DI.normal_()
        model.image.mean_I.fill_(0.5)
    write_model(model, tmp_path / "model", {})
    pictures = [np.array([1.0, 2.0, 3.0]), None, np.array([3.0, 2.0, 1.0])]
    found = read_model(tmp_path / "model").encode(TEXTS, pictures)
    assert (found == model.encode(TEXTS, pictures)).all()
    assert not np.allclose(found[0], model.text.encode(TEXTS)[0], atol=0.01)


@pytest.mark.parametrize(("dimensions", "layers"), [(6, 0), (0, 2), (8, 1)])
def test_a_model_of_another_shape_is_read_as_it_was_written(tmp_path: Path, dimensions: int, layers: int) -> None:
    model = tiny_model(tmp_path / "encoder", dimensions=dimensions, layers=layers)
    if layers:
        torch.nn.init.ones_(model.user.context.gate)  # type: ignore[union-attr]
    write_model(model, tmp_path / "model", {})
    again = read_model(tmp_path / "model")
    assert again.text.encode(["red thing1"]) == pytest.approx(model.text.encode(["red thing1"]), abs=1e-6)
    size = dimensions or model.text.hidden_size
    history = torch.randn(2, 5, size), torch.full((2, 5), 5), torch.ones(2, 5)
    assert again.user(*history).detach().numpy() == pytest.approx(model.user(*history).detach().numpy(), abs=1e-6)


def test_half_precision_weights_learn_in_single(tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "encoder")
    model.text.encoder.half().save_pretrained(tmp_path / "encoder")
    encoder, _ = load_encoder(str(tmp_path / "encoder"))
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}


def test_a_tokenizer_without_padding_is_refused(tmp_path: Path) -> None:
    path = Path(write_encoder(tmp_path / "unpadded"))
    settings = path / "tokenizer_config.json"
    settings.write_text(settings.read_text().replace('"pad_token": "[PAD]"', '"pad_token": null'))
    with pytest.raises(ModelError, match="expected a tokenizer with a padding token, found none"):
        load_encoder(str(path))
