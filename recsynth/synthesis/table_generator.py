"""A table's generator: columns drawn one after the other, each given those before it; in numpy, for any worker.

Shapes: B rows, C columns, the first G of them given and the others drawn, K codes of a column, X features of the
columns before one: a constant, and of each the features of its code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy.special import ndtr, ndtri

from recsynth.model.folder import CARD, check_folder, write_manifest
from recsynth.synthesis.generator import GAN, GAUSSIAN, SLOPE
from recsynth.synthesis.table_columns import Column

_WEIGHTS, _COLUMNS = "tables.safetensors", "tables.json"


@dataclass(frozen=True)
class TableGenerator:
    """What a draw needs: the coding of each column, how many of them are given, and arrays by name (table_gan.py)."""

    columns: tuple[Column, ...]
    given: int
    arrays: Mapping[str, np.ndarray]

    def draw(self, kind: str, given_BG: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Codes (B, C) of rows of the kind (gan, gaussian, independent) whose first columns are given."""
        if kind == GAN:
            return self._chained(given_BG, rng)
        drawn = self.columns[self.given :]
        if kind == GAUSSIAN:
            scores_BG = np.column_stack([np.ones(len(given_BG)), *_scored(self.columns, given_BG)])[:, 1:]
            noise_BD = rng.standard_normal((len(given_BG), len(drawn)))
            scores_BD = np.column_stack([noise_BD, scores_BG]) @ self.arrays["gaussian.weight"].T
            places_BD = ndtr(scores_BD + self.arrays["gaussian.bias"])
        else:
            places_BD = rng.random((len(given_BG), len(drawn)))
        codes = [
            np.minimum(np.searchsorted(np.cumsum(c.shares), places_BD[:, n], side="right"), len(c.shares) - 1)
            for n, c in enumerate(drawn)
        ]
        return np.column_stack([given_BG, *codes]).astype(int)

    def _chained(self, given_BG: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        codes_BC = given_BG
        for n in range(len(self.columns) - self.given):
            before_BX = features(self.columns, codes_BC)
            hidden_BH = before_BX @ self.arrays[f"heads.{n}.0.weight"].T + self.arrays[f"heads.{n}.0.bias"]
            hidden_BH = np.where(hidden_BH > 0, hidden_BH, SLOPE * hidden_BH)
            logits_BK = hidden_BH @ self.arrays[f"heads.{n}.2.weight"].T + self.arrays[f"heads.{n}.2.bias"]
            # Gumbel's noise: the greatest is a draw from softmax(logits).
            code_B = np.argmax(logits_BK + rng.gumbel(size=logits_BK.shape), axis=1)
            codes_BC = np.column_stack([codes_BC, code_B])
        return codes_BC


def features(columns: tuple[Column, ...], codes_BC: np.ndarray) -> np.ndarray:
    """What is read (B, X) of the columns that have codes: a constant first."""
    read = [c.features_KW[codes_BC[:, n]] for n, c in zip(range(codes_BC.shape[1]), columns, strict=False)]
    return np.concatenate([np.ones((len(codes_BC), 1), np.float32), *read], axis=1)


def normal_scores(column: Column) -> np.ndarray:
    """(K,) where the middle of each code's share lies in a standard normal distribution."""
    shares_K = np.array(column.shares)
    scores_K: np.ndarray = ndtri(np.clip(np.cumsum(shares_K) - shares_K / 2, 1e-4, 1 - 1e-4))
    return scores_K


def _scored(columns: tuple[Column, ...], codes_BC: np.ndarray) -> list[np.ndarray]:
    return [normal_scores(columns[n])[codes_BC[:, n]] for n in range(codes_BC.shape[1])]


def scores(columns: tuple[Column, ...], codes_BC: np.ndarray) -> np.ndarray:
    """Normal scores (B, C) of codes."""
    return np.column_stack([np.zeros((len(codes_BC), 0)), *_scored(columns, codes_BC)])


@dataclass(frozen=True)
class Tables:
    """Generators by table name, further arrays by name, and plain facts beside them (fitting: synthesise_tables.py)."""

    generators: Mapping[str, TableGenerator]
    arrays: Mapping[str, np.ndarray]
    facts: Mapping[str, Any]


def write_tables(tables: Tables, folder: Path, card: dict[str, Any]) -> str:
    """Write everything as safetensors and JSON, the manifest last; returns the version."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {f"{table}/{name}": a for table, g in tables.generators.items() for name, a in g.arrays.items()}
    arrays |= {f"/{name}": array for name, array in tables.arrays.items()}
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / _WEIGHTS)
    told = {
        table: {"given": g.given, "columns": [c.to_json() for c in g.columns]} for table, g in tables.generators.items()
    }
    (folder / _COLUMNS).write_text(json.dumps({"tables": told, "facts": tables.facts}, sort_keys=True))
    (folder / CARD).write_text(json.dumps(card, sort_keys=True, indent=1))
    return write_manifest(folder)


@lru_cache(maxsize=1)
def read_tables(folder: str) -> Tables:
    """Read it once for the life of a worker. Raises ModelError where it is not what its manifest says."""
    check_folder(Path(folder))
    arrays = load_file(Path(folder) / _WEIGHTS)
    told = json.loads((Path(folder) / _COLUMNS).read_text())
    generators = {
        table: TableGenerator(
            tuple(Column.from_json(c) for c in of["columns"]), of["given"],
            {n.partition("/")[2]: a for n, a in arrays.items() if n.startswith(f"{table}/")},
        )
        for table, of in told["tables"].items()
    }  # fmt: skip
    return Tables(generators, {n[1:]: a for n, a in arrays.items() if n.startswith("/")}, told["facts"])
