"""The space of a hyperparameter search: for fields of [training], bounds or choices."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Self

from optuna import Trial
from pydantic import Field, ValidationError, model_validator

from recsynth.errors import SettingsError
from recsynth.section import Section
from recsynth.training.settings import TrainingSettings

# They say where and how long training runs, not what it learns.
OF_THE_MACHINE = frozenset({"enabled", "max_minutes", "min_users", "processes", "local_mode", "use_gpu", "tracking"})
# A champion has these built in: training goes on from it whatever they say.
OF_THE_MODEL = frozenset({"encoder", "max_tokens", "dropout", "dimensions", "user_layers"})

Value = bool | int | float | str


class Dimension(Section):
    """What one field may be."""

    low: int | float | None = Field(None, description="Smallest value.")
    high: int | float | None = Field(None, description="Greatest value.")
    log: bool = Field(False, description="Search by the logarithm.")
    choices: list[Value] = Field(default_factory=list, description="Or these values alone.")

    @model_validator(mode="after")
    def _either_bounds_or_choices(self) -> Self:
        has_bounds = self.low is not None and self.high is not None and self.low < self.high
        if self.choices:
            is_valid = self.low is None and self.high is None and not self.log
        else:
            is_valid = has_bounds and (not self.log or (self.low or 0) > 0)
        if not is_valid:
            raise ValueError("low < high (with log: 0 < low) or choices, not both")
        return self

    @property
    def ends(self) -> list[Value]:
        """The values that must be valid for all in between to be."""
        return self.choices or [v for v in (self.low, self.high) if v is not None]

    def suggest(self, trial: Trial, name: str, is_integer: bool) -> Value:
        """A value of this trial."""
        if self.choices:
            return trial.suggest_categorical(name, self.choices)  # type: ignore[return-value]
        low, high = self.low or 0, self.high or 0
        if is_integer:
            return trial.suggest_int(name, int(low), int(high), log=self.log)
        return trial.suggest_float(name, float(low), float(high), log=self.log)


class Space(Section):
    """Fields of [training] and what each may be."""

    training: dict[str, Dimension] = Field(min_length=1, description="Field of [training] to its dimension.")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the space. Raises SettingsError: no such file or field, a bound or choice that the field refuses."""
        try:
            space = cls.model_validate(tomllib.loads(path.read_text()))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{path}: expected a TOML file, found {error}") from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise SettingsError(f"{path}: {place}: {first['msg']}, found {first.get('input')!r}") from error
        for name, dimension in space.training.items():
            _check(path, name, dimension)
        return space

    def settings(self, base: TrainingSettings, trial: Trial) -> TrainingSettings:
        """The settings of a trial: what the space does not name stays as in `base`."""
        kinds = {name: TrainingSettings.model_fields[name].annotation for name in self.training}
        found = {name: d.suggest(trial, name, kinds[name] is int) for name, d in self.training.items()}
        return with_values(base, found)


def with_values(base: TrainingSettings, values: dict[str, Any]) -> TrainingSettings:
    """The settings with some values changed, checked."""
    return TrainingSettings.model_validate(base.model_dump() | values)


def _check(path: Path, name: str, dimension: Dimension) -> None:
    searched = set(TrainingSettings.model_fields) - OF_THE_MACHINE
    if name not in searched:
        raise SettingsError(f"{path}: training.{name}: expected one of {', '.join(sorted(searched))}")
    for value in dimension.ends:
        try:
            with_values(TrainingSettings.model_validate({}), {name: value})
        except ValidationError as error:
            message = error.errors()[0]["msg"]
            raise SettingsError(f"{path}: training.{name}: {message}, found {value!r}") from error
