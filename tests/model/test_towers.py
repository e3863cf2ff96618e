"""The towers: answers known by reasoning, before anything is learned."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from recsynth.errors import ModelError
from recsynth.model.towers import EVENT_TYPES, ImageMap, UserTower
from tests.model.tiny import EMBEDDING_SIZE, tiny_model

VIEW, PURCHASE = EVENT_TYPES.index("view"), EVENT_TYPES.index("purchase")


def pooled(types: list[int], ages: list[float]) -> np.ndarray:
    """The untrained tower over a history whose place l is the unit vector e_l."""
    vectors_BLD = torch.eye(len(types)).unsqueeze(0)
    with torch.no_grad():
        return UserTower(len(types))(vectors_BLD, torch.tensor([types]), torch.tensor([ages])).numpy()[0]


def test_untrained_a_weight_halves_every_ninety_days() -> None:
    found = pooled([PURCHASE, PURCHASE], [0.0, 90.0])
    assert found == pytest.approx(np.array([2.0, 1.0]) / np.sqrt(5), abs=1e-5)


def test_untrained_a_view_says_less_than_a_purchase() -> None:
    found = pooled([PURCHASE, VIEW], [3.0, 3.0])
    assert found == pytest.approx(np.array([1.0, np.exp(-1.5)]) / np.hypot(1.0, np.exp(-1.5)), abs=1e-5)


def test_padding_says_nothing_and_padding_alone_is_no_nan() -> None:
    assert pooled([PURCHASE, 0], [0.0, 0.0]) == pytest.approx(np.array([1.0, 0.0]), abs=1e-5)
    assert pooled([0, 0], [0.0, 0.0]) == pytest.approx(np.zeros(2))


def test_each_weight_of_the_user_tower_learns() -> None:
    tower = UserTower(4)
    vectors_BLD = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1))
    types_BL, ages_BL = torch.tensor([[1, 2, 5], [5, 5, 0]]), torch.tensor([[9.0, 5.0, 1.0], [2.0, 1.0, 0.0]])
    tower(vectors_BLD, types_BL, ages_BL)[:, 0].sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in tower.parameters())


def test_an_item_is_its_text_and_what_the_map_makes_of_its_picture(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    texts = ["red thing1", "blue thing2", "gold"]
    plain = model.text.encode(texts)
    seen = [np.array([2.0, 0.0]), None, np.array([1.0, 2.0, 3.0])]
    assert (model.encode(texts, seen) == plain).all()
    model.image = ImageMap(2, EMBEDDING_SIZE)
    # Untrained it adds nothing.
    assert model.encode(texts, seen) == pytest.approx(plain, abs=1e-6)
    with torch.no_grad():
        model.image.weight_DI.copy_(torch.ones(EMBEDDING_SIZE, 2) * torch.tensor([3.0, 5.0]))
    found = model.encode(texts, seen)
    expected = (plain[0] + 3.0) / np.linalg.norm(plain[0] + 3.0)
    assert found[0] == pytest.approx(expected, abs=1e-5)
    # Neither an item without a picture nor one with a picture of another size has anything added.
    assert found[1:] == pytest.approx(plain[1:], abs=1e-6)


def test_pictures_are_told_from_what_they_share() -> None:
    image = ImageMap(2, 2)
    pictures = np.array([[4.0, 1.0], [4.0, -1.0], [0.0, 0.0]], np.float32)
    image.centre_on(pictures)
    with torch.no_grad():
        image.weight_DI.copy_(torch.eye(2))
        found = image(torch.from_numpy(pictures)).numpy()
    # The mean is that of the two that are there, (4, 0).
    assert found == pytest.approx(np.array([[0.0, 1.0], [0.0, -1.0], [0.0, 0.0]]), abs=1e-6)
    image.centre_on(np.zeros((3, 2), np.float32))
    assert image.mean_I.tolist() == [4.0, 0.0]


def test_texts_become_unit_vectors_in_their_own_order(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    texts = ["red thing1", "红色茶杯", "", "blue " * 500, "gold"]
    together = model.text.encode(texts, batch_size=2)
    assert together.shape == (5, EMBEDDING_SIZE)
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    alone = np.concatenate([model.text.encode([t]) for t in texts])
    assert together == pytest.approx(alone, abs=1e-5)


@pytest.mark.parametrize("side", ["right", "left"])
def test_remembered_tokens_are_those_of_the_tokenizer_and_are_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    tower = tiny_model(tmp_path).text
    tower.tokenizer.padding_side = side
    texts = ["red thing1", "红色茶杯", "", "blue " * 500, "gold", "gold"]
    plain = tower.encode(texts)
    expected = tower._tokens(texts)
    tower.remember_tokens()
    assert tower.encode(texts) == pytest.approx(plain, abs=1e-6)
    found = tower._known_tokens(texts, {})
    assert all(torch.equal(found[name], expected[name]) for name in ("input_ids", "attention_mask"))
    monkeypatch.setattr(tower, "tokenizer", SimpleNamespace(pad_token_id=0, padding_side=side))
    assert tower.encode(texts[::-1]) == pytest.approx(plain[::-1], abs=1e-6)


def test_chinese_texts_differ_by_what_they_say(tmp_path: Path) -> None:
    red, blue, again = tiny_model(tmp_path).text.encode(["红色茶杯", "蓝色杯子", "红色茶杯"])
    assert red @ again == pytest.approx(1.0, abs=1e-5)
    assert red @ blue < 0.999


def test_centring_spreads_the_catalogue(tmp_path: Path) -> None:
    tower, texts = tiny_model(tmp_path).text, [f"red thing{i}" for i in range(20)]
    raw = np.concatenate([tower.pooled([t]).detach().numpy() for t in texts])
    before = tower.encode(texts)
    tower.centre_on(tower.encode_plain(texts))
    assert tower.mean_D.numpy() == pytest.approx(raw.mean(0), abs=1e-5)
    assert np.linalg.norm(tower.encode(texts).mean(0)) < 0.5 * np.linalg.norm(before.mean(0))


def test_the_link_is_scale_times_product_plus_bias(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    logits = model.logits(torch.eye(2, EMBEDDING_SIZE), torch.eye(3, EMBEDDING_SIZE)).detach().numpy()
    assert logits == pytest.approx(10 * np.eye(2, 3) - 4, abs=1e-4)


def test_the_projection_begins_with_the_principal_components_of_the_catalogue(tmp_path: Path) -> None:
    texts = [f"{colour} thing{i}" for i in range(20) for colour in ("red", "blue", "gold")]
    whole, small = tiny_model(tmp_path).text, tiny_model(tmp_path, dimensions=6).text
    assert (whole.embedding_size, small.embedding_size) == (EMBEDDING_SIZE, 6)
    for tower in (whole, small):
        tower.centre_on(tower.encode_plain(texts))
    full_MH, cut_MD = whole.encode(texts), small.encode(texts)
    assert np.linalg.norm(cut_MD, axis=1) == pytest.approx(np.ones(60), abs=1e-5)
    # scikit-learn's way: the first right singular vectors span the same room, and angles in it are the same.
    axes = np.linalg.svd(full_MH, full_matrices=False)[2][:6]
    expected = full_MH @ axes.T
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert cut_MD @ cut_MD.T == pytest.approx(expected @ expected.T, abs=1e-3)
    # It keeps the angles better than the encoder's own first numbers do.
    first = full_MH[:, :6] / np.linalg.norm(full_MH[:, :6], axis=1, keepdims=True)
    true = full_MH @ full_MH.T
    assert np.abs(cut_MD @ cut_MD.T - true).mean() < np.abs(first @ first.T - true).mean()


def test_a_new_centre_leaves_the_projection_as_it_learned(tmp_path: Path) -> None:
    tower, texts = tiny_model(tmp_path, dimensions=6).text, ["red thing1", "blue thing2", "gold thing3"]
    tower.centre_on(tower.encode_plain(texts))
    with torch.no_grad():
        tower.projection_HD.mul_(2.0)  # type: ignore[union-attr]
    before = tower.projection_HD.clone()  # type: ignore[union-attr]
    tower.recentre_on(tower.encode_plain(texts[:1]))
    assert torch.equal(tower.projection_HD, before)  # type: ignore[arg-type]
    assert tower.mean_D.numpy() == pytest.approx(tower.encode_plain(texts[:1])[0], abs=1e-6)


def test_more_dimensions_than_the_encoder_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"expected at most the encoder's {EMBEDDING_SIZE}, found 100"):
        tiny_model(tmp_path, dimensions=100)


def histories(rows: int, length: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    made = torch.Generator().manual_seed(1)
    vectors_BLD = torch.nn.functional.normalize(torch.randn(rows, length, 8, generator=made), dim=-1)
    ages = torch.arange(length, 0, -1).float().expand(rows, length)
    return vectors_BLD, torch.full((rows, length), PURCHASE), ages.contiguous()


def test_untrained_attention_changes_nothing_and_padding_never_does() -> None:
    torch.manual_seed(0)
    tower, plain = UserTower(8, layers=2, length=6).eval(), UserTower(8).eval()
    vectors_BLD, types_BL, ages_BL = histories(3, 6)
    assert torch.equal(tower(vectors_BLD, types_BL, ages_BL), plain(vectors_BLD, types_BL, ages_BL))
    with torch.no_grad():
        tower.context.gate.fill_(1.0)  # type: ignore[union-attr]
    alone = tower(vectors_BLD, types_BL, ages_BL)
    behind = [
        torch.nn.functional.pad(x, (0, 0, 0, 4) if x.ndim == 3 else (0, 4)) for x in (vectors_BLD, types_BL, ages_BL)
    ]
    behind[0][:, 6:] = 7.0
    assert tower(*behind).detach().numpy() == pytest.approx(alone.detach().numpy(), abs=1e-5)
    empty = tower(vectors_BLD, torch.zeros_like(types_BL), ages_BL)
    assert torch.isfinite(empty).all()


@pytest.mark.parametrize("layers", [0, 1])
def test_attention_learns_what_depends_on_order_and_the_pool_cannot(layers: int) -> None:
    """Wanted is the item bought first, where all ages, types and items are alike but for their order."""
    torch.manual_seed(0)
    tower = UserTower(8, layers=layers, length=4)
    vectors_BLD, types_BL, ages_BL = histories(256, 4)
    ages_BL = torch.ones_like(ages_BL)
    optimizer = torch.optim.Adam(tower.parameters(), 1e-2)
    for _ in range(150):
        found_BD = tower(vectors_BLD[:192], types_BL[:192], ages_BL[:192])
        loss = -(found_BD * vectors_BLD[:192, 0]).sum(-1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    tower.eval()
    found_BD = tower(vectors_BLD[192:], types_BL[192:], ages_BL[192:])
    cosine = (found_BD * vectors_BLD[192:, 0]).sum(-1).mean().item()
    assert (cosine > 0.75) == bool(layers)
