"""Every command of docs/recipes.md runs as it stands there, in its order, on a corpus of our own."""

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
from indexes import rows_of, write_index
from programs import ARCHIVE, REPOSITORY, job_environment

from pipeline.spark.session import LazySession

PAGE = (REPOSITORY / "docs" / "recipes.md").read_text(encoding="utf-8")
RECIPES = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
YOURS = r"INDEX|ARCHIVES/|TABLE\.parquet|LABELLED\.jsonl|OTHER|pages\.txt|hosts\.txt"
OF_RUNS = {"8", "9", "10"}  # train or plan, which takes longer
# Said again behind the line's own flags.
LESS = {
    "train/pretrain.py": ["--steps", "2"],
    "train/evaluate.py": ["--languages", "eng_Latn", "--seeds", "1", "--bits-bytes", "512", "--masked-bytes", "512"],
}


def commands(recipe: str) -> list[str]:
    text = "".join(re.findall(r"```sh\n(.*?)```", recipe, re.DOTALL)).replace("\\\n", " ")
    return [" ".join(line.split()) for line in text.splitlines() if line]


def as_parameter(recipe: str) -> object:
    number = recipe.partition(".")[0]
    return pytest.param(recipe, id=number, marks=[pytest.mark.faults] if number in OF_RUNS else [])


@pytest.fixture(scope="module")
def place(corpus_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `demo/` and what is written in capitals lie."""
    folder = tmp_path_factory.mktemp("recipes")
    shutil.copytree(corpus_root, folder / "demo" / "corpus")
    archive = "sample.warc.gz"
    (folder / "ARCHIVES").mkdir()
    shutil.copy(ARCHIVE / archive, folder / "ARCHIVES")
    write_index(folder / "INDEX", rows_of(archive, (ARCHIVE / archive).read_bytes(), {"swa": "swa,eng", "eng": "eng"}))
    rows = {"key": ["a", "b", "c"], "body": ["the same words " * 9, "the same words " * 9, "others altogether"]}
    pq.write_table(pa.table(rows), folder / "TABLE.parquet")
    (folder / "pages.txt").write_text("https://eng-news.example.com/1\n")
    (folder / "hosts.txt").write_text("example.net\n")
    texts = [{"text": text, "language": "eng", "language_script": "Latn"} for text in ("The river is high.", "A day.")]
    (folder / "LABELLED.jsonl").write_text("".join(json.dumps(row) + "\n" for row in texts), encoding="utf-8")
    return folder


def test_there_are_ten() -> None:
    assert [recipe.partition(".")[0] for recipe in RECIPES] == [str(number) for number in range(1, 11)]
    assert all(1 <= len(commands(recipe)) <= 6 for recipe in RECIPES)


@pytest.mark.parametrize("recipe", [as_parameter(recipe) for recipe in RECIPES])
def test_a_recipe(
    recipe: str, spark: object, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setattr(LazySession, "local_cores", lambda _: 2)  # as for a user, who has no session yet
    for line in commands(recipe):
        program, *words = shlex.split(line)
        run(program, [there(place, word) for word in words], place)
    check(recipe.partition(".")[0], place, capsys.readouterr().out)


def there(place: Path, word: str) -> str:
    name, sign, path = word.rpartition("=")
    if not re.fullmatch(rf"demo/.*|{YOURS}", path):
        return word
    return f"{name}{sign}{place / path}{'/' if path.endswith('/') else ''}"


def run(program: str, words: list[str], place: Path) -> None:
    if program == "cp":
        assert words[0] == "-r"
        shutil.copytree(*words[1:])
    elif program == "torchrun":
        torchrun = str(Path(sys.executable).with_name("torchrun"))
        answer = subprocess.run(
            [torchrun, *words, *LESS[words[2]]], cwd=REPOSITORY, env={**job_environment(), "OMP_NUM_THREADS": "1"},
            capture_output=True, text=True, timeout=250,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr[-3000:]
        shutil.copytree(place / "demo/run/export", place / "OTHER")
    else:
        job = importlib.import_module(words[0].removesuffix(".py").replace("/", "."))
        assert job.main([*words[1:], *LESS.get(words[0], [])]) == 0


def check(number: str, place: Path, said: str) -> None:
    """That it did what the page says."""
    demo = place / "demo"
    ledgers = {path.parent.name: json.loads(path.read_text()) for path in demo.glob("swahili/*/_ledger.json")}
    if number == "1":
        assert ledgers["extract"]["rows_in"] < 10 and [*ledgers["sample"]["by_language"]] == ["swh_Latn"]
    if number == "2":
        assert "min_words = 150, before 50" in said and "rule gopher_quality:too_few_words" in said
    if number == "3":
        assert "eng-news.example.com/1" in said and "<html" in (demo / "page.html").read_text(encoding="utf-8")
    if number == "4":
        assert json.loads((demo / "deduplicated/_ledger.json").read_text())["rows_out"] == 2
    if number == "5":
        ledger = json.loads((demo / "december/dedup/_ledger.json").read_text())
        assert ledger["rows_in"] > 100 and ledger["rows_out"] == 0
    if number == "6":
        assert "dry run: nothing was changed" in said and list((demo / "stricter/removed").iterdir())
    if number == "7":
        old, new = (
            json.loads((demo / name / "report.json").read_text())["vocab_size"] for name in ("corpus/vocab", "more")
        )
        assert new > old
    if number == "9":
        assert "theirs" in (demo / "evaluation/evaluation.json").read_text(encoding="utf-8")
    if number == "10":
        assert "canary   1 archives came back" in said and "report   0 of" in said
