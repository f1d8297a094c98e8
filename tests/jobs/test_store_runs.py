"""Whole runs with archives and corpus on a store that fails one request in twenty and lists late: the bytes of a run on
this disk."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import faulty
import pytest
from counted_store import CountedStore, counted_store
from programs import ARCHIVE

NAMES = ("sample-truncated.warc.gz", "sample.warc.wet.gz")
FLAGS = ["--presets", "none", "--validation-share", "0.6", "--vocab-size", "600"]

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1500)]

Submit = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A path list, so that archives have the same names wherever they lie."""
    path = tmp_path_factory.mktemp("listed") / "warc.paths"
    path.write_text("".join(f"{name}\n" for name in NAMES))
    return path


@pytest.fixture(scope="module")
def calm(submit: Submit, listed: Path) -> dict[str, bytes]:
    root = listed.parent / "root"
    where = ["--input", listed, "--prefix", f"{ARCHIVE}/", "--root", root]
    answer = submit("corpus", *where, *FLAGS, timeout=900)
    assert answer.returncode == 0, answer.stderr[-3000:]
    return faulty.result(str(root))


@pytest.fixture
def store() -> Iterator[CountedStore]:
    with counted_store({f"archive/{name}": (ARCHIVE / name).read_bytes() for name in NAMES}) as running:
        yield running


@pytest.mark.parametrize(
    ("flags", "master"),
    [([], "local[2]"), (["--partitions", "2", "--one-task-documents", "0"], "local-cluster[2,1,1024]")],
    ids=["processes", "executors"],
)
def test_a_store_that_fails_and_lists_late(
    submit: Submit, listed: Path, calm: dict[str, bytes], store: CountedStore, flags: list[str], master: str
) -> None:
    store.behave(failing=0.05, late=3, seed=1)
    where = ["--input", listed, "--prefix", "s3://corpus/archive/", "--root", "s3://corpus/root"]
    answer = submit("corpus", *where, *FLAGS, *flags, master=master, timeout=900)
    assert answer.returncode == 0, answer.stdout[-1000:] + answer.stderr[-3000:]
    assert store.counts().failed > 10
    store.behave()
    assert faulty.difference("s3://corpus/root", calm) == ""
