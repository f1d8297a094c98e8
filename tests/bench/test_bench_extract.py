"""The benchmark of extract: its archives hold what they say, and its figures are of what it ran."""

import gzip
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from bench import extract as bench
from programs import ARCHIVE
from warcs import LIMITS

from pipeline.archive.records import Page, read_archive
from pipeline.exit_status import run_to_exit_status
from schemas.errors import UserError


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("web")
    shutil.copy(ARCHIVE / "sample.warc.gz", folder)
    return folder


def items(path: Path) -> list:
    with path.open("rb") as file:
        return list(read_archive(file, name=path.name, limits=LIMITS))


def test_copies_are_the_set_under_new_addresses(web: Path, tmp_path: Path) -> None:
    one = len(list(bench.responses(web)))
    assert bench.write_copies(web, tmp_path, 2 * one + 50, 6) == 6
    files = sorted(tmp_path.iterdir())
    found = [items(path) for path in files]
    everything = [item for some in found for item in some]
    assert len(everything) == 2 * one + 50 == len({item.record_id for item in everything})
    assert len({item.url for item in everything}) > 0.9 * len(everything)  # the sample itself has addresses twice
    bodies = Counter(item.body for item in everything if isinstance(item, Page))
    original = Counter(item.body for item in items(web / "sample.warc.gz") if isinstance(item, Page))
    assert set(bodies) == set(original) and all(2 * original[body] <= bodies[body] for body in original)
    for some in found:  # a page is in an archive as often as in the set
        here = Counter(item.body for item in some if isinstance(item, Page))
        assert all(here[body] <= original[body] for body in here)
    sizes = [len(gzip.decompress(path.read_bytes())) for path in files]
    assert max(sizes) - min(sizes) <= 2 * max(len(record) for record in bench.responses(web))


def test_too_few_archives_are_refused(web: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--archives 2 are too few"):
        bench.write_copies(web, tmp_path, 3 * len(list(bench.responses(web))), 2)


def test_pages_of_the_large_archive_all_differ(web: Path, tmp_path: Path) -> None:
    path = tmp_path / "large.warc.gz"
    size = 2 * (web / "sample.warc.gz").stat().st_size
    pages = bench.write_large(web, path, size)
    found = items(path)
    assert len(found) == pages > 200 and size <= path.stat().st_size < 1.1 * size
    assert not any(item.reason == "corrupt" for item in found if not isinstance(item, Page))
    assert len({item.record_id for item in found}) == pages
    bodies = Counter(item.body for item in found if isinstance(item, Page))
    original = Counter(item.body for item in items(web / "sample.warc.gz") if isinstance(item, Page))
    assert max(bodies.values()) <= max(original.values())


def test_engines_and_memory(web: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work, figures = tmp_path / "work", tmp_path / "figures.json"
    given = [str(web), "--work", str(work), "--parts", "engines", "memory", "--engine-pages", "20", "--gib", "0.0004"]
    assert run_to_exit_status(bench.body, [*given, "--json", str(figures)]) == 0
    found = json.loads(figures.read_text())
    assert 15 <= found["engines"]["pages"] <= 30 and not found["engines"]["failed"]
    seconds = found["engines"]["seconds"]
    assert set(seconds) == {"read", "decode", "metadata", "blocks", "trafilatura", "resiliparse"}
    assert all(spent > 0 for spent in seconds.values())
    small, large = found["memory"]
    assert 5 * small["pages"] < large["pages"] and large["peak_bytes"] >= large["largest_process_bytes"] > 30 << 20
    said = capsys.readouterr().out
    assert "below 1 GB" in said and "trafilatura" in said
    assert {file.name for file in work.iterdir()} == {"bench.txt", "memory.log"}


def test_the_peers_figures_are_those_of_its_stage(tmp_path: Path) -> None:
    """A stand-in that says what it is given."""
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\necho {noise\necho \'{"seconds": {"extract": 7.5, "filter": 1}, "docs": {"extract": 3}}\'\n'
        'echo "$@" > ' + f"{tmp_path}/said\n"
    )
    python.chmod(0o755)
    found = bench.run_peer(tmp_path / "archives", tmp_path, str(python), "tool.py", "lid.ftz")
    assert (found["seconds"], found["documents"]) == (7.5, 3)
    words = (tmp_path / "said").read_text().split()
    assert words[:2] == ["tool.py", str(tmp_path / "archives")] and words[3] == "lid.ftz"
    python.write_text("#!/bin/sh\necho no datatrove; exit 1\n")
    with pytest.raises(UserError, match="the peer ended with status 1"):
        bench.run_peer(tmp_path / "archives", tmp_path, str(python), "tool.py", "lid.ftz")


@pytest.mark.parametrize(
    ("argv", "said"),
    [(["--peer", "python"], "--peer needs --peer-tool"), (["--gib", "0.1"], "holds other things")],
)
def test_what_cannot_be_run_is_refused(
    argv: list[str], said: str, web: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "answer").mkdir()
    assert run_to_exit_status(bench.body, [str(web), "--work", str(tmp_path), *argv]) == 2
    assert said in capsys.readouterr().err and [*tmp_path.iterdir()] == [tmp_path / "answer"]
