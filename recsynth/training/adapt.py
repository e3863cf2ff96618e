"""What learns in the encoder: its top layers whole, or small adapters that peft puts into them and merges away.

Prefix tuning is left out on purpose: its keys and values are inputs of each attention and no weights, so nothing
can be merged, and the folder that inference reads without peft would give other vectors than were validated.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from recsynth.errors import ModelError
from recsynth.model.encoders import layers_of
from recsynth.model.towers import MatchModel
from recsynth.training.settings import TrainingSettings

# The last part of a module's name, as BERT, Llama, DistilBERT and T5 call their attention's linear maps.
QUERIES = frozenset({"query", "q_proj", "q_lin", "q"})
KEYS = frozenset({"key", "k_proj", "k_lin", "k"})
VALUES = frozenset({"value", "v_proj", "v_lin", "v"})
ADAPTER = "default"
# AdaLoRA as its authors weigh it (Zhang et al., ICLR 2023): how far P and Q are held orthogonal, and the spare rank.
ORTHOGONALITY_WEIGHT = 0.5
SPARE_RANK = 1.5


class Adaptation:
    """Chooses what learns in the encoder, from its making to `merge`.

    full: the top `trainable_layers` layers. lora (Hu et al. 2022): W + alpha / rank * B A at queries and values.
    adalora (Zhang et al. 2023): B diag(E) A, whose ranks start at 1.5 times `adapter_rank` and are cut to that on
    average where they matter least. ia3 (Liu et al. 2022): keys, values and feed-forward inputs scaled by a vector
    each. Adapters stand in the top `trainable_layers` layers, change nothing before they have learned, and all
    other weights of the encoder rest. Raises ModelError where the encoder has no linear maps of these names.
    """

    def __init__(self, model: MatchModel, settings: TrainingSettings, seed: int) -> None:
        self.encoder: nn.Module = model.text.encoder
        self.tuner: Any = None
        _freeze_below(self.encoder, settings.trainable_layers)
        if settings.adaptation != "full" and settings.trainable_layers:
            # peft is slow to import, and most nights need none of it.
            from peft import get_peft_model

            # Every process must begin with the same random half of an adapter.
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                self.tuner = get_peft_model(model.text.encoder, _peft_config(self.encoder, settings)).base_model
        self.is_adalora = self.tuner is not None and settings.adaptation == "adalora"

    def penalty(self) -> Tensor | float:
        """AdaLoRA's mean of |P'P - I| and |QQ' - I| (Frobenius) times its weight, which makes E singular values."""
        if not self.is_adalora:
            return 0.0
        far = [_distance_from_orthogonal(p, ".lora_A." in n) for n, p in self._adapters("lora_A", "lora_B")]
        return ORTHOGONALITY_WEIGHT * torch.stack(far).mean()

    def allocate(self, step: int) -> None:
        """AdaLoRA's share of rank after the encoder's step 1, 2, ..., while that step's gradients are still there."""
        if not self.is_adalora:
            return
        config, allocator = self.tuner.peft_config[ADAPTER], self.tuner.rankallocator
        last = config.total_step - config.tfinal
        # After a resume the allocator is new and importance begins again.
        if step <= last and not allocator.ipt:
            allocator.update_ipt(self.encoder)
        self.tuner.update_and_allocate(step)

    def recall(self) -> None:
        """Read from a resumed checkpoint's weights which ranks AdaLoRA has kept: those that are not zero."""
        if self.is_adalora:
            pattern = {n: (p != 0).flatten().tolist() for n, p in self._adapters("lora_E")}
            self.tuner.peft_config[ADAPTER].rank_pattern = pattern

    def merge(self) -> None:
        """Fold the adapters into the encoder's own weights; what is left is a plain encoder."""
        if self.tuner is not None:
            self.tuner.merge_and_unload()
            self.tuner, self.is_adalora = None, False

    def _adapters(self, *kinds: str) -> Iterator[tuple[str, nn.Parameter]]:
        marks = [f".{kind}.{ADAPTER}" for kind in kinds]
        return ((n, p) for n, p in self.encoder.named_parameters() if any(m in n for m in marks))


def _freeze_below(encoder: Any, count: int) -> None:
    """Let the encoder's top layers learn alone; all of it where `count` reaches its depth, but never the pooler."""
    layers = layers_of(encoder)
    for parameter in encoder.parameters():
        parameter.requires_grad = count >= len(layers)
    for layer in layers[max(0, len(layers) - count) :]:
        for parameter in layer.parameters():
            parameter.requires_grad = True
    if getattr(encoder, "pooler", None) is not None:
        for parameter in encoder.pooler.parameters():
            parameter.requires_grad = False


def _peft_config(encoder: Any, settings: TrainingSettings) -> Any:
    from peft import AdaLoraConfig, IA3Config, LoraConfig

    rank, alpha, dropout = settings.adapter_rank, settings.adapter_alpha, settings.adapter_dropout
    if settings.adaptation == "ia3":
        forward = _linears(encoder, settings.trainable_layers, frozenset())
        others = _linears(encoder, settings.trainable_layers, KEYS | VALUES)
        return IA3Config(target_modules=others + forward, feedforward_modules=forward)
    targets = _linears(encoder, settings.trainable_layers, QUERIES | VALUES)
    if settings.adaptation == "lora":
        return LoraConfig(target_modules=targets, r=rank, lora_alpha=alpha, lora_dropout=dropout)
    # A tenth of the steps at full rank, the last third at the final one, the cut between them.
    steps = max(2, settings.max_steps)
    return AdaLoraConfig(
        target_modules=targets, target_r=rank, init_r=int(rank * SPARE_RANK) + 1, lora_alpha=alpha,
        lora_dropout=dropout, total_step=steps, tinit=steps // 10, tfinal=steps // 3,
    )  # fmt: skip


def _linears(encoder: Any, count: int, names: frozenset[str]) -> list[str]:
    """Full names of linear maps in the top `count` layers, by the last part of the name.

    Without names: the second map of each feed-forward block, the one that narrows.
    """
    layers = layers_of(encoder)
    inside = {id(m) for layer in layers[max(0, len(layers) - count) :] for m in layer.modules()}
    found = [
        name
        for name, module in encoder.named_modules()
        if id(module) in inside and isinstance(module, nn.Linear)
        and (name.rsplit(".", 1)[-1] in names if names else module.in_features > module.out_features)
    ]  # fmt: skip
    if not found:
        wanted = f"linear maps named {', '.join(sorted(names))}" if names else "a feed-forward map that narrows"
        raise ModelError(f"encoder {type(encoder).__name__}: expected {wanted}, found none")
    return found


def _distance_from_orthogonal(weight: Tensor, is_rows: bool) -> Tensor:
    gram_RR = weight @ weight.T if is_rows else weight.T @ weight
    return (gram_RR - torch.eye(len(gram_RR), device=gram_RR.device)).square().sum().sqrt()
