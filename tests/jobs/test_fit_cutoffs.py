import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bench import ngram_models
from pyspark.sql import SparkSession
from scores.articles import ARTICLES

from jobs import fit_cutoffs
from pipeline.scores.perplexity import Perplexity

N = 240


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for stem, code in (("en", "eng"), ("zh", "cmn")):
        ngram_models.learn([ARTICLES[code]] * 4, folder, stem, pieces=60, order=2)
    return folder


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Perplexities of 240 Chinese and 20 English documents, one of a language without a model, some without any."""
    values = np.random.default_rng(4).permutation(np.arange(N) * 1.5 + 10)
    rows = [{"id": f"z{i}", "text": "字", "language": "cmn", "perplexity": float(x)} for i, x in enumerate(values)]
    rows += [{"id": f"e{i}", "text": "x", "language": "eng", "perplexity": 5.0 + i} for i in range(20)]
    rows += [{"id": f"t{i}", "text": "x", "language": "tha", "perplexity": 5.0 + i} for i in range(N)]
    rows += [
        {"id": f"n{i}", "text": "x", "language": "cmn", "perplexity": [None, float("nan")][i % 2]} for i in range(9)
    ]
    folder = tmp_path_factory.mktemp("table")
    for part in range(3):
        pq.write_table(pa.Table.from_pylist(rows[part::3]), folder / f"{part}.parquet")
    return folder


def test_cutoffs_are_percentiles_of_a_table_s_perplexities(
    spark: SparkSession, models: Path, table: Path, tmp_path: Path
) -> None:
    place = Path(shutil.copytree(models, tmp_path / "models"))
    flags = ["--input", str(table), "--perplexity", str(place)]
    assert fit_cutoffs.main([*flags, "--min-texts", "100"]) == 0
    lines = (place / "cutoff.csv").read_text().splitlines()
    assert lines[0] == ",zh" and len(lines) == 102
    exact = np.percentile(np.arange(N) * 1.5 + 10, np.arange(101))
    assert [float(line.split(",")[1]) for line in lines[1:]] == pytest.approx(exact.tolist(), abs=0.051)
    assert Perplexity(str(place))._cutoffs == {"cmn": (float(lines[31].split(",")[1]), float(lines[61].split(",")[1]))}
    written = (place / "cutoff.csv").read_bytes()
    assert fit_cutoffs.main([*flags, "--min-texts", "100", "--partitions", "3"]) == 0
    assert (place / "cutoff.csv").read_bytes() == written
    assert fit_cutoffs.main([*flags, "--min-texts", "5", "--where", "language = 'eng' and perplexity < 15"]) == 0
    assert (place / "cutoff.csv").read_text().startswith(",en\n0,5.0\n")


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--input", "TABLE", "--min-texts", "9000"], "no language has 9000 perplexities"),
        (["--input", "TABLE", "--where", "what = 1"], "--where 'what = 1' is no condition"),
        (["--input", "TABLE/none"], "no such table"),
        (["--input", "BARE"], "has no column 'perplexity'; clean it with --perplexity"),
        ([], "give one of --root ROOT and --input TABLE"),
    ],
)
def test_a_mistake_is_told_in_a_line(
    flags: list[str], told: str, spark: SparkSession, models: Path, table: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    pq.write_table(pa.table({"id": ["a"], "text": ["x"], "language": ["eng"]}), tmp_path / "bare.parquet")
    places = {"TABLE": str(table), "BARE": str(tmp_path / "bare.parquet")}
    given = [flag.replace("TABLE", places["TABLE"]).replace("BARE", places["BARE"]) for flag in flags]
    assert fit_cutoffs.main([*given, "--perplexity", str(models)]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert told in said[-1] and not (models / "cutoff.csv").exists()
