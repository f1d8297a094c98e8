"""Values of settings: read in their fields' types, held to their bounds and to one another."""

import json
import tomllib
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from schemas.errors import UserError
from train.config.fields import about
from train.config.load import Settings, build, load_config
from train.config.tables import OptimConfig, PretrainConfig

PATHS = ["--shards", "s", "--tokenizer", "t", "--output", "o"]
PLACES: Settings = {"data": {"shards": "a/s", "tokenizer": "t"}, "run": {"output": "o"}}


def config(**tables: dict[str, object]) -> PretrainConfig:
    return build({name: PLACES.get(name, {}) | tables.get(name, {}) for name in {**PLACES, **tables}})


def test_every_field_is_a_flag_and_reads_what_it_shows() -> None:
    values = config(
        model={"init": "folder", "global_rope_theta": 5e4},
        data={"token_cache": "c", "loader": "thread"},
        optim={"language_weights": {"eng_Latn": 0.5, "zho_Hans": "0:1,1000:0.5"}, "decay_shape": "cosine"},
        run={"tensorboard": False, "seed": (1 << 62) - 1},
    )
    flags = []
    for table, settings in values.tables().items():
        for one in fields(settings):
            value = getattr(settings, one.name)
            table_text = (
                ",".join(f"{k}={v.replace(',', ';')}" for k, v in value.items()) if isinstance(value, dict) else ""
            )
            text = table_text if isinstance(value, dict) else str(value)
            flags += [f"--{table}.{one.name}", text]
    assert load_config(flags) == values


def test_values_have_their_fields_types() -> None:
    text = "[data]\nshards = 's'\ntokenizer = 't'\nmicro_batch_tokens = 65_536.0\n[optim]\nlearning_rate = 1\n"
    read = build(tomllib.loads(text) | {"run": {"output": "o"}})
    assert read.data.shards == Path("s") and type(read.data.micro_batch_tokens) is int
    assert type(read.optim.learning_rate) is float
    assert read.run.tensorboard is True and read.data.token_cache is None


def test_the_cache_lies_beside_the_shards_unless_named() -> None:
    assert config().data.cache == Path("a/tokens")
    assert config(data={"token_cache": "c"}).data.cache == Path("c")


def test_a_bin_is_its_stream_s_share_of_a_step() -> None:
    assert config(data={"global_batch_tokens": 65536, "streams": 4}).data.bin_tokens == 16384


def test_a_config_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        config().run.steps = 3  # type: ignore[misc]


def test_tables_do_not_share_a_default_that_can_change() -> None:
    first, second = config().optim, config().optim
    first.language_weights["eng_Latn"] = "2"
    assert second.language_weights == {} == OptimConfig().language_weights


def test_a_config_goes_through_json() -> None:
    there = config(model={"init": "folder"}).as_dict()
    back = json.loads(json.dumps(there))
    assert back == there and back["model"]["init"] == "folder" and back["objectives"]["mlm"]["weight"] == "1"
    objectives = {f"objectives.{name}": table for name, table in back.pop("objectives").items()}
    assert build(back | objectives) == config(model={"init": "folder"})


SHARED = {
    "model": {
        "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "global_attn_every_n_layers",
        "local_attention", "global_rope_theta", "local_rope_theta", "architecture", "max_position_embeddings",
        "language_embedding", "language_dropout",
    },
    "data": {"max_seq_len", "global_batch_tokens", "streams", "window_tokens", "language_shares", "parallel_pairs"},
    "objectives.mlm": {"mlm_probability", "whole_word_masking"},
    "optim": set(),
    "run": {"seed"},
}  # fmt: skip


def test_what_a_resumed_run_must_share() -> None:
    """A field that decides which model it is or which data it has seen, and no field that may change."""
    there = config()
    tables = there.tables()
    assert {name: {one.name for one in fields(t) if about(one).fixed} for name, t in tables.items()} == SHARED
    expected = {f"{table}.{name}" for table, names in SHARED.items() for name in names}
    assert set(there.fixed()) == expected | {"objectives"}
    assert there.fixed()["data.max_seq_len"] == 1024
    assert json.loads(json.dumps(there.fixed())) == there.fixed()


@pytest.mark.parametrize("spelling", ["0.3", ".30", "3e-1", 0.3])
def test_a_share_of_another_spelling_is_the_same(spelling: object) -> None:
    assert config(**{"objectives.mlm": {"mlm_probability": spelling}}).fixed() == config().fixed()


@pytest.mark.parametrize("text", ["0:0.3,90%:0.3,100%:0.05", "0:0.3,1000:0.1", "0.15"])
def test_a_schedule_stays_as_it_was_written(text: str) -> None:
    assert load_config([*PATHS, "--mlm_probability", text]).objectives["mlm"].mlm_probability == text


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--steps", "0"], "steps = '0': it should be greater than or equal to 1; change --steps"),
        (["--steps", "many"], "steps = 'many': it should be an integer"),
        (["--steps", "1.5"], "steps = '1.5': it should be an integer"),
        (["--max_seq_len", "200000"], "max_seq_len = '200000': it should be less than or equal to 131072"),
        (["--learning_rate", "0"], "learning_rate = '0': it should be greater than 0"),
        (["--learning_rate", "nan"], "learning_rate = 'nan': it should be a number"),
        (["--ema_decay", "1"], "ema_decay = '1': it should be less than 1"),
        (["--device", "tpu"], "device = 'tpu': it should be 'auto', 'cpu' or 'cuda'"),
        (["--tensorboard", "maybe"], "tensorboard = 'maybe': it should be true or false"),
        (["--shards="], "shards = '': it should be a path"),
        (["--mlm_probability", "1.5"], "mlm_probability = '1.5': .*less than 1"),
        (["--mlm_probability", "90%:0.3,100%:0"], "mlm_probability = .*greater than 0"),
        (["--mlm_probability", "often"], "mlm_probability = 'often': schedule 'often'.*no number"),
        (["--objectives.mlm.weight", "0:1,100:-1"], "weight = '0:1,100:-1': its values should be 0 or more"),
        (["--objectives.mlm.weight", "90%:1,10:0"], "weight = '90%:1,10:0': .*mixes steps with shares"),
        (["--language_weights", "eng_Latn"], "language_weights = 'eng_Latn': it should be names with weights, as"),
        (["--language_weights", "a=1,b=-2"], "language_weights = .*: the weight of b should be 0 or more"),
        (["--language_weights", "a=1,b=inf"], "language_weights = .*: the weight of b: schedule 'inf': .* no number"),
        (["--language_weights", "a=0:1,1000:0.5"], "names with weights, .* with ; between the points of a schedule"),
        (["--language_weights", "a=1;b=2"], "the weight of a: schedule '1,b=2': .* no number"),
        (["--language_weights", "a=0:1;10:-1"], "the weight of a should be 0 or more"),
        (["--language_shares", "a=x"], "language_shares = {'a': 'x'}: they should be numbers"),
        (["--language_shares", "a"], "language_shares = 'a': it should be names with shares, as eng_Latn=0.9"),
        (["--language_shares", "a=-0.1"], "the share of a should be 0 to 1"),
        (["--language_shares", "a=0.7,b=0.4"], "they add up to 1.1, and should to 1 at most"),
        (["--language_weights", "a=9:1;5:1"], "the weight of a: schedule '9:1,5:1': positions must rise"),
        (
            ["--objectives.mlm.weight", "0"],
            r"all objectives \(mlm\) have weight 0 throughout the run: give one of them",
        ),
        (
            ["--objectives.mlm.weight", "0:0,9:1", "--objectives.nsp.weight", "0"],
            r"at step 0 .* \(mlm, nsp\) have weight 0",
        ),
        (["--objectives.mlm.weight", "50%:1,51%:0", "--steps", "100"], "at step 51 of the schedules all objectives"),
        (["--hidden_size", "100"], "hidden_size = 100 is no multiple of 8 \\* num_attention_heads = 48"),
        (["--global_batch_tokens", "100000"], "take 99984 or 100008 tokens"),
        (["--max_seq_len", "20000"], "is less than max_seq_len = 20000"),
        (["--micro_batch_tokens", "1024"], "micro_batch_tokens = 1024 is less than .* = 16384"),
        (["--warmup_ratio", "0.6", "--decay_ratio", "0.6"], "more than 1"),
    ],
)
def test_bad_values_are_named(flags: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        load_config([*PATHS, *flags])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("table", "name", "value", "message"),
    [
        ("run", "steps", True, "should be an integer"),
        ("run", "steps", 2.5, "should be an integer"),
        ("run", "steps", [3], "should be an integer"),
        ("run", "steps", float("inf"), "should be an integer"),
        ("optim", "learning_rate", True, "should be a number"),
        pytest.param("optim", "learning_rate", 10**400, "should be a number", id="beyond a float"),
        ("optim", "language_weights", {"eng_Latn": "x"}, "weight of eng_Latn: schedule 'x': 'x' is no number"),
        ("optim", "language_weights", {"eng_Latn": True}, "weight of eng_Latn: schedule 'True'"),
        ("optim", "language_weights", 3, "should be a table of weights"),
        ("run", "output", 3, "should be a path"),
        ("run", "device", ["cpu"], "should be 'auto', 'cpu' or 'cuda'"),
        ("run", "tensorboard", 3, "should be true or false"),
        ("objectives.mlm", "weight", True, "is no number"),
        ("objectives.mlm", "weight", [1], "is no number"),
    ],
)
def test_values_of_another_type_in_a_file_are_named(table: str, name: str, value: object, message: str) -> None:
    called = f"{table}.{name}" if name == "weight" else name  # others have a field of that name
    with pytest.raises(UserError, match=f"^{called} = .*{message}.*; change --{called}$"):
        config(**{table: {name: value}})
