"""Hyperparameter search for the language model: trials by Optuna, each a training judged on the validation window."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from recsynth.errors import InputError, SettingsError
from recsynth.ledger import Ledger
from recsynth.model.champion import champion
from recsynth.model.folder import check_folder
from recsynth.stage import Night
from recsynth.tables import RUN_DATE
from recsynth.tables.gold import ITEM_TEXT, WINDOW_HISTORIES, WINDOW_INTERACTIONS, WINDOW_LABELS
from recsynth.tables.model import MODELS, TRIALS
from recsynth.tables.synthesis import AUGMENTED_TEXTS
from recsynth.training.loop import Trainer
from recsynth.training.process import starting_model
from recsynth.training.settings import TrainingSettings
from recsynth.training.space import OF_THE_MODEL, Space
from recsynth.training.train import write_shards

log = logging.getLogger(__name__)

# Drawn at random, and never pruned, before the search learns from what it saw.
STARTUP_TRIALS = 5
INPUTS = (WINDOW_HISTORIES, WINDOW_INTERACTIONS, WINDOW_LABELS, ITEM_TEXT, AUGMENTED_TEXTS)
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class Search:
    """What every trial of a search has in common: shards, where it starts, the settings around the space, the seed."""

    shards: Path
    start: str
    space: Space
    base: TrainingSettings
    seed: int

    def objective(self, trial: optuna.Trial) -> float:
        """Train in this process as the stage would and return the best NDCG@10 of validation."""

        def report(step: int, ndcg: float) -> None:
            trial.report(ndcg, step)
            if trial.should_prune():
                raise optuna.TrialPruned

        settings = self.space.settings(self.base, trial)
        checkpoints = self.shards.with_name("checkpoints")
        shutil.rmtree(checkpoints, ignore_errors=True)
        trainer = Trainer(starting_model(self.start, self.shards, settings), self.shards, settings, self.seed)
        return trainer.run(checkpoints, report).best


def tune(ledger: Ledger, night: Night, space: Space, trials: int) -> str:
    """Search until `trials` trials have ended and return the best settings as TOML.

    Reads gold.window_histories, gold.window_interactions, gold.window_labels, gold.item_text of the night and
    the champion before it, as the stage train does, and validates on the same window: no day that a night is
    judged on is seen. Writes model.trials. Trials that ended before a kill are in the journal below the lake
    and are not run again. Raises InputError if the night has not got as far, SettingsError if the space names
    what a champion has built in.
    """
    if trials < 1:
        raise InputError("trials", "at least 1", str(trials))
    store, shards = ledger.store, night.work / "shards"
    frames = {table.short: store.read_night(table, night.as_of) for table in INPUTS}
    users, base = write_shards(shards, **frames), night.settings.training
    if users < base.min_users:
        stages = "a night of this date up to item_text, with at least training.min_users users"
        raise InputError(f"as-of date {night.as_of}", stages, f"{users} users with a history")
    before = champion(store.read(MODELS).where(f"{RUN_DATE} < '{night.as_of}'"))
    built_in = sorted(OF_THE_MODEL & set(space.training))
    if before is not None and built_in:
        raise SettingsError(f"training.{built_in[0]}: expected no champion to start from, found {before.model_version}")
    start = str(night.models.parent / before.path) if before else ""
    if start:
        check_folder(Path(start))
    search = Search(shards, start, space, base, night.seed("train"))
    study = open_study(night, _study_name(ledger, night, search))
    _record(ledger, night, study, search)
    while (number := len(_ended(study))) < trials:
        # A sampler of its own for each: the search is the same whether it was killed on the way or not.
        study.sampler = optuna.samplers.TPESampler(seed=night.seed("tune", number), n_startup_trials=STARTUP_TRIALS)
        study.optimize(search.objective, n_trials=1)
        _record(ledger, night, study, search, only_last=True)
        last = _ended(study)[-1]
        log.info("trial %d of %d: %s, NDCG@10 %.4f, %s", number + 1, trials, last.state.name.lower(), _value(last),
                 last.params)  # fmt: skip
    return snippet(study)


def open_study(night: Night, name: str) -> optuna.Study:
    """The study of that name in the lake's journal; a trial that a kill left running is marked as failed."""
    journal = Path(night.settings.paths.lake) / "_tuning" / "journal.log"
    journal.parent.mkdir(parents=True, exist_ok=True)
    if journal.is_file():
        _cut_torn_line(journal)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=name,
        direction="maximize",
        storage=JournalStorage(JournalFileBackend(str(journal))),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS),
        load_if_exists=True,
    )
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    return study


def snippet(study: optuna.Study) -> str:
    """The best settings as TOML.

    >>> study = optuna.create_study(direction="maximize")
    >>> study.add_trial(optuna.create_trial(value=0.25, params={"loss": "mean_squared_error"}, distributions={
    ...     "loss": optuna.distributions.CategoricalDistribution(["mean_squared_error"])}))
    >>> print(snippet(study))
    # NDCG@10 0.2500 on the validation window: trial 0 of 1
    [training]
    loss = "mean_squared_error"
    """
    best = study.best_trial
    head = f"# NDCG@10 {best.value:.4f} on the validation window: trial {best.number} of {len(_ended(study))}"
    return "\n".join([head, "[training]", *(f"{name} = {value}" for name, value in _toml(best).items())])


def _study_name(ledger: Ledger, night: Night, search: Search) -> str:
    """Trials share a study only if they can be compared: same space, settings, start, seed and data."""
    done = ledger.fingerprints(night.as_of)
    data = [done.get(table.writer, "") for table in INPUTS]
    fixed = search.base.model_dump_json(exclude=set(search.space.training))
    text = "\n".join([search.space.model_dump_json(), fixed, search.start, str(search.seed), *data])
    return f"{night.as_of}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _record(ledger: Ledger, night: Night, study: optuna.Study, search: Search, only_last: bool = False) -> None:
    """Write ended trials to model.trials; a row that is there already is written as it is."""
    ended = _ended(study)[-1:] if only_last else _ended(study)
    rows = [
        (study.study_name, t.number, t.state.name.lower(), _value(t), _toml(t), _seconds(t), search.seed) for t in ended
    ]
    if rows:
        ledger.store.write(TRIALS, ledger.spark.createDataFrame(rows, TRIALS.schema), night.as_of)


def _ended(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=ENDED)


def _value(trial: FrozenTrial) -> float:
    """What it reached: of a pruned trial the best that it reported."""
    if trial.state == TrialState.PRUNED:
        return max(trial.intermediate_values.values())
    return float(trial.value or 0.0)


def _seconds(trial: FrozenTrial) -> float:
    return trial.duration.total_seconds() if trial.duration else 0.0


def _toml(trial: FrozenTrial) -> dict[str, str]:
    return {name: json.dumps(value) for name, value in trial.params.items()}


def _cut_torn_line(journal: Path) -> None:
    """Drop what a kill left of a last line; Optuna would refuse the whole journal for it."""
    whole = journal.read_bytes()
    end = whole.rfind(b"\n") + 1
    if end < len(whole):
        with journal.open("r+b") as file:
            file.truncate(end)
