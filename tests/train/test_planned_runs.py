"""Whole runs under a mixture with shares, caps and a schedule, as jobs/sample.py writes it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from training_runs import log, pretrain

from schemas.errors import UserError
from train.pretrain import main

BUDGET = 512  # tokens of a step, conftest's
PHASES: list[dict[str, Any]] = [
    {"fraction": 0.5, "method": "temperature", "temperature": 1.4, "shares": {"eng_Latn": 0.8, "rus_Cyrl": 0.2}},
    {"fraction": 0.5, "method": "unimax", "shares": {"eng_Latn": 0.3, "rus_Cyrl": 0.2, "zho_Hans": 0.5}},
]
ONE: list[dict[str, Any]] = [
    {"fraction": 1.0, "method": "natural", "shares": {"eng_Latn": 0.5, "rus_Cyrl": 0.4, "zho_Hans": 0.1}}
]


@pytest.fixture(scope="module")
def shards(corpus, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The corpus' shards with weights, under a schedule and a cap."""

    def make(schedule: list[dict[str, Any]], max_epochs: float) -> Path:
        root = tmp_path_factory.mktemp("planned")
        languages: dict[str, dict[str, Any]] = {}
        for path in sorted(corpus.shards.glob("data/*/*.parquet")):
            table = pq.read_table(path)
            weights = [(0.5, 1.0, 1.7)[number % 3] for number in range(len(table))]
            target = root / path.relative_to(corpus.shards)
            target.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table.append_column("weight", pa.array(weights, pa.float32())), target)
            if path.name.startswith("train"):
                sizes = [len(text.encode()) for text in table["text"].to_pylist()]
                entry = languages.setdefault(path.parent.name, {"documents": 0, "weighted": 0.0})
                entry["documents"] += len(table)
                entry["weighted"] += sum(weight * size for weight, size in zip(weights, sizes, strict=True))
                entry |= {"max_epochs": max_epochs, "epochs": 1.0}
        mixed = {"format": 2, "max_epochs": max_epochs, "languages": languages, "schedule": schedule}
        (root / "mixture.json").write_text(json.dumps(mixed), encoding="utf-8")
        return root

    return make


def figures(output: Path) -> dict[str, int]:
    """Tokens of an epoch of each language, from the record."""
    record = json.loads((output / "_run.json").read_text(encoding="utf-8"))
    return {name: entry["epoch_tokens"] for name, entry in record["inputs"]["languages"].items()}


def largest_steps(corpus, shards: Path, output: Path) -> int:
    """What the error says would work."""
    with pytest.raises(UserError, match=r"give --steps \d+, or set max_epochs = [\d.]+ in jobs/sample.py") as error:
        pretrain(corpus.flags(output, shards=shards, steps=10_000))
    return int(str(error.value).split("--steps ")[1].split(",")[0])


def test_a_run_to_its_end_shows_no_language_more_often_than_it_may(corpus, shards, tmp_path: Path, program) -> None:
    """With as many steps as the caps allow at all: every language is used up but for what packing left over."""
    root = shards(ONE, 1.5)
    steps = largest_steps(corpus, root, tmp_path / "run")
    flags = corpus.flags(tmp_path / "run", shards=root, steps=steps, eval_every=999, save_every=999, log_every=3)
    run = program(flags)
    output, errors = run.communicate(timeout=240)
    assert run.returncode == 0, errors
    assert f"plan: {steps * BUDGET:,} tokens in {steps} steps, of 3 languages; the corpus has about" in output
    assert "plan: natural: zho_Hans " in output
    assert "plan: used up, shown max_epochs times: eng_Latn, rus_Cyrl; the rest of their shares " in output
    lines = log(tmp_path / "run")
    for line in lines:
        for entry in line["languages"].values():
            assert entry["epochs"] <= entry["max_epochs"] == 1.5
    for name, tokens in figures(tmp_path / "run").items():
        last = lines[-1]["languages"][name]
        assert last["epochs"] == pytest.approx(last["tokens"] / tokens, abs=1e-3)
        assert last["epochs"] > 1.1


def test_a_schedule_is_followed(corpus, shards, tmp_path: Path, capsys) -> None:
    pretrain(corpus.flags(tmp_path, shards=shards(PHASES, 4), steps=12, eval_every=99, save_every=99))
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("plan: ")]
    assert printed[1].startswith("plan: phase 1 of 2, to step 6: temperature 1.4: eng_Latn ")
    assert printed[2].startswith("plan: phase 2 of 2, to step 12: unimax: ")
    chinese = [line["languages"]["zho_Hans"]["tokens"] for line in log(tmp_path)]
    assert not any(chinese[:6]) and all(chinese[6:])
    record = json.loads((tmp_path / "_run.json").read_text())
    assert [(one["number"], one["end"]) for one in record["plan"]["phases"]] == [(0, 6), (1, 12)]
    assert "zho_Hans" not in record["plan"]["phases"][0]["rates"]


def test_shares_of_tokens_by_language(corpus, shards, tmp_path: Path, capsys) -> None:
    """What was shown is what was asked, to what a window leaves open, and part of the run's identity."""
    flags = {"shards": shards(ONE, 30), "window_tokens": 1024, "eval_every": 99, "save_every": 99, "log_every": 5}
    asked = corpus.flags(tmp_path / "run", **flags, steps=20, language_shares="rus_Cyrl=0.8")
    pretrain(asked)
    printed = capsys.readouterr().out
    assert "plan: language_shares: rus_Cyrl 80 %; the mixture divides the rest, and its max_epochs hold" in printed
    assert "plan: natural: rus_Cyrl 80 %, eng_Latn " in printed
    plan = json.loads((tmp_path / "run" / "_run.json").read_text())["plan"]["phases"][0]["rates"]
    shown = {name: entry["tokens"] for name, entry in log(tmp_path / "run")[-1]["languages"].items()}
    assert plan["rus_Cyrl"] == pytest.approx(0.8)
    for name, tokens in shown.items():
        assert tokens / sum(shown.values()) == pytest.approx(plan[name], abs=0.03)
    with pytest.raises(UserError, match=r"language_shares = \{\}, but the run was started with \{'rus_Cyrl': 0.8\}"):
        pretrain(corpus.flags(tmp_path / "run", **flags, steps=20))
    pretrain(asked)  # nothing is left to do
    with pytest.raises(UserError, match="names rus_Cyr, which the shards do not have: did you mean rus_Cyrl"):
        pretrain(corpus.flags(tmp_path / "other", **flags, steps=20, language_shares="rus_Cyr=0.8"))


def test_stopped_and_resumed_is_the_same_run(corpus, shards, tmp_path: Path, stopped, capsys) -> None:
    root = shards(PHASES, 4)
    one, two = (corpus.flags(tmp_path / name, shards=root, steps=12) for name in ("one", "two"))
    pretrain(one)
    stopped(two, 7)
    capsys.readouterr()
    pretrain(two)
    assert "plan" not in capsys.readouterr().out
    assert log(tmp_path / "one") == log(tmp_path / "two")


def test_a_run_that_is_made_longer_and_then_shorter(corpus, shards, tmp_path: Path, stopped, capsys) -> None:
    root = shards(ONE, 4)
    flags = {"shards": root, "eval_every": 99, "save_every": 99}
    stopped(corpus.flags(tmp_path, **flags, steps=8), 5)
    capsys.readouterr()
    stopped(corpus.flags(tmp_path, **flags, steps=24), 12)
    assert "plan: 24 steps where it was 8: those to come are planned anew" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"steps = 4,000 of 512 tokens show .* give --steps \d+, or"):
        pretrain(corpus.flags(tmp_path, **flags, steps=4000))
    capsys.readouterr()
    pretrain(corpus.flags(tmp_path, **flags, steps=16))
    assert "plan: 16 steps where it was 24" in capsys.readouterr().out
    lines = log(tmp_path)
    assert [line["step"] for line in lines] == list(range(1, 17))
    assert all(entry["epochs"] <= 4 for entry in lines[-1]["languages"].values())


def test_other_shares_caps_or_weights_are_another_run(corpus, shards, tmp_path: Path) -> None:
    root = shards(ONE, 4)
    pretrain(corpus.flags(tmp_path / "run", shards=root, steps=1))
    path, text = root / "mixture.json", (root / "mixture.json").read_text()
    changed = [text.replace('"max_epochs": 4', '"max_epochs": 5'), text.replace('"zho_Hans": 0.1', '"zho_Hans": 0.2')]
    for other in changed:
        assert other != text
        path.write_text(other)
        with pytest.raises(UserError, match="is not what the run was started with"):
            pretrain(corpus.flags(tmp_path / "run", shards=root, steps=1))
    path.write_text(text)
    shard = next(root.glob("data/eng_Latn/train-*.parquet"))
    table = pq.read_table(shard)
    turned = pa.array(table["weight"].to_pylist()[::-1], pa.float32())
    pq.write_table(table.set_column(table.schema.get_field_index("weight"), "weight", turned), shard)
    with pytest.raises(UserError, match="is not what the run was started with"):
        pretrain(corpus.flags(tmp_path / "run", shards=root, steps=1))


def test_a_run_goes_on_after_pages_were_taken_down(corpus, shards, tmp_path: Path, stopped) -> None:
    """As jobs/remove.py leaves the shards: fewer rows in the same row groups, the same fingerprint in `_run.json`."""
    root = shards(ONE, 4)
    (root / "_run.json").write_text('{"fingerprint": "that of the corpus"}')
    flags = corpus.flags(tmp_path / "run", shards=root, steps=12, eval_every=99, save_every=99)
    stopped(flags, 5)
    gone = set()
    for path in root.glob("data/*/train-*.parquet"):
        with pq.ParquetFile(path) as file:
            groups = [file.read_row_group(number) for number in range(file.num_row_groups)]
        gone |= {one for group in groups for one in group["id"][:3].to_pylist()}
        with pq.ParquetWriter(path, groups[0].schema) as out:
            for group in groups:
                out.write_table(group.slice(3))
    path = root / "mixture.json"
    mixed = json.loads(path.read_text())
    for entry in mixed["languages"].values():
        entry |= {"documents": entry["documents"] - 6, "weighted": entry["weighted"] * 0.8}
    path.write_text(json.dumps(mixed))
    pretrain(flags)
    assert [line["step"] for line in log(tmp_path / "run")] == list(range(1, 13))
    assert len(gone) == 18
    (root / "_run.json").write_text('{"fingerprint": "of another corpus"}')
    with pytest.raises(UserError, match="is not what the run was started with"):
        pretrain(flags)


def test_too_many_steps_are_one_line_and_status_2(corpus, shards, tmp_path: Path, monkeypatch, capsys) -> None:
    root = shards(ONE, 2)
    monkeypatch.setattr("sys.argv", ["pretrain.py", *corpus.flags(tmp_path / "run", shards=root, steps=500)])
    assert main() == 2
    error = capsys.readouterr().err
    assert error.startswith(
        "pretrain: steps = 500 of 512 tokens show languages more often than max_epochs = 2 of mixture"
    )
    assert error.count("\n") == 1
    steps = int(error.split("--steps ")[1].split(",")[0])
    monkeypatch.setattr("sys.argv", ["pretrain.py", *corpus.flags(tmp_path / "run", shards=root, steps=steps + 1)])
    assert main() == 2
