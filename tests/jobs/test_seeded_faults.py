"""A few of the seeded faults (tests/faulty.py), one of each kind; tests/bench/faults.py tries as many as one likes."""

from pathlib import Path

import faulty
import pytest

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return faulty.undisturbed(tmp_path_factory.mktemp("calm"))


@pytest.mark.parametrize("seed", range(len(faulty.KINDS)), ids=[kind.__name__ for kind in faulty.KINDS])
def test_run_again_it_ends_in_the_same_bytes(seed: int, calm: dict[str, bytes], tmp_path: Path) -> None:
    if faulty.KINDS[seed] is faulty.disk and not faulty.can_mount(tmp_path):
        pytest.skip("a small disk takes the right to mount one (root)")
    tried = faulty.trial(seed, tmp_path / "trial", calm)
    assert not tried.fault, tried
