"""The plots of the page, as SVG text for inlining; colours are those of the page's style sheet."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogFormatter

# Dates as text are meant as places in order: a line of the log for each plot of them tells nothing.
logging.getLogger("matplotlib.category").setLevel(logging.WARNING)

INK, ACCENT, QUIET = "#5b6470", "#c2552d", "#8fa3b8"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "recsynth", "font.size": 9,
    "text.parse_math": False,
    "axes.spines.top": False, "axes.spines.right": False,
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK,
    "savefig.transparent": True,
}  # fmt: skip


def svg(draw: Callable[[Axes], None], width: float = 6.0, height: float = 2.6) -> str:
    """Draw on new axes and return the `<svg>` element."""
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
        draw(axes)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
        plt.close(figure)
    text = out.getvalue()
    return text[text.index("<svg") :]


def bars(labels: Sequence[str], values: Sequence[float], unit: str) -> str:
    """Horizontal bars, the greatest on top."""

    def draw(axes: Axes) -> None:
        drawn = axes.barh(list(labels)[::-1], list(values)[::-1], color=QUIET)
        axes.bar_label(drawn, labels=[_short(v) for v in list(values)[::-1]], padding=3)
        axes.set_xlabel(unit)
        axes.margins(x=0.15)

    return svg(draw, height=max(1.2, 0.32 * len(labels) + 0.6))


def paired(labels: Sequence[str], sides: Mapping[str, Sequence[float]]) -> str:
    """Horizontal bars, of each label one a side; the first side stands out."""

    def draw(axes: Axes) -> None:
        places, thick = np.arange(len(labels))[::-1], 0.8 / len(sides)
        for number, (name, values) in enumerate(sides.items()):
            colour = (ACCENT, QUIET, INK)[number % 3]
            axes.barh(places + 0.2 - number * thick, list(values), thick * 0.9, color=colour, label=name)
        axes.set_yticks(places, list(labels))
        axes.set_xlim(left=0)
        axes.legend(frameon=False)

    return svg(draw, height=max(1.4, 0.42 * len(labels) + 0.6))


def lines(frame: pd.DataFrame, x: str, label: str) -> str:
    """One line a further column of the frame."""

    def draw(axes: Axes) -> None:
        for name, colour in zip([c for c in frame if c != x], (ACCENT, QUIET, INK, "#6a9a6a", "#a06ab4"), strict=False):
            part = frame[[x, name]].dropna()
            axes.plot(part[x], part[name], color=colour, label=name, marker="." if len(part) < 40 else None)
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)
        has_names = frame[x].dtype == object
        axes.tick_params(axis="x", labelrotation=20 if has_names else 0)
        # Names stand at whole numbers: a tick between two of them would bear the wrong one.
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(7, integer=has_names))

    return svg(draw)


def intervals(frame: pd.DataFrame, ours: str, label: str) -> str:
    """A point with its interval for each row of (model, value, low, high); ours stands out."""

    def draw(axes: Axes) -> None:
        ordered = frame.sort_values("value").reset_index(drop=True)
        colours = [ACCENT if m == ours else QUIET for m in ordered["model"]]
        spread = np.abs(np.vstack([ordered["value"] - ordered["low"], ordered["high"] - ordered["value"]]))
        axes.hlines(ordered.index, ordered["value"] - spread[0], ordered["value"] + spread[1], colours, linewidth=2)
        axes.scatter(ordered["value"], ordered.index, c=colours, zorder=3)
        axes.set_yticks(ordered.index, ordered["model"].str.replace("_", " "))
        axes.set_xlabel(label)
        axes.set_xlim(left=0)

    return svg(draw, width=4.6, height=2.1)


def reliability(predicted: Sequence[float], observed: Sequence[float], counts: Sequence[int]) -> str:
    """What came true against what was said: a point a bin, larger for more lines; what is true lies on the diagonal."""

    def draw(axes: Axes) -> None:
        most = max(*predicted, *observed) * 1.1 or 1.0
        axes.plot([0, most], [0, most], color=QUIET, linestyle="--", linewidth=1)
        sizes = 20 + 180 * np.asarray(counts, float) / max(counts)
        axes.scatter(predicted, observed, s=sizes, color=ACCENT, alpha=0.85)
        axes.set_xlabel("probability said")
        axes.set_ylabel("share bought")
        axes.set_xlim(0, most)
        axes.set_ylim(0, most)

    return svg(draw, width=3.6, height=2.8)


def tail(counts: Sequence[float], label: str) -> str:
    """Counts from greatest to least on logarithmic axes: the long tail."""

    def draw(axes: Axes) -> None:
        ordered = np.sort(np.asarray(counts, float))[::-1]
        axes.loglog(np.arange(1, len(ordered) + 1), np.maximum(ordered, 1), color=ACCENT)
        axes.set_xlabel("rank")
        axes.set_ylabel(label)
        _plain_powers(axes)

    return svg(draw, width=4.6, height=2.3)


def beside(samples: Mapping[str, np.ndarray], places: str, label: str) -> str:
    """Samples from greatest to least, each over the share of its length, on logarithmic axes; the first stands out."""

    def draw(axes: Axes) -> None:
        for (name, values), colour in zip(samples.items(), (ACCENT, QUIET, INK), strict=False):
            ordered = np.sort(np.asarray(values, float))[::-1]
            axes.loglog(np.arange(1, len(ordered) + 1) / len(ordered), ordered, color=colour, label=name)
        axes.set_xlabel(places)
        axes.set_ylabel(label)
        _plain_powers(axes)
        axes.legend(frameon=False)

    return svg(draw, width=4.6, height=2.3)


def _plain_powers(axes: Axes) -> None:
    """Numbers as text on logarithmic axes: matplotlib's own labels are mathematics, which is switched off here."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(1, 0.4)))


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"
