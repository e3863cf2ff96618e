"""bfloat16 where a machine multiplies in it and it is wanted, and float32 everywhere else."""

from __future__ import annotations

import pytest
import torch

from recsynth.model.precision import half_precision, has_bfloat16

CPU = torch.device("cpu")


@pytest.mark.parametrize("known", [{}, {"avx512_f": True, "avx512_bf16": False}, {"amx_tile": True}])
def test_a_cpu_without_it_multiplies_in_float32(monkeypatch: pytest.MonkeyPatch, known: dict[str, bool]) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known)
    assert not has_bfloat16(CPU)
    with half_precision(CPU, is_wanted=True):
        assert (torch.eye(2) @ torch.eye(2)).dtype == torch.float32


@pytest.mark.parametrize("name", ["amx_bf16", "avx512_bf16"])
def test_a_cpu_with_it_does_where_it_is_wanted(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {name: True})
    for is_wanted, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        with half_precision(CPU, is_wanted):
            assert (torch.eye(2) @ torch.eye(2)).dtype == dtype
