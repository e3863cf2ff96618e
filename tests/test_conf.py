"""The configuration files load, and their page says what the settings are."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from recsynth.checks.settings import WORDS
from recsynth.errors import SettingsError
from recsynth.settings import Settings
from recsynth.settings_page import ENTRIES, page

CONF = Path(__file__).parents[1] / "conf"
FILES = sorted(CONF.glob("*.toml"))
README = (CONF / "README.md").read_text()
ROW = re.compile(r"^\| `(?P<key>[a-z0-9_]+)` \| .* \| (?P<default>required|`.*?`) \| .* \|$", re.MULTILINE)


def test_the_page_is_what_the_declarations_say() -> None:
    assert page() == README, "run: python -m recsynth.settings_page > conf/README.md"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_configuration_loads_and_is_on_the_page(path: Path) -> None:
    assert Settings.load(path).sources
    assert f"| `{path.name}` |" in README


def test_every_setting_says_what_it_means() -> None:
    assert not [line for line in README.splitlines() if line.startswith("| `") and line.endswith("|  |")]


def test_the_defaults_on_the_page_are_a_configuration() -> None:
    lines = []
    for section in README.split("## Every setting")[1].split("\n### ")[1:]:
        name = section.split("\n", 1)[0].strip("`")
        # Of entries there is any number, and none by default.
        is_entry = name.startswith("[[") or name.strip("[").startswith(tuple(f"{e}." for e in ENTRIES.values()))
        lines += [name] if name.startswith("[") and not is_entry else []
        rows = () if is_entry else ROW.finditer(section)
        lines += [f"{row['key']} = {row['default'].strip('`')}" for row in rows]
    assert Settings.model_validate(tomllib.loads("\n".join(lines))) == Settings()


def test_the_examples_load(tmp_path: Path) -> None:
    source, rules = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "shop.toml").write_text(source + rules)
    settings = Settings.load(tmp_path / "shop.toml")
    assert settings.sources[0].event_types == {"BUY": "purchase", "RETURNED": "return"}
    assert [r.name for r in settings.checks.rules] == ["prices_are_plausible", "sellers_keep_their_share"]


def test_the_page_says_what_each_kind_of_rule_needs() -> None:
    assert {f"- `{kind}`: needs" in README for kind in WORDS} == {True}


def test_the_overrides_that_the_page_shows_are_taken() -> None:
    shown = [text.strip("'") for text in re.findall(r"`--set ([^`]*)`", README) if text != "section.key=value"]
    given = [re.sub(r"='(.*)$", r"=\1", text) for text in shown]
    settings = Settings.load(CONF / "tiny.toml", given)
    assert (settings.seed, settings.training.enabled) == (7, False)
    assert settings.gold.event_weights == {"purchase": 1.0, "cart": 0.3}
    assert settings.spark.extra == {"spark.ui.enabled": "false"}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("gold.half_life=3", "gold.half_life: Extra inputs are not permitted"),
        ("gold.half_life_days=-1", "gold.half_life_days: Input should be greater than 0, found -1"),
        ("shop_time_zone=Mars", "no such IANA time zone: Mars"),
    ],
)
def test_what_is_not_valid_is_named(override: str, message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        Settings.load(CONF / "tiny.toml", [override])
