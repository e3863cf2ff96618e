"""bfloat16 where a machine multiplies in it: sums and weights stay in float32, products of matrices take half the time.

On two cores with AMX a step of MiniLM's fine-tuning took 0.4 to 0.5 of the time, with attention in plain products
(`load_encoder`) and the fused AdamW; the figures are in tests/benchmarks/README.md.
"""

from __future__ import annotations

import torch

_OF_A_CPU = ("amx_bf16", "avx512_bf16")


def has_bfloat16(where: torch.device) -> bool:
    """Whether the device multiplies in bfloat16 itself; a CPU that does not would only convert, and be slower."""
    if where.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return any(bool(torch.cpu.get_capabilities().get(name)) for name in _OF_A_CPU)


def half_precision(where: torch.device, is_wanted: bool) -> torch.autocast:
    """A block in which products of matrices are in bfloat16, where that is wanted and the device has it."""
    return torch.autocast(where.type, torch.bfloat16, enabled=is_wanted and has_bfloat16(where))
