"""The generator learns two planted tastes, is the same for the same seed, and survives its folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from recsynth.errors import ModelError
from recsynth.synthesis.autoencoder import fit_autoencoder
from recsynth.synthesis.draw import BINS, mixed
from recsynth.synthesis.fitting import fit
from recsynth.synthesis.gan import _Generator, fit_gan, gaussian
from recsynth.synthesis.gan_settings import GanSettings
from recsynth.synthesis.generator import (
    BLOCK,
    GAN,
    GAUSSIAN,
    INDEPENDENT,
    Generator,
    generate,
    item_weights,
    read_generator,
    write_generator,
)
from recsynth.synthesis.mixing import fit_mix, split
from recsynth.synthesis.settings import SynthesisSettings
from tests.synthesis.planted import ITEMS, two_tastes

QUICK = GanSettings(steps=150, hidden_size=32, batch_size=64, learning_rate=2e-3)
SETTINGS = SynthesisSettings(latent_size=2, item_l2=5.0, neighbours=ITEMS, calibration_rounds=1, gan=QUICK)


@pytest.fixture(scope="module")
def rows() -> sp.csr_matrix:
    return two_tastes(400, seed=1)


@pytest.fixture(scope="module")
def fitted(rows: sp.csr_matrix) -> Generator:
    return fit(rows, [f"i{n}" for n in range(ITEMS)], SETTINGS, seed=3)


def purity(found: sp.csr_matrix) -> float:
    """Mean share of a user's items that are of the user's greater taste; two items or more."""
    many = found[np.diff(found.indptr) > 2].toarray()
    first = many[:, : ITEMS // 2].sum(1) / many.sum(1)
    return float(np.maximum(first, 1 - first).mean())


def test_drawn_users_have_one_taste_each_as_the_real_have(rows: sp.csr_matrix, fitted: Generator) -> None:
    segments, drawn = fitted.users(GAN, 0, seed=5)
    assert purity(rows) == 1.0
    assert purity(drawn) > 0.9
    assert purity(fitted.users(INDEPENDENT, 0, seed=5)[1]) < 0.8
    assert purity(drawn) > purity(fitted.users(GAUSSIAN, 0, seed=5)[1])
    # Both tastes are there.
    first = drawn[:, : ITEMS // 2].sum() / drawn.nnz
    assert 0.3 < first < 0.7
    assert set(segments) == {"light", "middle", "heavy"}


def test_activity_is_that_of_the_people_learned_from(rows: sp.csr_matrix, fitted: Generator) -> None:
    drawn = np.diff(fitted.users(GAN, 0, seed=5)[1].indptr)
    assert np.median(drawn) == pytest.approx(np.median(np.diff(rows.indptr)), abs=1)
    assert len(drawn) == BLOCK


def test_a_block_depends_on_its_number_and_seed_alone(fitted: Generator) -> None:
    once, again, other, later = (fitted.users(GAN, block, seed)[1] for block, seed in ((1, 5), (1, 5), (2, 5), (1, 6)))
    assert (once != again).nnz == 0
    assert (once != other).nnz > 0
    assert (once != later).nnz > 0


def test_the_same_seed_fits_the_same_generator(rows: sp.csr_matrix, fitted: Generator) -> None:
    again = fit(rows, fitted.items, SETTINGS, seed=3)
    assert again.arrays.keys() == fitted.arrays.keys()
    assert all(np.array_equal(again.arrays[name], fitted.arrays[name]) for name in again.arrays)


def test_a_generator_comes_back_from_its_folder_and_a_changed_one_is_refused(fitted: Generator, tmp_path: Path) -> None:
    version = write_generator(fitted, tmp_path / "one", {"seed": 3})
    assert write_generator(fitted, tmp_path / "two", {"seed": 3}) == version
    assert write_generator(fitted, tmp_path / "two", {"seed": 4}) != version
    read = read_generator(str(tmp_path / "one"))
    assert (read.users(GAN, 0, 5)[1] != fitted.users(GAN, 0, 5)[1]).nnz == 0
    (tmp_path / "two" / "items.json").write_text(json.dumps(["other"]))
    with pytest.raises(ModelError, match=r"items\.json: expected sha256"):
        read_generator(str(tmp_path / "two"))


def test_the_gan_in_numpy_is_the_gan_in_torch() -> None:
    torch.manual_seed(1)
    module = _Generator(np.ones((4, 3), np.float32), np.ones(3, np.float32), hidden=5)
    arrays = {name: p.detach().numpy() for name, p in module.named_parameters()}
    condition = np.arange(6.0, dtype=np.float32)
    torch.manual_seed(2)
    made = module(torch.from_numpy(condition[:, None])).detach().numpy()
    torch.manual_seed(2)
    noise = torch.randn(6, 3).numpy()
    assert generate(arrays, noise, condition) == pytest.approx(made, abs=1e-5)


def test_the_gaussian_fit_has_the_mean_and_covariance_of_the_tastes() -> None:
    rng = np.random.default_rng(0)
    condition = rng.normal(size=20_000)
    taste = np.column_stack([condition + rng.normal(size=20_000), 2 + 0.5 * rng.normal(size=20_000)])
    weights, bias = gaussian(taste, condition)
    made = np.column_stack([rng.normal(size=(20_000, 2)), condition]) @ weights + bias
    assert made.mean(0) == pytest.approx(taste.mean(0), abs=0.05)
    assert np.cov(made.T) == pytest.approx(np.cov(taste.T), abs=0.06)


def test_the_gan_finds_two_camps_where_the_gaussian_sees_one_middle() -> None:
    rng = np.random.default_rng(0)
    taste = (rng.choice([-1.0, 1.0], 1000) + 0.1 * rng.normal(size=1000))[:, None]
    condition = rng.normal(size=1000)
    settings = GanSettings(steps=400, hidden_size=32, batch_size=128, learning_rate=3e-3)
    arrays = fit_gan(taste, condition, settings, seed=1)
    noise = rng.standard_normal((1000, 1))
    found = generate(arrays, noise, rng.normal(size=1000)).ravel()
    made = np.abs(found)
    weights, bias = gaussian(taste, condition)
    flat = np.abs(np.column_stack([noise, condition]) @ weights + bias)
    assert (made < 0.5).mean() < 0.2
    assert (flat < 0.5).mean() > 0.3
    assert np.median(made) == pytest.approx(1.0, abs=0.2)
    assert 0.35 < (found > 0).mean() < 0.65


def test_the_autoencoder_tells_the_tastes_apart_and_standardises(rows: sp.csr_matrix) -> None:
    coder = fit_autoencoder(rows, size=2, l2=0.01, seed=1)
    latent = coder.encode(rows)
    assert latent.mean(0) == pytest.approx(np.zeros(5), abs=1e-4)
    assert latent.std(0) == pytest.approx(np.ones(5), abs=1e-3)
    logits = coder.decode(latent)
    own, other = logits[0, : ITEMS // 2].mean(), logits[0, ITEMS // 2 :].mean()
    assert own > other + 1  # the first user is of the first taste


def test_what_of_a_history_is_known_and_what_is_left_make_the_whole(rows: sp.csr_matrix) -> None:
    part, rest = split(rows, np.random.default_rng(0))
    assert ((part + rest) != rows).nnz == 0
    assert np.diff(rest.indptr).min() >= 1


def test_the_mix_leans_on_what_tells_the_rest(rows: sp.csr_matrix) -> None:
    weights = item_weights(rows, 5.0, ITEMS)
    blind = np.zeros(rows.shape, np.float32)
    mix = fit_mix(two_tastes(200, seed=9), blind, weights, seed=1)
    part, rest = split(two_tastes(200, seed=8), np.random.default_rng(1))
    drawn = np.diff(part.indptr)
    scores = mixed(blind[:200], (part @ weights).toarray(), drawn, mix)
    known = drawn > 0
    chance = np.exp(scores - scores.max(1, keepdims=True))
    right = (chance * (rest.toarray() > 0)).sum(1) / chance.sum(1)
    uniform = np.diff(rest.indptr) / ITEMS
    assert right[known].mean() > 1.5 * uniform[known].mean()


def test_of_item_weights_the_greatest_are_kept(rows: sp.csr_matrix) -> None:
    whole, few = item_weights(rows, 5.0, ITEMS).toarray(), item_weights(rows, 5.0, 3).toarray()
    for row, kept in zip(whole, few, strict=True):
        assert np.count_nonzero(kept) <= 3
        assert np.abs(kept).max() == pytest.approx(np.abs(row).max())
        assert set(kept[kept != 0]) <= set(row)


def test_users_of_one_item_each_can_be_learned_from() -> None:
    rows = sp.csr_matrix((np.ones(60, np.float32), np.arange(60) % 4, np.arange(61)), shape=(60, 4))
    found = fit(rows, list("abcd"), SETTINGS, seed=1).users(GAN, 0, 1)[1]
    assert np.diff(found.indptr).max() <= 2
    assert np.isfinite(fit_mix(rows, np.zeros((60, 4), np.float32), sp.csr_matrix((4, 4)), 1)).all()
    assert fit_mix(rows, np.zeros((60, 4), np.float32), sp.csr_matrix((4, 4)), 1).shape == (3, len(BINS) + 1)
