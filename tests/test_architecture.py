"""The rules of the house, held against the source itself."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
import typing
from pathlib import Path

import networkx as nx
import pytest
import setuptools

from pipeline.config import MODELS, CleanConfig
from pipeline.quality.rules import PRESETS
from pipeline.quality.signals import SIGNALS
from schemas import clean, dedup, extract, sample, vocab
from schemas.extract import OPT_OUT
from schemas.records import FAILED, STAGES

REPOSITORY = Path(__file__).resolve().parents[1]
ROOTS = ("schemas", "pipeline", "jobs", "tokenizer", "train")

# Longest prefix wins. Bottom 1, middle 2, top 3.
FLOORS = {
    "schemas": 1,
    "tokenizer": 1,
    "pipeline": 1,
    "pipeline.spark": 2,
    "pipeline.stages": 2,
    "train.alignment": 1,
    "train.answers": 1,
    "train.fusion": 1,
    "train.maps": 1,
    "train.config": 1,
    "train.checkpoints": 1,
    "train.model": 1,
    "train.model_folders": 1,
    "train.corpus": 1,
    "train.benchmarks": 1,
    "train.metrics": 1,
    "train.encoders": 1,
    "train.likelihood": 1,
    "train.tasks": 1,
    "train.served": 2,
    "train.data": 1,
    "train.objectives": 1,
    "train.teachers": 1,
    "train.joint": 1,
    "train.optim": 1,
    "train.telemetry": 1,
    "train.aligning": 2,
    "train.branching": 2,
    "train.evaluation": 2,
    "train.fusing": 2,
    "train.vocabularies": 2,
    "train.watching": 2,
    "train.loop": 2,
    "train.measure": 2,
    "train.finetuning": 2,
    "train": 3,
    "jobs": 3,
}
MOST_IN_A_ROOM = 15  # modules
# Where a folder name stands for everything in it: (who, what it must not import).
FORBIDDEN = [
    ("schemas", {"pyspark", "torch", "pipeline", "jobs", "tokenizer", "train"}),
    ("tokenizer", {"pyspark", "torch", "pipeline", "jobs", "train"}),
    ("pipeline", {"torch", "train", "jobs"}),
    ("train", {"pyspark", "pipeline", "jobs", "tokenizer"}),
    ("jobs", {"torch", "train", "airflow"}),
]
# But for pure functions that both wings go by: a cap must mean the same to the mixture and to the run, a text its ids,
# its language the one that the corpus was sorted by, where the data wing is installed, and figures by language are one
# picture.
SHARED = {
    "train": {
        "pipeline.mixture.allotment", "pipeline.language.identifier", "pipeline.language.labels",
        "tokenizer.model", "tokenizer.fast", "tokenizer.sentences", "tokenizer.plot",
        "tokenizer.growing.forms", "tokenizer.growing.union",
    }
}  # fmt: skip


def sources() -> dict[str, Path]:
    """Module name -> file, packages by their own name."""
    found = {}
    for root in ROOTS:
        for file in sorted((REPOSITORY / root).rglob("*.py")):
            if file.is_relative_to(REPOSITORY / "jobs" / "dags"):
                continue  # an environment of its own
            parts = file.relative_to(REPOSITORY).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


MODULES = sources()
TREES = {name: ast.parse(file.read_text(encoding="utf-8"), str(file)) for name, file in MODULES.items()}


def imports(name: str) -> set[str]:
    """Absolute names of all that a module imports, in functions too; our own as modules, not as their members."""
    package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            members = {f"{base}.{alias.name}" for alias in node.names}
            found.update(member if member in MODULES or base == "sys" else base for member in members)
    return found


def ours(name: str) -> set[str]:
    return {one for one in imports(name) if one.split(".")[0] in ROOTS}


def floor(name: str) -> int:
    parts = name.split(".")
    prefixes = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next(FLOORS[prefix] for prefix in prefixes if prefix in FLOORS)


def inside(name: str, folder: str) -> bool:
    return name == folder or name.startswith(folder + ".")


def calls(name: str) -> list[ast.Call]:
    return [node for node in ast.walk(TREES[name]) if isinstance(node, ast.Call)]


def test_the_walk_sees_the_house() -> None:
    assert {"schemas.clean", "pipeline.config", "pipeline.words.words", "pipeline.stages.dedup", "jobs.dedup"} <= set(
        MODULES
    )
    assert "pipeline.spark.tables" in imports("pipeline.stages.dedup")
    assert "pipeline.words.words" in imports("pipeline.duplicates.minhash")
    assert "pyspark.sql" in imports("pipeline.stages.dedup")
    assert [floor(name) for name in ("jobs.dedup", "pipeline.stages.dedup", "pipeline.archive.manifest")] == [3, 2, 1]


@pytest.mark.parametrize("name", MODULES)
def test_every_import_of_ours_exists_and_none_runs_upward(name: str) -> None:
    for imported in ours(name):
        assert imported in MODULES, f"{name} imports {imported}, which is no module"
        assert floor(imported) <= floor(name), f"{name} imports {imported} from a floor above"


def test_no_circle() -> None:
    graph = nx.DiGraph((name, imported) for name in MODULES for imported in ours(name) if imported != name)
    assert list(nx.simple_cycles(graph)) == []


def room(name: str) -> str | None:
    """The folder under pipeline or train that a module lies in; the main text is read in the room of the page."""
    parts = name.split(".")
    in_a_room = len(parts) > 2 or (MODULES[name].name == "__init__.py" and len(parts) == 2)
    return "/".join(parts[:2]) if in_a_room and parts[0] in ("pipeline", "train") else None


def test_no_room_imports_another_in_a_circle() -> None:
    pairs = {(room(name), room(imported)) for name in MODULES for imported in ours(name)}
    graph = nx.DiGraph((user, used) for user, used in pairs if user and used and user != used)
    assert {"pipeline/page", "pipeline/html", "pipeline/archive", "pipeline/stages"} <= set(graph)
    drawn = {
        f"train/{name}" for name in ("config", "corpus", "data", "joint", "loop", "model", "objectives", "teachers")
    }
    assert drawn <= set(graph)
    assert list(nx.simple_cycles(graph)) == []


def test_no_room_is_crowded() -> None:
    folders = {file.parent for name, file in MODULES.items() if room(name)}
    counts = {str(folder): sum(file.name != "__init__.py" for file in folder.glob("*.py")) for folder in folders}
    assert {folder: count for folder, count in counts.items() if count > MOST_IN_A_ROOM} == {}


@pytest.mark.parametrize(("folder", "banned"), FORBIDDEN)
def test_no_forbidden_import(folder: str, banned: set[str]) -> None:
    for name in MODULES:
        if inside(name, folder):
            used = imports(name) - SHARED.get(folder, set())
            found = {imported for imported in used if imported.split(".")[0] in banned}
            assert not found, f"{name} imports {sorted(found)}"


@pytest.mark.parametrize("module", ["pipeline.mixture.allotment", "pipeline.language.labels"])
def test_what_train_takes_from_the_data_wing_is_light(module: str) -> None:
    """A machine that trains has neither the engine nor the kernels."""
    program = f"import {module}, sys; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "pipeline" in loaded and not {"pydantic", "numba", "numpy", "pyspark", "pyarrow"} & set(loaded)


def test_pyspark_only_at_the_engine_s_edge() -> None:
    allowed = ("pipeline.spark", "pipeline.stages", "jobs")
    users = {name for name in MODULES if any(imported.split(".")[0] == "pyspark" for imported in imports(name))}
    assert users
    assert not [name for name in users if not any(inside(name, folder) for folder in allowed)]


def test_every_folder_is_a_package_that_is_installed_with_its_data() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    packages = {name for name, file in MODULES.items() if file.name == "__init__.py"}
    assert set(setuptools.find_packages(str(REPOSITORY), **project["packages"]["find"])) == packages
    data = {file.suffix for name in packages for file in MODULES[name].parent.iterdir() if file.is_file()} - {".py"}
    assert data <= {pattern.removeprefix("*") for pattern in project["package-data"]["*"]}
    bare = {name for name in MODULES if "." in name and name.rpartition(".")[0] not in packages}
    assert not bare, "folders without __init__.py"


def test_no_name_shadows_another() -> None:
    """spark-submit and torchrun put a program's own folder first on the module path."""
    theirs = importlib.metadata.packages_distributions()
    installed = {name for name, owners in theirs.items() if set(owners) != {"wanyu"}}
    taken = set(sys.stdlib_module_names) | installed
    beside_programs = {file.stem for root in ("jobs", "train") for file in (REPOSITORY / root).glob("*.py")} - {
        "__init__"
    }
    folders = {path.name for root in ("jobs", "train") for path in (REPOSITORY / root).iterdir() if path.is_dir()}
    assert not (beside_programs | set(ROOTS)) & taken
    assert not (folders - {"__pycache__"}) & taken


def _is_sys_path(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "path" and ast.unparse(node.value) == "sys"


def test_no_path_hacks() -> None:
    """Nothing changes the module path. One module reads it, to hand it to a process of its own."""
    uses: list[str] = []
    reads: list[str] = []
    for name, tree in TREES.items():
        loops = [node.iter for node in ast.walk(tree) if isinstance(node, ast.comprehension)]
        uses += [name for node in ast.walk(tree) if _is_sys_path(node)]
        reads += [name for node in loops if _is_sys_path(node)]
        assert not {"site", "sys.path", "importlib.machinery"} & imports(name), name
        text = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        assert not any("sys.path" in one for one in text), name
    assert uses == reads == ["pipeline.workers.modules"]


def test_no_choice_by_chance_or_position() -> None:
    """Python's hash is salted, Spark's row numbers and rand depend on partitions, accumulators count retries twice."""
    chance = {"monotonically_increasing_id", "rand", "randn", "uuid", "shuffle", "spark_partition_id", "accumulator"}
    for name in MODULES:
        if name.split(".")[0] not in ("pipeline", "jobs"):
            continue
        for call in calls(name):
            where = f"{name}:{call.lineno}"
            if isinstance(call.func, ast.Name):
                assert call.func.id not in {"hash", *chance}, where
            elif isinstance(call.func, ast.Attribute):
                assert call.func.attr not in chance, where
        assert not {one for one in imports(name) if one.split(".")[0] in ("random", "secrets")}, name


def test_no_rdd_and_no_pandas_udf() -> None:
    for name in MODULES:
        if name.split(".")[0] in ("pipeline", "jobs"):
            attributes = {node.attr for node in ast.walk(TREES[name]) if isinstance(node, ast.Attribute)}
            used = attributes | {imported.rpartition(".")[2] for imported in imports(name)}
            assert not used & {"rdd", "parallelize", "toPandas", "pandas_udf", "mapInPandas", "applyInPandas"}, name


def test_rules_are_the_contract_s_reasons_in_order() -> None:
    everything = CleanConfig(
        presets=[name for name in PRESETS if name != "none"], languages=["eng"], opt_out=[*OPT_OUT]
    )
    reasons = list(dict.fromkeys(rule.reason for rule in everything.chosen_rules()))
    no_rules = {"rule", "score", *(reason for reason in clean.REASONS if reason.startswith(f"{FAILED}:"))}
    assert reasons == [
        reason for reason in clean.REASONS if reason not in no_rules
    ]  # rule:NAME and score:NAME are the user's


def test_every_threshold_is_a_rule_s_and_every_signal_a_column() -> None:
    everything = CleanConfig(presets=[name for name in PRESETS if name != "none"])
    named = {name for rule in everything.chosen_rules() for name in rule.expression.names}
    thresholds = set(CleanConfig.threshold_names())
    assert thresholds <= named
    assert named - thresholds <= {name for name, _, _ in (*clean.ANNOTATIONS, *SIGNALS)}
    presets = typing.get_args(typing.get_args(CleanConfig.model_fields["presets"].annotation)[0])
    assert list(presets) == list(PRESETS)


def test_stages_have_one_word_everywhere() -> None:
    assert tuple(MODELS) == STAGES
    assert [module.STAGE for module in (extract, clean, dedup, sample, vocab)] == list(STAGES)
    for stage in STAGES:
        assert {f"schemas.{stage}", f"pipeline.stages.{stage}", f"jobs.{stage}"} <= set(MODULES)


def test_reasons_are_words() -> None:
    """They are keys of ledgers and columns of reports; a colon divides rule and detail."""
    for module in (extract, clean, dedup, sample, vocab):
        for reason, meaning in module.REASONS.items():
            assert re.fullmatch(r"[a-z0-9_]+(:[a-z0-9_]+)?", reason)
            assert meaning


def test_the_picture_of_the_house_is_the_house() -> None:
    """docs/design.md names every room and every module in it, and no other."""
    page = (REPOSITORY / "docs" / "design.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w/]+)` \| [^|]+ \| ([^|]+) \|$", page, re.M)
    picture = {room.replace("/", "."): sorted(re.findall(r"`(\w+)`", modules)) for room, modules in rows}
    house: dict[str, list[str]] = {}
    for name, file in MODULES.items():
        if file.name != "__init__.py" and name.count("."):
            house.setdefault(name.rpartition(".")[0], []).append(file.stem)
    house["jobs.dags"] = [file.stem for file in (REPOSITORY / "jobs" / "dags").glob("*.py")]
    beside = house.pop("pipeline")
    assert picture == {room: sorted(modules) for room, modules in house.items()}
    assert sorted(re.findall(r"`pipeline/(\w+)\.py`", page)) == sorted(beside)


@pytest.mark.parametrize(
    "document", ["README.md", "CHANGELOG.md", *sorted(f"docs/{f.name}" for f in (REPOSITORY / "docs").iterdir())]
)
def test_documents_name_no_module_that_is_not_there(document: str) -> None:
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    # Not of a diff, which puts a letter in front, and not STAGE.py, which stands for any.
    for path in re.findall(r"(?<![\w/.])(?![ab]/)((?:\w+/)+(?!test_[A-Z]|[A-Z])\w+\.py)\b", text):
        assert any((REPOSITORY / above / path).exists() for above in ("", "pipeline")), path
    for name in re.findall(r"`((?:pipeline|schemas|train|tokenizer|jobs)(?:\.\w+)+)`", text):
        assert name in MODULES or name.rpartition(".")[0] in MODULES, name
