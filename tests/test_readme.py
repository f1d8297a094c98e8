"""Every command of the README, docs/models.md and docs/operations.md runs as it stands there, in its order, on a corpus
of our own."""

import importlib
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from programs import DEMO, REPOSITORY, job_environment

from pipeline.spark.session import LazySession

README = (REPOSITORY / "README.md").read_text()
MODELS = (REPOSITORY / "docs" / "models.md").read_text()
OPERATIONS = (REPOSITORY / "docs" / "operations.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", README + MODELS + OPERATIONS, re.DOTALL)
LINES = [line for block in BLOCKS for line in block.replace("\\\n", " ").splitlines() if line and line[0] != "#"]
COMMANDS = list(dict.fromkeys(" ".join(line.split()) for line in LINES))
MAKERS = {line.split(" --output ")[1].split()[0]: line for line in COMMANDS if " --output " in line}
SOME = ["--languages", "eng_Latn", "deu_Latn"]
# Said again behind the line's own flags.
LESS = {
    "jobs/fit_classifier.py": ["--min-texts", "1"],
    "jobs/fit_language.py": ["--epochs", "1"],
    "train/bench.py": ["--seconds", "0.5"],
    "train/evaluate.py": ["--seeds", "1", "--bits-bytes", "512", "--masked-bytes", "512", *SOME],
    "train/finetune.py": ["--epochs", "1"],
    "train/fuse.py branch-train-merge": ["--steps", "10", "--runs", "ensemble", "--masked-bytes", "512"],
    "train/serve.py": ["--port", "0"],
}
OF_RUNS = ("demo/english", "demo/german", "branch-train-merge", "demo/united")  # need runs of their own
MADE = {"make demo", "make test", "make mbert-demo"}  # the test that is running, and what has a test of its own


def test_the_readme_holds_the_commands_that_this_test_knows() -> None:
    programs = {shlex.split(line, comments=True)[0] for line in COMMANDS}
    assert programs == {"make", "python", "spark-submit", "torchrun"}
    assert {" ".join(shlex.split(line, comments=True)) for line in COMMANDS if line.startswith("make")} == MADE
    targets = set(re.findall(r"`make ([\w-]+)", README))
    assert targets <= set(re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    """A second one of torch's, where another process has the core, doubles the time by waiting."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def demo(corpus_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `demo/` of the README, with a corpus in it and TABLE.parquet beside it."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(corpus_root, folder / "corpus")
    rows = {"key": ["a", "b", "c"], "body": ["the same words " * 9, "the same words " * 9, "others altogether"]}
    pq.write_table(pa.table(rows), folder / "TABLE.parquet")
    (folder / "pages.txt").write_text("https://eng-news.example.com/1\n")
    (folder / "hosts.txt").write_text("example.net\n")
    pq.write_table(pa.table({"id": ["d"], "text": ["the same words " * 9]}), folder / "NEW.parquet")
    lines = [f"{line}\n" for row in cleaned(corpus_root) if (line := labelled(row))]
    (folder / "LABELLED.jsonl").write_text("".join(lines), encoding="utf-8")
    for name, line in (
        ("GOOD", "The river rose in spring, and the {} bridge was closed. "),
        ("BAD", "{} river rose\n"),
    ):
        texts = [line.format(n % 97) * 12 + f"{n}" for n in range(150)]
        pq.write_table(pa.table({"text": texts}), folder / f"{name}.parquet")
    (folder / "SENTENCES.txt").write_text("The river is high.\nDer Fluss ist hoch.\n河水很高。\n", encoding="utf-8")
    (folder / "PARALLEL").mkdir()
    (folder / "DICTIONARY").mkdir()
    for language, words in (("eng_Latn", GERMAN.keys()), ("deu_Latn", GERMAN.values())):
        lines = "".join(f"{a} {b} {n}.\n" for n, a in enumerate(words) for b in words)
        (folder / "PARALLEL" / f"{language}.txt").write_text(lines, encoding="utf-8")
    pairs = "".join(f"{english}\t{german}\n" for english, german in GERMAN.items())
    (folder / "DICTIONARY" / "en_de.tsv").write_text(pairs, encoding="utf-8")
    for language, (sport, water) in TOPICS.items():
        (folder / "TOPICS" / language).mkdir(parents=True)
        for split, count in (("train", 40), ("dev", 8)):
            texts = [f"{n}\t{('sports', 'geography')[n % 2]}\t{(sport, water)[n % 2]} {n}\n" for n in range(count)]
            path = folder / "TOPICS" / language / f"{split}.tsv"
            path.write_text("index_id\tcategory\ttext\n" + "".join(texts), encoding="utf-8")
    return folder


TOPICS = {
    "eng_Latn": ("The team won the match", "The river is long"),
    "deu_Latn": ("Die Mannschaft gewann das Spiel", "Der Fluss ist lang"),
    "zho_Hans": ("球队赢了比赛", "河很长"),
}


GERMAN = {
    **{"the": "die", "and": "und", "in": "in", "of": "von", "river": "Fluss", "city": "Stadt", "water": "Wasser"},
    **{"house": "Haus", "day": "Tag", "year": "Jahr", "people": "Menschen", "time": "Zeit", "world": "Welt"},
}


def cleaned(root: Path) -> list[dict[str, str]]:
    columns = ["text", "language", "language_script"]
    return [
        row
        for file in root.glob("clean/documents/*.parquet")
        for row in pq.read_table(file, columns=columns).to_pylist()
    ]


def labelled(row: dict[str, str]) -> str:
    """Of documents in English and Thai a row of a table for jobs/fit_language.py."""
    if row["language"] not in ("eng", "tha"):
        return ""
    return json.dumps({**row, "source": "own", "licence": "CC0"}, ensure_ascii=False)


def as_parameter(line: str) -> object:
    long = any(word in line for word in OF_RUNS)
    return pytest.param(line, marks=pytest.mark.faults) if long else line


@pytest.mark.parametrize(
    "line", [as_parameter(line) for line in COMMANDS if line.startswith(("spark-submit", "python"))]
)
def test_commands(spark: object, demo: Path, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setattr(LazySession, "local_cores", lambda _: 2)  # as for a user, who has no session yet
    monkeypatch.setattr("train.served.listening.listen", lambda *asked: served.append(asked))
    served: list[object] = []
    make_what_is_read(demo, line)
    if "demo/other" in line and not (demo / "other").exists():
        if not (demo / "run").exists():
            train(demo)
        shutil.copytree(demo / "run", demo / "other")
    run(demo, line)
    assert bool(served) == ("train/serve.py" in line)


def make_what_is_read(demo: Path, line: str) -> None:
    """By the commands that write it, where they have not run."""
    for word in (one.rpartition("=")[2] for one in shlex.split(line)):
        for output, maker in MAKERS.items():
            reads = word == output or word.startswith(f"{output}/")
            if reads and maker != line and not Path(_in(demo, output)).exists():
                make_what_is_read(demo, maker)
                train(demo, maker) if maker.startswith("torchrun") else run(demo, maker)


def run(demo: Path, line: str) -> None:
    """In this process."""
    words = [str(_in(demo, word)) for word in shlex.split(line)[1:]]
    less = LESS.get(" ".join(words[:2]), LESS.get(words[0], []))
    less = less if "--map" not in words else []  # has one language beside the pivot
    job = importlib.import_module(words[0].removesuffix(".py").replace("/", "."))
    assert job.main([*words[1:], *less]) == 0


def train(demo: Path, line: str = MAKERS["demo/run"]) -> None:
    words = [str(_in(demo, word)) for word in shlex.split(line)]
    words[0] = str(Path(sys.executable).with_name("torchrun"))
    answer = subprocess.run(
        [*words, "--steps", "2"], cwd=REPOSITORY, env={**job_environment(), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr[-3000:]


def test_eight_commands_lead_from_shards_to_an_answer() -> None:
    assert len(re.findall(r"```sh\n", MODELS.partition("# Many models, one encoder")[0])) == 8


def test_the_trained_model_opens(demo: Path) -> None:
    from transformers import AutoModelForMaskedLM

    if not (demo / "run").exists():
        train(demo)
    assert AutoModelForMaskedLM.from_pretrained(demo / "run" / "export").config.model_type == "modernbert"


@pytest.mark.faults
def test_make_mbert_demo(tmp_path: Path) -> None:
    """From the sample archive to answers, with fewer steps."""
    command = ["make", "mbert-demo", f"MBERT={tmp_path / 'mbert'}", "MBERT_STEPS=20"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "The river is high" in done.stdout and "follows" in done.stdout
    config = json.loads((tmp_path / "mbert" / "run" / "export" / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["BertForPreTraining"]


def test_the_demo_config_is_the_one_of_make_demo() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    assert f"--config {DEMO.relative_to(REPOSITORY)}" in makefile


def _in(demo: Path, word: str) -> Path | str:
    """What is below the folder demo/, or is written in capitals, stands in the test's folder; NAME= before it stays."""
    name, sign, path = word.rpartition("=")
    named = re.match(
        r"demo/|TABLE|DEDUPED|NEW|LABELLED|GOOD|BAD|TOPICS|SENTENCES|PARALLEL|DICTIONARY|pages\.|hosts\.", path
    )
    if not named:
        return word
    there = demo / path.removeprefix("demo/")
    return f"{name}={there}" if sign else there


def test_the_toml_of_the_readme_is_read(tmp_path: Path) -> None:
    from pipeline.flags import load

    (block,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "corpus.toml").write_text(block)
    clean = load(str(tmp_path / "corpus.toml"), {}).clean
    assert clean.languages == ("eng", "tha", "amh")
    assert clean.by_language == {"tha": {"max_dup_5gram_char_share": 0.4}}
    assert {rule.reason for rule in clean.chosen_rules()} >= {"rule:thin", "fineweb:char_dup"}
    assert "fineweb:newlines" not in {rule.reason for rule in clean.chosen_rules()}


def test_the_tables_of_operations_are_those_of_their_rates() -> None:
    from bench.capacity import Rates, tables

    assert tables(Rates()) in OPERATIONS


def test_commands_that_need_a_cluster_name_what_is_there() -> None:
    blocks = re.findall(r"```console\n(.*?)```", OPERATIONS, re.DOTALL)
    named = {name for block in blocks for name in re.findall(r"(?<![\w/.])(?:docker|jobs|train)/[\w./-]+", block)}
    assert {"jobs/corpus.py", "docker/kubernetes", "docker/spark.Dockerfile"} <= named
    assert all((REPOSITORY / name).exists() for name in named)
    in_image = {name for block in blocks for name in re.findall(r"local:///opt/wanyu/(\S+)", block)}
    assert in_image == {"jobs/corpus.py"}
    targets = set(re.findall(r"^make (\w+)", "\n".join(blocks), re.MULTILINE))
    assert targets <= set(re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    flags = {flag for block in blocks for flag in re.findall(r"jobs/corpus.py(.*)", block.replace("\\\n", " "))}
    for line in flags:
        words = set(re.findall(r"--[\w-]+", line))
        assert words <= {"--input", "--prefix", "--root", "--config"}


def test_settings_of_operations_are_those_of_the_cluster() -> None:
    """A row of the page's table says what spark-defaults.conf sets."""
    conf = (REPOSITORY / "docker" / "kubernetes" / "spark-defaults.conf").read_text()
    given = dict(line.split() for line in conf.splitlines() if line and line[0] != "#")
    for name in ("executor.cores", "executor.memory", "executor.memoryOverhead", "task.maxFailures", "network.timeout"):
        assert f"| `spark.{name}` | {given[f'spark.{name}']} |" in OPERATIONS
