"""An ensemble in one set of weights: the mean of several checkpoints, kept only where validation says so.

Source: greedy soup, Wortsman et al., ICML 2022. Unlike an ensemble of models it costs inference nothing; models of
other kinds are blended by the ranker, to which the towers and text transfer are two sources among others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

Weights = dict[str, Tensor]


def greedy_soup(
    checkpoints: Sequence[tuple[float, Path]], best: float, judge: Callable[[Weights], float]
) -> tuple[float, Weights | None]:
    """Add checkpoints to the mean, from the best down, while the mean gets better than `best`.

    checkpoints: each with its validation figure; judge: the figure of weights. Returns the figure and the weights of
    the best mean, or `best` and None where no mean is better than the best checkpoint alone. Bound: three sets of
    weights.
    """
    if len(checkpoints) < 2:
        return best, None
    ordered = sorted(checkpoints, key=lambda c: (-c[0], c[1].name))
    mean, count, found = load_file(ordered[0][1]), 1, None
    for _, path in ordered[1:]:
        # Whole numbers, such as AdaLoRA's counts, are no weights and stay.
        tried = {
            k: mean[k] + (v - mean[k]) / (count + 1) if v.is_floating_point() else mean[k]
            for k, v in load_file(path).items()
        }
        figure = judge(tried)
        if figure > best:
            mean, count, best, found = tried, count + 1, figure, tried
    return best, found
