"""What images do, without Docker: the wheel from what .dockerignore lets in, entrypoint.sh, names that must agree."""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import zipfile
from pathlib import Path

import pyspark
import pytest
import yaml
from programs import ARCHIVE, QUICK, REPOSITORY, job_environment

DOCKER = REPOSITORY / "docker"
KUBERNETES = DOCKER / "kubernetes"
DOCKERFILES = sorted(DOCKER.glob("*.Dockerfile"))


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `docker build .` gets."""
    folder = tmp_path_factory.mktemp("context")
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    for name in (line.removeprefix("!") for line in ignored if line.startswith("!")):
        source, target = REPOSITORY / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return folder


@pytest.fixture(scope="module")
def installed(context: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of an image, installed by itself."""
    wheels, target = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    environment = {**os.environ, "WANYU_REVISION": "0123abc"}
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(context)]
    subprocess.run(build, env=environment, check=True, capture_output=True)
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", str(target), str(wheel)], check=True)
    return target


def test_a_wheel_knows_the_revision_that_its_build_was_told(installed: Path) -> None:
    asked = "from schemas.code_revision import code_revision; print(code_revision())"
    environment = {**job_environment(), "PYTHONPATH": str(installed)}
    answer = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, text=True, cwd="/")
    assert answer.stdout == "0123abc\n"


def test_a_checkout_asks_git() -> None:
    from schemas.code_revision import code_revision

    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True).stdout.strip()
    assert code_revision().removesuffix("-dirty") == head


def test_a_folder_that_a_repository_ignores_has_no_revision(tmp_path: Path) -> None:
    """As an environment below somebody's checkout: the commit there is not this code's."""
    from schemas.code_revision import of_sources

    for command in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a", "commit", "-q", "--allow-empty", "-m", "a"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / "site-packages").mkdir()
    assert of_sources(tmp_path / "site-packages") == "unknown"


def test_the_wheel_has_every_program_and_its_data(installed: Path) -> None:
    for program in ("jobs/corpus.py", "jobs/demo.toml", "train/pretrain.py", "train/configs/demo.toml"):
        assert (installed / program).is_file(), program
    answer = subprocess.run(
        [sys.executable, installed / "jobs" / "corpus.py", "--help"], cwd="/", capture_output=True, text=True,
        env={**job_environment(), "PYTHONPATH": str(installed)},
    )  # fmt: skip
    assert answer.returncode == 0 and "--root" in answer.stdout


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda file: file.name)
def test_what_a_dockerfile_copies_is_in_its_context(context: Path, dockerfile: Path) -> None:
    for words in re.findall(r"^COPY (?!--from)(.*)", dockerfile.read_text(), re.MULTILINE):
        for name in words.split()[:-1]:
            assert (context / name).exists(), name


EXECUTOR = {
    "SPARK_DRIVER_URL": "spark://CoarseGrainedScheduler@10.0.0.1:7078",
    "SPARK_EXECUTOR_ID": "7",
    "SPARK_EXECUTOR_CORES": "4",
    "SPARK_EXECUTOR_MEMORY": "4096m",
    "SPARK_APPLICATION_ID": "spark-1",
    "SPARK_EXECUTOR_POD_IP": "10.0.0.2",
    "SPARK_RESOURCE_PROFILE_ID": "0",
    "SPARK_EXECUTOR_POD_NAME": "exec-7",
    **{f"SPARK_JAVA_OPT_{n}": f"-Dn={n} blank" for n in range(11)},
}


@pytest.fixture
def stubs(tmp_path: Path) -> dict[str, str]:
    """JAVA_HOME and SPARK_HOME whose programs print a line an argument."""
    for name in ("bin/java", "bin/spark-submit", "bin/spark-class"):
        program = tmp_path / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" {name.removeprefix("bin/")} "$@"\n')
        program.chmod(0o755)
    return {"JAVA_HOME": str(tmp_path), "SPARK_HOME": str(tmp_path), "PATH": os.environ["PATH"]}


def enter(environment: dict[str, str], *arguments: str) -> list[str]:
    answer = subprocess.run([DOCKER / "entrypoint.sh", *arguments], env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.splitlines()


def test_an_executor_s_variables_become_its_command(stubs: dict[str, str]) -> None:
    java, *words = enter({**stubs, **EXECUTOR}, "executor")
    assert java == "java"
    assert words[:11] == [f"-Dn={n} blank" for n in range(11)]  # 10 behind 9
    assert words[11:14] == ["-Xms4096m", "-Xmx4096m", "-cp"] and f"{stubs['SPARK_HOME']}/jars/*" in words[14].split(":")
    assert words[15] == "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend"
    flags = dict(zip(words[16::2], words[17::2], strict=True))
    assert flags == {
        "--driver-url": EXECUTOR["SPARK_DRIVER_URL"], "--executor-id": "7", "--cores": "4", "--app-id": "spark-1",
        "--hostname": "10.0.0.2", "--resourceProfileId": "0", "--podName": "exec-7",
    }  # fmt: skip


def test_an_executor_without_a_variable_says_which(stubs: dict[str, str]) -> None:
    less = {name: value for name, value in EXECUTOR.items() if name != "SPARK_DRIVER_URL"}
    answer = subprocess.run(
        [DOCKER / "entrypoint.sh", "executor"], env={**stubs, **less}, capture_output=True, text=True
    )
    assert answer.returncode and "SPARK_DRIVER_URL" in answer.stderr


def test_other_roles(stubs: dict[str, str]) -> None:
    bound = {**stubs, "SPARK_DRIVER_BIND_ADDRESS": "10.0.0.3"}
    submitted = enter(
        bound, "driver", "--properties-file", "/opt/spark/conf/spark.properties", "local:///a.py", "--x", "a b"
    )
    assert submitted[:3] == ["spark-submit", "--deploy-mode", "client"]
    assert "spark.driver.bindAddress=10.0.0.3" in submitted
    assert submitted[-3:] == ["local:///a.py", "--x", "a b"]
    assert enter(stubs, "master", "--host", "m")[1:] == ["org.apache.spark.deploy.master.Master", "--host", "m"]
    assert enter(stubs, "worker", "spark://m:7077")[1:] == ["org.apache.spark.deploy.worker.Worker", "spark://m:7077"]
    assert enter(stubs, "history", "file:/data")[1] == "org.apache.spark.deploy.history.HistoryServer"
    assert enter(stubs, "echo", "a b") == ["a b"]


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_an_executor_of_the_entrypoint_works_for_a_driver(tmp_path: Path) -> None:
    """Spark's own class takes the command: an executor, started as Kubernetes does it, joins a driver and works."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "driver.py").write_text(
        "from pyspark.sql import SparkSession\n"
        "spark = SparkSession.builder.getOrCreate()\n"
        "print('options', spark.sparkContext.getConf().get('spark.executor.extraJavaOptions'), flush=True)\n"
        "print('id', spark.sparkContext.applicationId, flush=True)\n"
        "frame = spark.range(8, numPartitions=2).mapInArrow(lambda batches: batches, 'id long')\n"
        "print('rows', frame.count(), flush=True)\n"
        "spark.stop()\n"
    )
    home = Path(pyspark.__file__).parent
    java = subprocess.run([DOCKER / "java.sh", "--home"], capture_output=True, text=True, check=True).stdout.strip()
    environment = {**job_environment(), "SPARK_HOME": str(home), "JAVA_HOME": java, "SPARK_DAEMON_MEMORY": "256m"}
    master = subprocess.Popen(
        [DOCKER / "entrypoint.sh", "master", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    running, said = [master], tmp_path / "driver.log"
    try:
        told = (re.search(r"spark://127.0.0.1:\d+", line) for line in master.stdout or ())
        url = next(found[0] for found in told if found)
        conf = {"spark.driver.port": port, "spark.ui.enabled": "false", "spark.driver.extraJavaOptions": QUICK}
        flags = [part for name, value in conf.items() for part in ("--conf", f"{name}={value}")]
        submit = [Path(sys.executable).with_name("spark-submit"), "--master", url, "--driver-memory", "512m", *flags]
        with said.open("w") as log:
            running.append(subprocess.Popen([*submit, tmp_path / "driver.py"], env=environment, stdout=log, stderr=log))
        name = waited_for(r"^id (\S+)", said)
        options = shlex.split(waited_for(r"^options (.+)", said))  # as the driver has them for a pod: Arrow needs some
        variables = {
            **{key: value for key, value in EXECUTOR.items() if "JAVA_OPT" not in key},
            **{f"SPARK_JAVA_OPT_{n}": option for n, option in enumerate(options)},
            "SPARK_DRIVER_URL": f"spark://CoarseGrainedScheduler@127.0.0.1:{port}",
            "SPARK_APPLICATION_ID": name,
            "SPARK_EXECUTOR_CORES": "1",
            "SPARK_EXECUTOR_MEMORY": "512m",
            "SPARK_EXECUTOR_POD_IP": "127.0.0.1",
        }
        with (tmp_path / "executor.log").open("w") as log:
            running.append(
                subprocess.Popen(
                    [DOCKER / "entrypoint.sh", "executor"], env={**environment, **variables}, stdout=log, stderr=log
                )
            )
        assert waited_for(r"^rows (\d+)", said) == "8"
        running[-1].wait(timeout=200)  # its driver is gone
    finally:
        for process in running:
            process.kill()
            process.wait()


def waited_for(pattern: str, file: Path, seconds: float = 400) -> str:
    end = time.monotonic() + seconds
    while not (found := re.search(pattern, file.read_text(), re.MULTILINE)):
        assert time.monotonic() < end, file.read_text()[-2000:]
        time.sleep(0.2)
    return found[1]


def test_names_that_must_agree() -> None:
    manifests = {file.name: list(yaml.safe_load_all(file.read_text())) for file in KUBERNETES.glob("*.yaml")}
    job, (pod,) = manifests["corpus-job.yaml"][0]["spec"]["template"]["spec"], manifests["executor-pod.yaml"]
    conf = dict(
        line.split(None, 1) for line in (KUBERNETES / "spark-defaults.conf").read_text().splitlines() if line[0] != "#"
    )
    accounts = {one["metadata"]["name"] for one in manifests["driver-account.yaml"] if one["kind"] == "ServiceAccount"}
    assert job["serviceAccountName"] in accounts
    assert conf["spark.kubernetes.authenticate.driver.serviceAccountName"] in accounts
    (kustomization,) = manifests["kustomization.yaml"]
    (files,) = kustomization["configMapGenerator"]
    assert job["volumes"][0]["configMap"]["name"] == files["name"]
    folder = job["containers"][0]["volumeMounts"][0]["mountPath"]
    assert conf["spark.kubernetes.executor.podTemplateFile"] in {f"{folder}/{name}" for name in files["files"]}
    assert all((KUBERNETES / name).exists() for name in [*files["files"], *kustomization["resources"]])
    image = kustomization["images"][0]
    assert conf["spark.kubernetes.container.image"] == f"{image['newName']}:{image['newTag']}"
    secrets = {one["secretRef"]["name"] for spec in (job, pod["spec"]) for one in spec["containers"][0]["envFrom"]}
    assert len(secrets) == 1
    users = {file.name: re.findall(r"^USER (\d+)", file.read_text(), re.MULTILINE) for file in DOCKERFILES}
    assert users == {"airflow.Dockerfile": ["0", "50000"], "spark.Dockerfile": ["10001"], "train.Dockerfile": ["10001"]}
    assert pod["spec"]["securityContext"]["runAsUser"] == job["securityContext"]["runAsUser"] == 10001
    grace = int(next(one["value"] for one in pod["spec"]["containers"][0]["env"] if "DECOMMISSION" in one["name"]))
    assert grace < pod["spec"]["terminationGracePeriodSeconds"]


def test_spark_knows_each_setting() -> None:
    """A name that is misspelt is passed over without a word."""
    jars = Path(pyspark.__file__).parent / "jars"
    known = b""
    for jar in (*jars.glob("spark-core_*.jar"), *jars.glob("spark-kubernetes_*.jar")):
        with zipfile.ZipFile(jar) as file:
            known += b"".join(file.read(name) for name in file.namelist() if re.search(r"config/|k8s/Config", name))
    for line in (KUBERNETES / "spark-defaults.conf").read_text().splitlines():
        name = line.split()[0]
        parts = name.rsplit(".", 1)  # some are put together there
        assert line[0] == "#" or name.encode() in known or all(part.encode() in known for part in parts), name


def test_bases_are_pinned_by_digest_or_full_version() -> None:
    for file in DOCKERFILES:
        stages: set[str] = set()
        for image, stage in re.findall(r"^FROM (\S+) AS (\S+)", file.read_text(), re.MULTILINE):
            assert image in stages or "@sha256:" in image or re.search(r":\d+\.\d+\.\d+", image), image
            stages.add(stage)


def test_a_folder_of_a_store_is_fetched_and_fetched_again(tmp_path: Path) -> None:
    source, target = tmp_path / "store", tmp_path / "disk"
    (source / "data" / "eng_Latn").mkdir(parents=True)
    (source / "data" / "eng_Latn" / "train.parquet").write_bytes(b"four")
    (source / "_run.json").write_text("{}")

    def fetch() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, DOCKER / "fetch.py", source.as_uri(), target]
        return subprocess.run(command, env=job_environment(), capture_output=True, text=True, cwd="/")

    assert fetch().returncode == 0
    there = (target / "data" / "eng_Latn" / "train.parquet").stat().st_ino
    (source / "_run.json").write_text('{"a": 1}')
    (target / "old.parquet").write_bytes(b"gone")
    assert fetch().returncode == 0
    assert (target / "_run.json").read_text() == '{"a": 1}' and not (target / "old.parquet").exists()
    assert (target / "data" / "eng_Latn" / "train.parquet").stat().st_ino == there
    shutil.rmtree(source)
    assert "nothing lies at" in fetch().stderr


def test_the_archive_that_tries_an_image_is_small() -> None:
    assert sum(file.stat().st_size for file in ARCHIVE.iterdir()) < 10 << 20


def test_what_pyspark_asks_of_arrow_is_a_dependency() -> None:
    """mapInArrow wants pandas, which an environment of developers has by other ways."""
    from pyspark.sql.pandas import utils

    wanted = {name.removeprefix("require_minimum_").removesuffix("_version") for name in dir(utils)}
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    declared = {re.split(r"[>=<\[]", one)[0] for one in project}
    assert {"pandas", "pyarrow", "numpy"} <= wanted & declared
