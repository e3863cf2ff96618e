"""Fit the generator: what a taste is, what items attract, how both decide, how tastes are distributed."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from recsynth.seeds import sub_seed
from recsynth.synthesis.autoencoder import fit_autoencoder
from recsynth.synthesis.draw import ACTIVITY, GROUPS, Drawing, recalibrated
from recsynth.synthesis.gan import fit_gan, gaussian
from recsynth.synthesis.generator import BLOCK, GAN, Generator, groups, item_weights
from recsynth.synthesis.mixing import fit_mix
from recsynth.synthesis.settings import SynthesisSettings

APART, CALIBRATION_BLOCKS, QUANTILES = 0.2, 8, 501


def fit(rows_UM: sp.csr_matrix, items: list[str], settings: SynthesisSettings, seed: int) -> Generator:
    """Fit to the histories of the learning half, one a row of ones; no row is empty.

    Plain torch in one process and not the launcher of the language model: the halves are bounded, the networks are
    small, and starting processes would take longer than the training. Bounds: the rows, and M^2 numbers.
    """
    mix_3A = _mix(rows_UM, settings, seed)
    coder = fit_autoencoder(rows_UM, settings.latent_size, settings.latent_l2, sub_seed(seed, "autoencoder"))
    holders_M, sizes_U = np.asarray(rows_UM.sum(0)).ravel(), np.diff(rows_UM.indptr)
    latent_UL = coder.encode(rows_UM)
    taste_UZ, activity_U = latent_UL[:, :-1], latent_UL[:, -1]
    skip_XZ, skip_bias_Z = gaussian(taste_UZ, activity_U[:, None])
    arrays = fit_gan(taste_UZ, activity_U, settings.gan, sub_seed(seed, "gan")) | {
        "gaussian.weight": skip_XZ.T, "gaussian.bias": skip_bias_Z,
        "latent_mean": coder.mean_L, "latent_scale": coder.scale_L,
        "decoder": coder.decoder_LM, "bias": coder.bias_M,
        "log_popularity": np.log(holders_M + 1e-9).astype(np.float32),
        "activity_quantiles": np.quantile(np.log(sizes_U), np.linspace(0, 1, QUANTILES)).astype(np.float32),
        "segment_edges": np.quantile(sizes_U, [1 / 3, 2 / 3]).astype(np.float32),
    }  # fmt: skip
    drawing = Drawing(
        item_weights(rows_UM, settings.item_l2, settings.neighbours), mix_3A, coder.popularity_M, groups(holders_M),
        np.zeros((len(ACTIVITY) + 1, len(GROUPS) + 1), np.float32), np.zeros(len(holders_M), np.float32),
    )  # fmt: skip
    return _calibrated(Generator(arrays, drawing, items), rows_UM, settings.calibration_rounds, seed)


def _mix(rows_UM: sp.csr_matrix, settings: SynthesisSettings, seed: int) -> np.ndarray:
    """Fitted to a fifth of the users, with an autoencoder and item weights of the others; then sharpened."""
    order = np.random.default_rng(seed).permutation(rows_UM.shape[0])
    apart = max(1, int(APART * len(order)))
    learned_UM, apart_UM = (rows_UM[np.sort(users)] for users in (order[apart:], order[:apart]))
    coder = fit_autoencoder(learned_UM, settings.latent_size, settings.latent_l2, sub_seed(seed, "mix"))
    weights_MM = item_weights(learned_UM, settings.item_l2, settings.neighbours)
    mix_3A = fit_mix(apart_UM, coder.decode(coder.encode(apart_UM)), weights_MM, sub_seed(seed, "mix"))
    sharpness_31 = np.array([[settings.taste_sharpness], [settings.item_sharpness], [1.0]], np.float32)
    sharpened_3A: np.ndarray = mix_3A * sharpness_31
    return sharpened_3A


def _calibrated(generator: Generator, rows_UM: sp.csr_matrix, rounds: int, seed: int) -> Generator:
    blocks = min(CALIBRATION_BLOCKS, -(-rows_UM.shape[0] // BLOCK))
    for number in range(rounds):
        drawn = [generator.users(GAN, block, sub_seed(seed, "calibrate", number))[1] for block in range(blocks)]
        generator = generator.calibrated(recalibrated(generator.drawing, sp.vstack(drawn).tocsr(), rows_UM))
    return generator
