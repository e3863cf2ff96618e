"""Where the curves of a training go besides ops.metrics and the page: one small interface, several trackers.

Everything is written below the lake and nothing is sent anywhere, unless the environment names a server of the
shop's own: MLFLOW_TRACKING_URI for MLflow, WANDB_MODE for Weights & Biases.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from recsynth.errors import SettingsError

FOLDER = "_experiments"

# Takes the step and figures by name.
Log = Callable[[int, Mapping[str, float]], None]


@contextmanager
def tracked(names: Sequence[str], folder: Path, run: str, params: Mapping[str, Any]) -> Iterator[Log]:
    """A function that logs figures to each named tracker; all are closed at the end.

    folder: theirs below the lake; run: the as-of date, of which an earlier attempt's curves are replaced; params: the
    settings of the training. Raises SettingsError where a tracker's package is not installed.
    """
    with ExitStack() as stack:
        logs = [stack.enter_context(TRACKERS[name](folder.resolve() / name, run, params)) for name in names]

        def log(step: int, figures: Mapping[str, float]) -> None:
            for each in logs:
                each(step, figures)

        yield log


@contextmanager
def _tensorboard(folder: Path, run: str, params: Mapping[str, Any]) -> Iterator[Log]:
    from torch.utils.tensorboard import SummaryWriter

    shutil.rmtree(folder / run, ignore_errors=True)
    writer: Any = SummaryWriter(str(folder / run))

    def log(step: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            writer.add_scalar(name, value, step)

    try:
        writer.add_text("settings", "\n".join(f"    {k} = {v}" for k, v in sorted(params.items())))
        yield log
    finally:
        writer.close()


@contextmanager
def _mlflow(folder: Path, run: str, params: Mapping[str, Any]) -> Iterator[Log]:
    try:
        import mlflow
    except ImportError as error:
        raise _missing("mlflow") from error
    folder.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder / 'mlflow.db'}")
    name = "recsynth"
    known = mlflow.get_experiment_by_name(name)
    artifacts = None if "MLFLOW_TRACKING_URI" in os.environ else (folder / "artifacts").as_uri()
    experiment = known.experiment_id if known else mlflow.create_experiment(name, artifact_location=artifacts)
    for earlier in mlflow.search_runs([experiment], f"tags.mlflow.runName = '{run}'", output_format="list"):
        mlflow.delete_run(earlier.info.run_id)
    with mlflow.start_run(experiment_id=experiment, run_name=run):
        mlflow.log_params(dict(params))

        # MLflow takes no @ in a name.
        def log(step: int, figures: Mapping[str, float]) -> None:
            mlflow.log_metrics({k.replace("@", "_at_"): v for k, v in figures.items()}, step)

        yield log


@contextmanager
def _wandb(folder: Path, run: str, params: Mapping[str, Any]) -> Iterator[Log]:
    try:
        import wandb
    except ImportError as error:
        raise _missing("wandb") from error
    folder.mkdir(parents=True, exist_ok=True)
    mode: Any = os.environ.get("WANDB_MODE", "offline")
    made = wandb.init(project="recsynth", name=run, dir=str(folder), mode=mode, config=dict(params))
    try:
        # Masked words and the steps after them both count from one: its own count must not go back.
        made.define_metric("*", step_metric="step")
        yield lambda step, figures: made.log({**figures, "step": step})
    finally:
        made.finish()


def _missing(package: str) -> SettingsError:
    return SettingsError(f"training.tracking: expected the package {package}, found none: install recsynth[{package}]")


TRACKERS = {"tensorboard": _tensorboard, "mlflow": _mlflow, "wandb": _wandb}
