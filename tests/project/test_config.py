"""Configuration files: every key, and one clear line for every mistake."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import jsonschema
import pytest

from trainlint.project.config import Config, Overrides, find_config, read_config
from trainlint.project.errors import ConfigError
from trainlint.project.schema import KEYS, json_schema, memory_size
from trainlint.project.selection import codes_of, enabled_codes, enabled_rules
from trainlint.project.settings import Settings
from trainlint.rules.registry import all_rules

from .conftest import Write

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EVERYTHING = """
select = ["LR", "grad-not-cleared"]
ignore = ["LR004"]
extend-select = ["image"]
exclude = ["gen"]
gpu = "RTX 3090"
gpu-memory = "24GiB"
world-size = 4
diff-base = "origin/main"
torch-version = "2.4"
frameworks = ["lightning"]
preview = true
levels = { LR001 = "error", image = "info" }

[per-file-ignores]
"scripts/*" = ["LP001"]

[rules]
"""


def test_every_key(write: Write) -> None:
    config = find_config(str(write({"trainlint.toml": EVERYTHING})))
    assert set(tomllib.loads(EVERYTHING)) == set(KEYS)
    assert config.select == ("LR", "grad-not-cleared")
    assert config.per_file_ignores == {"scripts/*": ("LP001",)}
    assert config.gpu_memory == 24 * 2**30
    assert config.levels == {"LR001": "error", "image": "info"}
    assert config.world_size == 4
    assert config.values()["torch-version"] == "2.4"


def test_the_schema_takes_it_and_refuses_others() -> None:
    schema = json_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(tomllib.loads(EVERYTHING), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"selct": []}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"levels": {"LR001": "fatal"}}, schema)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('selct = ["LR"]', [":1:", "'selct'", "did you mean 'select'?", "allowed: select, ignore"]),
        ("select = 3", [":1:", "'select' must be a list of strings"]),
        ("\nselect = [1]", [":2:", "'select' must be a list of strings"]),
        ('select = ["LR04"]', ["unknown rule 'LR04'", "did you mean 'LR004'?", "'select'"]),
        ('levels = { LR004 = "fatal" }', ["fatal", "error, warning, info, hint"]),
        ('levels = { LR404 = "error" }', ["LR404"]),
        ('[per-file-ignores]\n"a.py" = ["nope"]', [":1:", "'nope'"]),
        ("world-size = 0", ["whole number of at least 1"]),
        ("world-size = true", ["whole number of at least 1"]),
        ('gpu-memory = "much"', ["24GiB"]),
        ('torch-version = "new"', ["2.4"]),
        ('preview = "yes"', ["true or false"]),
        ("[rules.grad-not-clear]", ["grad-not-clear", "did you mean 'grad-not-cleared'?"]),
        ("[rules.grad-not-cleared]\nx = 1", [":2:", "'x'", "grad-not-cleared"]),
        ("select = [", ["is not valid TOML"]),
    ],
)
def test_mistakes_are_one_line(write: Write, monkeypatch: pytest.MonkeyPatch, body: str, words: list[str]) -> None:
    folder = write({"trainlint.toml": body})
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError) as caught:
        find_config(str(folder))
    message = str(caught.value)
    assert message.startswith("trainlint.toml")
    assert "\n" not in message
    for word in words:
        assert word in message


def test_not_utf8(write: Write) -> None:
    with pytest.raises(ConfigError, match="is not UTF-8"):
        find_config(str(write({"trainlint.toml": b"gpu = '\xff'"})))


def test_the_nearest_file_wins_whole(write: Write) -> None:
    folder = write(
        {
            "pyproject.toml": '[tool.trainlint]\nignore = ["LR004"]\ngpu = "A100"\n',
            "sub/pyproject.toml": '[tool.other]\nx = "trainlint"\n',
            "sub/deep/trainlint.toml": 'select = ["LR"]\n',
            "sub/deep/pyproject.toml": '[tool.trainlint]\nselect = ["IM"]\n',
        }
    )
    assert find_config(str(folder / "sub")).ignore == ("LR004",)
    deep = find_config(str(folder / "sub" / "deep"))
    assert (deep.select, deep.ignore, deep.gpu) == (("LR",), (), None)


def test_broken_toml_of_other_tools_is_not_ours(write: Write) -> None:
    folder = write({"sub/pyproject.toml": "[tool.other\n", "trainlint.toml": 'gpu = "A100"'})
    assert find_config(str(folder / "sub")).gpu == "A100"


def test_a_named_file_without_our_table_is_empty(write: Write) -> None:
    path = write({"pyproject.toml": "[project]\n"}) / "pyproject.toml"
    config = read_config(str(path), named=True)
    assert config is not None
    assert config.values() == {}
    assert read_config(str(path)) is None


@pytest.mark.parametrize(
    ("text", "size"), [("24GiB", 24 * 2**30), ("24 GB", 24 * 10**9), ("1.5GiB", 3 * 2**29), (7, 7), ("80g", 80 * 10**9)]
)
def test_memory_sizes(text: object, size: int) -> None:
    assert memory_size(text) == size


def codes(config: Config | None = None, **overrides: tuple[str, ...]) -> set[str]:
    return set(enabled_codes(config or Config(), Overrides(**overrides)))  # type: ignore[arg-type]


def family(name: str) -> set[str]:
    return set(codes_of([name]))


def test_by_default_no_hints_no_previews_no_internal_errors() -> None:
    chosen = codes()
    assert {"LR004", "LP001", "TR001", "TR002"} <= chosen
    assert "TR900" not in chosen
    for code, rule in all_rules().items():
        assert (code in chosen) == (rule.level != "hint" and not rule.preview)


def test_select_replaces_and_extend_select_adds() -> None:
    assert codes(Config(select=("learning-rate",))) == family("LR")
    assert codes(Config(select=("IM",)), select=("LR",)) == family("LR")
    assert codes(Config(select=("IM",)), extend_select=("LR004",)) == family("IM") | {"LR004"}


def test_the_more_exact_word_wins_in_one_place() -> None:
    assert codes(Config(select=("LR004",), ignore=("learning-rate",))) == {"LR004"}
    assert codes(Config(select=("LR",), ignore=("lr-out-of-range",))) == family("LR") - {"LR004"}
    assert codes(Config(select=("LR004",), ignore=("LR004",))) == set()


def test_the_command_line_comes_after_the_file() -> None:
    assert "LR004" in codes(Config(ignore=("LR004",)), extend_select=("LR004",))
    assert codes(Config(select=("LR004",)), ignore=("LR",)) == set()


def test_rules_of_codes_come_in_order() -> None:
    assert [rule.code for rule in enabled_rules({"LR004", "IM001"})] == ["IM001", "LR004"]


def test_per_file_ignores_and_exclude_are_relative_to_the_file(write: Write) -> None:
    folder = write(
        {
            "sub/trainlint.toml": 'exclude = ["gen", "*_pb.py"]\n'
            '[per-file-ignores]\n"scripts/*" = ["LR"]\n"a.py" = ["ALL"]',
            "sub/gen/x.py": "",
        }
    )
    settings = Settings(Overrides())
    top = str(folder / "sub")
    assert "LR004" not in settings.codes(os.path.join(top, "scripts", "b.py"))
    assert "LP001" in settings.codes(os.path.join(top, "scripts", "b.py"))
    assert settings.codes(os.path.join(top, "a.py")) == frozenset()
    assert "LR004" in settings.codes(os.path.join(top, "b.py"))
    assert settings.excluded(os.path.join(top, "gen"))
    assert settings.excluded(os.path.join(top, "x_pb.py"))
    assert not settings.excluded(os.path.join(top, "general.py"))


def test_overrides_change_the_stamp(write: Write) -> None:
    path = str(write({"trainlint.toml": "", "a.py": ""}) / "a.py")
    stamps = {Settings(o).stamp(path) for o in (Overrides(), Overrides(world_size=2), Overrides(select=("LR",)))}
    assert len(stamps) == 3


def test_a_named_configuration_holds_everywhere(write: Write, tmp_path: Path) -> None:
    write({"trainlint.toml": 'gpu = "A100"', "other.toml": 'gpu = "H100"'})
    settings = Settings(Overrides(config=str(tmp_path / "other.toml")))
    assert settings.config(str(tmp_path)).gpu == "H100"
    with pytest.raises(ConfigError, match="cannot read"):
        Settings(Overrides(config=str(tmp_path / "none.toml"))).config(str(tmp_path))
