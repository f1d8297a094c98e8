import shutil
import subprocess
from pathlib import Path

import faulty
import pytest
from airflows import AIRFLOW, settings
from programs import ARCHIVE, DEMO, job_environment, submit_command


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of an Airflow with an empty database."""
    assert AIRFLOW.exists(), "make airflow first"
    home = tmp_path_factory.mktemp("airflow")
    subprocess.run([AIRFLOW / "airflow", "db", "migrate"], env=settings(home), check=True, capture_output=True)
    return home


@pytest.fixture
def home(migrated: Path, tmp_path: Path) -> Path:
    """A home of its own with an empty database."""
    shutil.copytree(migrated, tmp_path / "airflow", ignore=shutil.ignore_patterns("logs"))
    return tmp_path / "airflow"


@pytest.fixture(scope="session")
def calm_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What jobs/corpus.py makes of the sample archive."""
    root = tmp_path_factory.mktemp("calm") / "root"
    command = submit_command("corpus", "--input", ARCHIVE, "--root", root, "--config", DEMO)
    subprocess.run(command, cwd="/", env=job_environment(), check=True, capture_output=True)
    return root


@pytest.fixture(scope="session")
def calm(calm_root: Path) -> dict[str, bytes]:
    return faulty.result(str(calm_root))
