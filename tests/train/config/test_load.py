"""Where a setting's value comes from, and what a user is told who writes a flag or a file wrongly."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import setuptools

from schemas.errors import UserError
from train.config.fields import setting
from train.config.load import PRESETS, load_config, parse_arguments, places_of_names
from train.config.objectives import OBJECTIVES

REPOSITORY = Path(__file__).resolve().parents[3]
PATHS = ["--shards", "s", "--tokenizer", "t", "--output", "o"]


def toml(folder: Path, text: str) -> list[str]:
    file = folder / "run.toml"
    file.write_text(text, encoding="utf-8")
    return [*PATHS, "--config", str(file)]


def test_flags_win_over_the_file_the_file_over_the_preset_the_preset_over_defaults(tmp_path: Path) -> None:
    flags = toml(tmp_path, "[run]\nsteps = 7\nseed = 5\n[model]\nnum_hidden_layers = 5\n")
    config = load_config([*flags, "--preset", "tiny", "--seed", "6", "--micro-batch-tokens=65536"])
    assert (config.run.seed, config.data.micro_batch_tokens) == (6, 65536)
    assert (config.run.steps, config.model.num_hidden_layers) == (7, 5)
    assert (config.model.hidden_size, config.data.max_seq_len) == (128, 256)
    assert (config.model.local_attention, config.run.save_every) == (128, 500)


def test_a_file_may_name_its_preset_and_the_flag_wins(tmp_path: Path) -> None:
    flags = toml(tmp_path, 'preset = "base"\n[model]\nnum_hidden_layers = 3\n')
    assert load_config(flags).model.hidden_size == 768
    assert load_config([*flags, "--preset", "tiny"]).model.hidden_size == 128
    assert load_config([*flags, "--preset", "tiny"]).model.num_hidden_layers == 3


@pytest.mark.parametrize("name", ["--micro_batch_tokens", "--micro-batch-tokens", "--data.micro-batch-tokens"])
@pytest.mark.parametrize("joined", [True, False])
def test_spellings_of_a_flag(name: str, joined: bool) -> None:
    flags = [f"{name}=70000"] if joined else [name, "70000"]
    assert load_config([*PATHS, *flags]).data.micro_batch_tokens == 70000


def test_the_last_of_a_flag_s_values_holds() -> None:
    assert load_config([*PATHS, "--steps", "3", "--run.steps", "4"]).run.steps == 4


def test_masked_language_modelling_is_the_first_objective_and_others_are_those_that_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dataclass(frozen=True)
    class Other:
        weight: str = setting("2", "of the objective in the loss")

    assert list(load_config(PATHS).objectives) == ["mlm"]
    assert load_config([*PATHS, "--objectives.mlm.weight", "3"]).objectives["mlm"].weight == "3"
    monkeypatch.setitem(OBJECTIVES, "other", Other)
    assert list(load_config(toml(tmp_path, "[objectives.other]\n")).objectives) == ["mlm", "other"]
    both = load_config([*toml(tmp_path, "[objectives.other]\nweight = 3\n"), "--mlm-probability", "0.2"])
    assert set(both.objectives) == {"mlm", "other"}
    assert (both.objectives["other"].weight, both.objectives["mlm"].mlm_probability) == ("3", "0.2")
    with pytest.raises(UserError, match=r"--weight is in 11 tables: write .*, as --objectives\.mlm\.weight"):
        load_config([*PATHS, "--weight", "1"])


def test_the_tables_of_jobs_are_passed_over_in_the_same_file(tmp_path: Path) -> None:
    others = "[sample]\ntemperature = 1.4\n[vocab]\nmodel = 'wordpiece'\n[clean.rules]\nthin = 'n_words < 9'\n"
    assert load_config(toml(tmp_path, f"{others}[run]\nsteps = 7\n")).run.steps == 7


def test_a_dry_run_is_told_beside_the_config() -> None:
    assert parse_arguments([*PATHS, "--dry-run"]) == (load_config(PATHS), True)
    assert not parse_arguments(PATHS)[1]


def test_weights_of_languages_from_a_flag_take_the_place_of_the_file_s(tmp_path: Path) -> None:
    flags = toml(tmp_path, "[optim.language_weights]\neng_Latn = 3\nzho_Hans = '50%:1,100%:0.2'\n")
    assert load_config(flags).optim.language_weights == {"eng_Latn": "3", "zho_Hans": "50%:1,100%:0.2"}
    weights = load_config([*flags, "--language_weights", "deu_Latn=.50, zho_Hans=0:1;1000:0.5"]).optim.language_weights
    assert weights == {"deu_Latn": "0.5", "zho_Hans": "0:1,1000:0.5"}


@pytest.mark.parametrize("name", sorted(path.stem for path in PRESETS.glob("*.toml")))
def test_every_preset_is_a_whole_config(name: str) -> None:
    config = load_config([*PATHS, "--preset", name])
    assert config.data.bin_tokens >= config.data.max_seq_len


def test_presets_are_installed() -> None:
    """Package data is that of packages alone."""
    assert "train.config.presets" in setuptools.find_packages(str(REPOSITORY))


def test_the_demo_config_is_one() -> None:
    config = load_config([*PATHS, "--config", str(REPOSITORY / "train" / "configs" / "demo.toml")])
    assert (config.run.steps, config.model.hidden_size, config.data.eval_tokens) == (50, 128, 2048)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--step", "5"], "unknown argument --step: did you mean --steps?"),
        (["--learning-rte=1"], "unknown argument --learning-rte=1: did you mean --learning_rate?"),
        (["--data.steps", "5"], "unknown argument --data.steps: did you mean --run.steps?"),
        (["--xyzzy", "5"], "unknown argument --xyzzy: see --help"),
        (["steps"], "unknown argument steps: flags begin with --"),
        (["--steps"], "--steps expected one argument"),
        (["--steps", "--seed", "5"], "--steps expected one argument"),
        (["--dry-run=5"], "--dry-run takes no value"),
        (["--preset", "bas"], "there is no preset bas: take one of base, bert, large, small, tiny"),
        (["--config", "nowhere.toml"], "nowhere.toml: No such file"),
        (
            ["--preset", "bert", "--max_seq_len", "1024"],
            "max_seq_len = 1024 is more than max_position_embeddings = 512: make the sequences shorter",
        ),
        (["--architecture", "roberta"], "it should be 'modernbert' or 'bert'"),
        (["--export_language", "deu_Latn"], "export_language = deu_Latn, but the run has no language embedding"),
        (["--language_dropout", "1.5"], "language_dropout = '1.5': it should be less than 1"),
        (["--language_dropout", "0"], "language_dropout = '0': it should be greater than 0"),
        (
            ["--objectives.distillation.temperature", "0"],
            "objectives.distillation.temperature = '0': it should be greater than 0; "
            "change --objectives.distillation.temperature",
        ),
    ],
)
def test_bad_flags_are_named(flags: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        load_config([*PATHS, *flags])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[model]\nhiden_size = 8\n", r"unknown key hiden_size under \[model\] of .*: did you mean hidden_size\?"),
        ("[data]\nsteps = 8\n", r"unknown key steps under \[data\] of .*: it belongs under \[run\]"),
        ("[objectives.mlm]\nwieght = 8\n", r"unknown key wieght under \[objectives.mlm\].*: did you mean weight\?"),
        ("[vocabb]\n", r"unknown table vocabb of .*: did you mean vocab\?"),
        ("[modle]\n", r"unknown table modle of .*: did you mean model\?"),
        ("[objectives.mlmm]\n", r"unknown objective mlmm of .*: did you mean mlm\?"),
        ("[objectives]\nmlm = 3\n", r"objectives.mlm is no table; write its keys under \[objectives.mlm\]"),
        ("run = 3\n", r"run is no table; write its keys under \[run\]"),
        ("[run\n", "is no TOML"),
        ("[run]\nsteps = 'x'\n", "steps = 'x': it should be an integer; change --steps"),
        ("preset = 3\n", "there is no preset 3"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        load_config(toml(tmp_path, text))
    assert "\n" not in str(error.value)


def test_a_missing_path_is_named() -> None:
    with pytest.raises(UserError, match=r"shards is not set: give --shards or shards under \[data\]"):
        load_config([])


def test_help_names_every_field_and_marks_what_a_resumed_run_must_share(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        load_config(["--help"])
    text = capsys.readouterr().out
    assert not end.value.code
    assert "\n[objectives.mlm]\n" in text and "--hidden_size*: " in text and "--steps: " in text
    assert all(f"--{name}" in text for name in places_of_names())
    assert max(map(len, text.splitlines())) <= 120


def test_settings_are_read_without_torch_and_pydantic() -> None:
    """--help and a wrong flag need not wait for torch, and training machines have no pydantic."""
    program = "import train.config.load, sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "train" in loaded and not {"torch", "pydantic"} & set(loaded)


def test_a_table_of_folders_is_a_flag_too(tmp_path: Path) -> None:
    file = "[model.teachers]\neng_Latn = 'a'\n'*' = 'b/c'\n[objectives.relations]\nrelation_heads = 4\n"
    expected = {"eng_Latn": Path("a"), "*": Path("b/c")}
    assert load_config(toml(tmp_path, file)).model.teachers == expected
    flags = ["--teachers", "eng_Latn=a, *=b/c", "--objectives.relations.relation_heads", "4"]
    assert load_config([*PATHS, *flags]).model.teachers == expected
    assert load_config([*PATHS, *flags]).as_dict()["model"]["teachers"] == {"eng_Latn": "a", "*": "b/c"}
    for wrong, said in (
        ("eng_Latn=", "that of eng_Latn should be a path"),
        ("a", "it should be names with paths, as eng_Latn=DIR"),
    ):
        with pytest.raises(UserError, match=said):
            load_config([*PATHS, "--teachers", wrong])
    with pytest.raises(UserError, match="that of eng_Latn should be a path"):
        load_config(toml(tmp_path, "[model.teachers]\neng_Latn = 3\n"))
