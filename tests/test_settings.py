"""The settings: what is refused, how it is said, and that every field explains itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from recsynth.errors import SettingsError
from recsynth.section import Section
from recsynth.settings import Settings

CONF = Path(__file__).parents[1] / "conf"


def load(folder: Path, text: str = "", *overrides: str) -> Settings:
    file = folder / "shop.toml"
    file.write_text(text)
    return Settings.load(file, list(overrides))


def sections(kind: Any, seen: set[type[Section]]) -> Iterator[type[Section]]:
    """A section's class and, through lists and options, those of its fields."""
    if isinstance(kind, type) and issubclass(kind, Section):
        if kind not in seen:
            seen.add(kind)
            yield kind
            for field in kind.model_fields.values():
                yield from sections(field.annotation, seen)
    else:
        for argument in get_args(kind):
            yield from sections(argument, seen)


PICTURES = """[[sources]]
name = "goods"
kind = "items"
format = "parquet"
path = "*.parquet"
columns = { item_id = "id", title = "name", image_vector = "clip" }
"""
EVERY_FIELD = [(s.__name__, name) for s in sections(Settings, set()) for name in s.model_fields]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sed = 1", ["sed", "Extra inputs are not permitted"]),
        ("[gold]\nhalflife = 3", ["gold.halflife", "Extra inputs are not permitted"]),
        ('[gold]\nhalf_life_days = "long"', ["gold.half_life_days", "valid number", "'long'"]),
        ("[gold.windows]\ncount = 0", ["gold.windows.count", "greater than or equal to 1", "found 0"]),
        ("[ranking.ranker]\nsubsample = 1.5", ["ranking.ranker.subsample", "less than or equal to 1", "found 1.5"]),
        ('shop_time_zone = "Mars/Olympus"', ["shop_time_zone", "no such IANA time zone: Mars/Olympus"]),
        ("[gold.event_weights]\nstare = 1.0", ["gold.event_weights.stare", "found 'stare'"]),
        ("seed = ", ["expected TOML"]),
        (PICTURES, ["silver.image_size: expected how many numbers image_vector of source goods has, found 0"]),
    ],
)
def test_what_is_wrong_is_refused_with_file_key_expected_and_found(tmp_path: Path, text: str, said: list[str]) -> None:
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, text)
    for part in ["shop.toml", *said]:
        assert part in str(refused.value)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"seed.*gold\.half_life_days"):
        load(tmp_path, "seed = -1\n[gold]\nhalf_life_days = 0")


def test_an_absent_file_is_an_error_of_the_settings(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="expected a TOML file, found nothing"):
        Settings.load(tmp_path / "none.toml")


def test_overrides_win_over_the_file_and_the_last_one_wins(tmp_path: Path) -> None:
    text = "seed = 1\n[gold.windows]\ncount = 2\ndays = 7"
    found = load(tmp_path, text, "gold.windows.count=3", "gold.windows.count=5", "shop_time_zone=Europe/Berlin")
    assert (found.seed, found.gold.windows.count, found.gold.windows.days) == (1, 5, 7)
    assert found.shop_time_zone == "Europe/Berlin"


def test_an_override_makes_a_section_that_the_file_lacks_and_has_the_types_of_toml(tmp_path: Path) -> None:
    found = load(
        tmp_path, "", "candidates.als.rank=8", "simulate=true", 'ranking.item_filter="available and price > 0"'
    )
    assert (found.candidates.als.rank, found.simulate) == (8, True)
    assert found.ranking.item_filter == "available and price > 0"


@pytest.mark.parametrize(
    ("override", "said"),
    [("gold", "found no '='"), ("seed.deep=1", "expected seed to be a section"), ("gold.no=1", "gold.no")],
)
def test_a_wrong_override_is_refused(tmp_path: Path, override: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load(tmp_path, "seed = 1", override)


def test_the_hash_is_of_what_shapes_tables_alone(tmp_path: Path) -> None:
    plain = load(tmp_path)
    moved = load(tmp_path, "", "paths.lake=/elsewhere", "spark.shuffle_partitions=9")
    assert moved.config_hash == plain.config_hash
    assert load(tmp_path, "", "seed=2").config_hash != plain.config_hash


def test_paths_become_absolute_and_settings_never_change(tmp_path: Path) -> None:
    found = load(tmp_path, "", "paths.lake=data/lake")
    assert Path(found.paths.lake).is_absolute()
    with pytest.raises(ValueError, match="frozen"):
        found.seed = 3  # type: ignore[misc]


@pytest.mark.parametrize(("section", "name"), EVERY_FIELD)
def test_every_field_says_in_a_sentence_what_it_is(section: str, name: str) -> None:
    (kind,) = (s for s in sections(Settings, set()) if s.__name__ == section)
    said = kind.model_fields[name].description or ""
    assert said[:1].isupper() or said[:1] in "`<"
    assert said.endswith(".")


@pytest.mark.parametrize("file", sorted(CONF.glob("*.toml")), ids=lambda p: p.name)
def test_every_file_of_conf_loads(file: Path) -> None:
    assert Settings.load(file).sources
