"""jobs/plan.py: a plan of the sample archive, and of a root that was made, beside what it took."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from programs import ARCHIVE, DEMO

from jobs import plan
from pipeline.estimates.intervals import COUNTS, TOTAL
from pipeline.estimates.prices import SHIPPED
from schemas.costs import COST
from schemas.records import STAGES


@pytest.fixture(scope="module")
def planned(corpus_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of all of the sample archive, by all of it."""
    from pipeline.spark.session import LazySession

    file = tmp_path_factory.mktemp("plan") / "plan.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LazySession, "local_cores", lambda _: 2)
        flags = ["--input", ARCHIVE, "--sample", 1, "--config", DEMO, "--cores", 2, "--output", file]
        assert plan.main([str(word) for word in flags]) == 0
    return file


def test_what_is_measured_whole_is_what_the_run_gave(planned: Path, corpus_root: Path) -> None:
    told = json.loads(planned.read_text())
    assert told["archives"] == len(told["measured"]) == 3 and told["cores"] == 2
    stages = told["stages"]
    assert set(stages) == {*STAGES, TOTAL, COUNTS}
    for stage in STAGES:
        ledger = json.loads((corpus_root / stage / "_ledger.json").read_text())
        cost = json.loads((corpus_root / stage / COST).read_text())
        estimate, low, high = stages[stage]["bytes_written"]
        assert low <= estimate <= high and estimate == pytest.approx(cost["bytes_written"], rel=0.25), stage
        assert stages[stage]["seconds"][0] > 0 and stages[stage]["peak_bytes"][0] > 50 << 20
        if stage == "extract":
            assert stages[COUNTS]["documents"][0] == ledger["rows_out"]
    assert stages[COUNTS]["kept"][0] == json.loads((corpus_root / "clean" / "_ledger.json").read_text())["rows_out"]
    assert stages[COUNTS]["texts"][0] == json.loads((corpus_root / "dedup" / "_ledger.json").read_text())["rows_out"]
    assert stages["sample"]["shuffle_bytes"][0] > 0 and stages[TOTAL]["dollars"][0] > 0


@pytest.mark.faults
def test_a_larger_whole_costs_more(
    planned: Path, tmp_path: Path, without_engine: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten times the one archive: a part of one of them is measured, and stands for all."""
    (tmp_path / "crawl").mkdir()
    for number in range(10):
        shutil.copy(ARCHIVE / "sample.warc.gz", tmp_path / "crawl" / f"{number}.warc.gz")
    flags = ["--input", tmp_path / "crawl", "--sample", 1e-9, "--config", DEMO, "--output", tmp_path / "p.json"]
    assert plan.main([str(word) for word in flags]) == 0
    said = capsys.readouterr().out
    assert "10 archives" in said and "run 4 of 4" in said and "on 400 cores" in said
    told = json.loads((tmp_path / "p.json").read_text())
    assert told["archives"] == 10 and all(name[1:2] == "-" for name in told["measured"])
    size = (ARCHIVE / "sample.warc.gz").stat().st_size
    extract = told["stages"]["extract"]
    assert extract["bytes_read"][0] == 10 * size
    small = json.loads(planned.read_text())["stages"]["extract"]
    assert extract["bytes_written"][0] > 3 * small["bytes_written"][0]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("plan-")]


def test_estimate_beside_measured(planned: Path, corpus_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan.main(["--actual", str(corpus_root), "--plan", str(planned)]) == 0
    lines = capsys.readouterr().out.splitlines()
    for stage in (*STAGES, "all"):
        rows = [line.split() for line in lines if line.startswith(stage)]
        assert {row[1] for row in rows} == {"time", "CPU", "memory", "shuffle", "written"}
        assert all(row[-1] in ("inside", "above", "below") for row in rows)


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def run(*argv: object) -> str:
        capfd.readouterr()
        assert plan.main([str(word) for word in argv]) == 2
        (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
        return line

    return run


def test_a_root_that_is_not_finished_and_one_of_an_older_version(
    planned: Path, corpus_root: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    shutil.copytree(corpus_root, tmp_path / "half", ignore=shutil.ignore_patterns("vocab"))
    line = refused("--actual", tmp_path / "half", "--plan", planned)
    assert "vocab is not finished" in line and "jobs/corpus.py" in line
    shutil.copytree(corpus_root, tmp_path / "old", ignore=shutil.ignore_patterns(COST))
    line = refused("--actual", tmp_path / "old", "--plan", planned)
    assert "extract does not say what it took" in line and "a version without costs" in line
    assert "no such folder" in refused("--actual", tmp_path / "none", "--plan", planned)


def test_a_takedown_and_a_compaction_keep_what_the_tables_took(
    planned: Path, corpus_root: Path, tmp_path: Path, without_engine: None
) -> None:
    from jobs import compact, remove
    from pipeline.estimates.actual import costs_of

    shutil.copytree(corpus_root, tmp_path / "root")
    (tmp_path / "pages.txt").write_text("https://eng-news.example.com/1\n")
    before = costs_of(str(corpus_root))
    assert remove.main(["--root", str(tmp_path / "root"), "--urls", str(tmp_path / "pages.txt")]) == 0
    assert costs_of(str(tmp_path / "root")) == before
    assert compact.main(["--root", str(tmp_path / "root")]) == 0
    assert costs_of(str(tmp_path / "root")) == before


def test_what_a_user_gets_wrong(tmp_path: Path, refused: Callable[..., str], corpus_root: Path) -> None:
    assert "give --input ARCHIVES" in refused()
    assert "--plan FILE.json" in refused("--actual", corpus_root)
    assert "no such file" in refused("--actual", corpus_root, "--plan", tmp_path / "none.json")
    assert "extract.sample" in refused("--input", ARCHIVE, "--sample", "2")
    assert "did you mean --cores" in refused("--input", ARCHIVE, "--core", "2")
    assert "no such file" in refused("--input", tmp_path / "none.warc.gz")
    prices = tmp_path / "prices.toml"
    prices.write_text(SHIPPED.read_text().replace("core_hour", "corehour", 1))
    assert "unknown key corehour" in refused("--input", ARCHIVE, "--prices", prices)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "mine.txt").write_text("")
    assert "name a new folder" in refused("--input", ARCHIVE, "--work", tmp_path / "work")
    assert (tmp_path / "work" / "mine.txt").exists()


def test_a_sample_that_gives_nothing(tmp_path: Path, refused: Callable[..., str], without_engine: None) -> None:
    line = refused("--input", ARCHIVE, "--sample", 1, "--min-words", 100000)
    assert "the sample does not come through all stages" in line and "larger --sample" in line
