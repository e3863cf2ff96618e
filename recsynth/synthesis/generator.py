"""The generator of people who do not exist: fitted once, kept as safetensors, drawn from in blocks.

A block of BLOCK synthetic users is drawn from a seed of its own and is the same wherever and however often it is drawn.
Shapes: U users, B = BLOCK, M items, L latent numbers (autoencoder.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from safetensors.numpy import load_file, save_file

from recsynth.model.ease import ease
from recsynth.model.folder import CARD, check_folder, write_manifest
from recsynth.synthesis.draw import GROUPS, Drawing, Wanted, bins, draw, gumbel_top

GAN, GAUSSIAN, INDEPENDENT = KINDS = ("gan", "gaussian", "independent")
SEGMENTS = ("light", "middle", "heavy")
BLOCK = 256
EXTRAS = 3
"""Latent numbers beside the tastes: the mean and spread of popularity and the activity (autoencoder.py)."""
_WEIGHTS, _ITEMS = "generator.safetensors", "items.json"
_SMOOTHING = 0.08
SLOPE = 0.2
"""Of the leaky rectifier for what is below zero."""


@dataclass(frozen=True)
class Generator:
    """All that a draw needs: arrays by name (see `fitting.fit`), the drawing and the ids of the items."""

    arrays: Mapping[str, np.ndarray]
    drawing: Drawing
    items: list[str]

    def users(self, kind: str, block: int, seed: int) -> tuple[np.ndarray, sp.csr_matrix]:
        """Segments (B,) and rows (B, M) of one block of gan, gaussian or independent users."""
        rng = np.random.default_rng([seed, KINDS.index(kind), block])
        sizes_B = self.sizes(rng)
        segments_B = np.array(SEGMENTS, object)[bins(sizes_B, self.arrays["segment_edges"])]
        if kind == INDEPENDENT:
            logits_BM = np.repeat(self.arrays["log_popularity"][None], BLOCK, axis=0)
            return segments_B, gumbel_top(logits_BM, sizes_B, rng)
        mean_L, scale_L = self.arrays["latent_mean"], self.arrays["latent_scale"]
        activity_B = (np.log(sizes_B) - mean_L[-1]) / scale_L[-1]
        noise_BZ = rng.standard_normal((BLOCK, len(mean_L) - 1)).astype(np.float32)
        taste_BZ = generate(self.arrays if kind == GAN else _skip_alone(self.arrays), noise_BZ, activity_B)
        latent_BL = np.column_stack([taste_BZ, activity_B]).astype(np.float32)
        logits_BM = latent_BL @ self.arrays["decoder"] + self.arrays["bias"]
        if kind == GAUSSIAN:
            return segments_B, gumbel_top(logits_BM, sizes_B, rng)
        mean_B, spread_B = (latent_BL * scale_L + mean_L)[:, -EXTRAS:-1].T
        return segments_B, draw(Wanted(sizes_B, logits_BM, mean_B, np.maximum(spread_B, 0.02)), self.drawing, rng)

    def sizes(self, rng: np.random.Generator) -> np.ndarray:
        """Items (B,) of each user of a block, spread evenly over the smoothed distribution of those learned from."""
        places_B = (rng.permutation(BLOCK) + rng.random(BLOCK)) / BLOCK
        quantiles_Q = self.arrays["activity_quantiles"]
        log_B = np.interp(places_B, np.linspace(0, 1, len(quantiles_Q)), quantiles_Q)
        smoothed_B = np.round(np.exp(log_B + _SMOOTHING * rng.standard_normal(BLOCK))).astype(int)
        clipped_B: np.ndarray = np.clip(smoothed_B, 1, max(1, len(self.items) // 2))
        return clipped_B

    def calibrated(self, drawing: Drawing) -> Generator:
        """The same with another drawing."""
        return replace(self, drawing=drawing)


def generate(arrays: Mapping[str, np.ndarray], noise_BZ: np.ndarray, condition_B: np.ndarray) -> np.ndarray:
    """Tastes (B, Z) from standard normal noise (B, Z) and log activity (B,), in numpy: a worker needs no torch."""
    input_BX = hidden = np.column_stack([noise_BZ, condition_B]).astype(np.float32)
    for layer in (0, 2):
        hidden = hidden @ arrays[f"net.{layer}.weight"].T + arrays[f"net.{layer}.bias"]
        hidden = np.where(hidden > 0, hidden, SLOPE * hidden)
    made_BZ: np.ndarray = hidden @ arrays["net.4.weight"].T + arrays["net.4.bias"]
    made_BZ += input_BX @ arrays["skip.weight"].T + arrays["skip.bias"]
    return made_BZ


def item_weights(rows_UM: sp.csr_matrix, l2: float, neighbours: int) -> sp.csr_matrix:
    """EASE's weights (M, M), of each row the `neighbours` of the greatest size. Bound: M^2 numbers while fitting."""
    dense_MM = ease((rows_UM.T @ rows_UM).toarray(), l2)
    kept = min(neighbours, len(dense_MM))
    columns_MN = np.sort(np.argpartition(-np.abs(dense_MM), kept - 1, axis=1)[:, :kept], axis=1)
    indptr = np.arange(0, columns_MN.size + 1, kept)
    data = np.take_along_axis(dense_MM, columns_MN, axis=1).ravel()
    return sp.csr_matrix((data, columns_MN.ravel(), indptr), shape=dense_MM.shape)


def groups(holders_M: np.ndarray) -> np.ndarray:
    """(M,) group of popularity of each item."""
    return bins(holders_M, GROUPS)


def write_generator(generator: Generator, folder: Path, card: dict[str, Any]) -> str:
    """Write weights, item ids and card, the manifest last; returns the version."""
    folder.mkdir(parents=True, exist_ok=True)
    drawing, weights_MM = generator.drawing, generator.drawing.weights_MM
    drawn = {
        "weights_data": weights_MM.data, "weights_indices": weights_MM.indices.astype(np.int32),
        "weights_indptr": weights_MM.indptr.astype(np.int64), "mix": drawing.mix_3A,
        "popularity": drawing.popularity_M, "group": drawing.group_M,
        "calibration_group": drawing.calibration_AG, "calibration_item": drawing.calibration_M,
    }  # fmt: skip
    arrays = {f"draw.{name}": array for name, array in drawn.items()} | dict(generator.arrays)
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / _WEIGHTS)
    (folder / _ITEMS).write_text(json.dumps(generator.items))
    (folder / CARD).write_text(json.dumps(card, sort_keys=True, indent=1))
    return write_manifest(folder)


@lru_cache(maxsize=1)
def read_generator(folder: str) -> Generator:
    """Read a generator once for the life of a worker. Raises ModelError where it is not what its manifest says."""
    check_folder(Path(folder))
    arrays = load_file(Path(folder) / _WEIGHTS)
    drawn = {name.removeprefix("draw."): arrays.pop(name) for name in list(arrays) if name.startswith("draw.")}
    items = json.loads((Path(folder) / _ITEMS).read_text())
    weights_MM = sp.csr_matrix(
        (drawn["weights_data"], drawn["weights_indices"], drawn["weights_indptr"]), shape=(len(items), len(items))
    )
    drawing = Drawing(
        weights_MM, drawn["mix"], drawn["popularity"], drawn["group"], drawn["calibration_group"],
        drawn["calibration_item"],
    )  # fmt: skip
    return Generator(arrays, drawing, items)


def _skip_alone(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The Gaussian fit that the GAN began from."""
    still = {name: np.zeros_like(arrays[name]) for name in ("net.4.weight", "net.4.bias")}
    return {**arrays, **still, "skip.weight": arrays["gaussian.weight"], "skip.bias": arrays["gaussian.bias"]}
