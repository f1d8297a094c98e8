"""A few of the seeded faults (tests/faulty.py), of the kinds that no other test has: stores that fail are
test_store_runs.py's, executors that are lost test_standalone.py's. tests/bench/faults.py tries as many as one likes."""

from pathlib import Path

import faulty
import pytest

KINDS = (faulty.driver, faulty.page, faulty.disk, faulty.clock, faulty.writers)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return faulty.undisturbed(tmp_path_factory.mktemp("calm"))


@pytest.mark.parametrize("kind", KINDS, ids=[kind.__name__ for kind in KINDS])
def test_run_again_it_ends_in_the_same_bytes(kind: faulty.Fault, calm: dict[str, bytes], tmp_path: Path) -> None:
    if kind is faulty.disk and not faulty.can_mount(tmp_path):
        pytest.skip("a small disk cannot be mounted here: needs root")
    tried = faulty.trial(faulty.KINDS.index(kind), tmp_path / "trial", calm)
    assert not tried.fault, tried
