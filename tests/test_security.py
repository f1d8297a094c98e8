"""What SECURITY.md promises of the code itself, held against every file, and that the tests that it names exist."""

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
ROOTS = ("schemas", "pipeline", "jobs", "tokenizer", "train")
TREES = {
    str(file.relative_to(REPOSITORY)): ast.parse(file.read_text(encoding="utf-8"))
    for root in ROOTS
    for file in sorted((REPOSITORY / root).rglob("*.py"))
}
PROMISES = (REPOSITORY / "SECURITY.md").read_text(encoding="utf-8")

# Only between processes that one of ours started, over pipes or as rows of a job of ours; never from a file, a page or
# a table. The names of pickle's errors are used where torch raises them.
BETWEEN_OUR_PROCESSES = {
    "pipeline/stages/signed.py", "pipeline/spark/document_frame.py", "pipeline/spark/table_tasks.py",
    "pipeline/spark/index_places.py", "pipeline/spark/tasks.py", "pipeline/workers/expendable.py",
    "train/loop/loader.py", "train/measure/training.py",
}  # fmt: skip
NAMES_OF_ERRORS = {"train/model_folders/weight_files.py", "train/model_folders/stored_weights.py"}
CODE_IN_DATA = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "runpy", "code"}
ARCHIVERS = {"tarfile", "zipfile", "shutil.unpack_archive"}  # names in them lead anywhere
XML = {"xml.etree", "xml.dom", "xml.sax", "lxml", "defusedxml"}  # but to escape text that is written
NETWORK = {"requests", "httpx", "urllib3", "urllib.request", "http.client", "ftplib", "telnetlib"}
EVALUATES = {"eval", "exec", "compile", "__import__", "execfile"}
SHELLS = {"system", "popen", "getoutput", "getstatusoutput", "spawnl", "spawnv"}


def imported(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.update({node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)})
    return found


def calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def named(call: ast.Call) -> str:
    return ast.unparse(call.func)


def keywords(call: ast.Call) -> dict[str | None, str]:
    return {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}


def flaws(file: str, tree: ast.AST) -> list[str]:
    """What no file of ours may have."""
    found: list[str] = []
    modules = imported(tree)
    forbidden = CODE_IN_DATA - ({"pickle"} if file in BETWEEN_OUR_PROCESSES | NAMES_OF_ERRORS else set())
    found += [f"imports {one}" for one in modules if one.split(".")[0] in forbidden]
    found += [f"imports {one}" for one in modules if one in ARCHIVERS or one.split(".")[0] in ARCHIVERS]
    xml = {one for one in modules if any(one == name or one.startswith(name + ".") for name in XML)}
    escapers = {"xml.sax.saxutils", "xml.sax.saxutils.escape", "xml.sax.saxutils.quoteattr"}
    found += [f"imports {one}" for one in xml - escapers]
    net = {one for one in modules if any(one == name or one.startswith(name + ".") for name in NETWORK)}
    if file == "pipeline/web/client.py":
        net -= {"urllib.request", "urllib.request.getproxies"}
    if file == "pipeline/store/stores.py":
        net -= {"http.client"}  # the names of its errors
    found += [f"imports {one}" for one in net]
    for call in calls(tree):
        name, given = named(call), keywords(call)
        last = name.rsplit(".", 1)[-1]
        where = f"line {call.lineno}: {name}"
        if name in EVALUATES or (name.startswith("builtins.") and last in EVALUATES):
            found.append(where)
        if name in {f"os.{one}" for one in SHELLS} | {f"subprocess.{one}" for one in SHELLS}:
            found.append(where)
        if given.get("shell", "False") != "False" or given.get("allow_pickle", "False") != "False":
            found.append(where)
        if "trust_remote_code" in given and given["trust_remote_code"] != "False":
            found.append(where)
        if name == "torch.load" and given.get("weights_only") != "True":
            found.append(where)
        if name.startswith("yaml.") and last in ("load", "load_all", "unsafe_load", "full_load") and (
            file != "pipeline/quality/profiles.py" or given.get("Loader") != "loader"
        ):  # fmt: skip
            found.append(where)
        if last == "Environment" and given.get("autoescape") != "True":
            found.append(where)
        if last in ("url_to_fs", "open_files", "get_mapper") and file != "pipeline/store/stores.py":
            found.append(where)
        if last == "ClientSession" and file != "pipeline/web/client.py":
            found.append(where)
        if last in ("loads", "load", "Unpickler") and name.startswith("pickle.") and file in NAMES_OF_ERRORS:
            found.append(where)
    return found


@pytest.mark.parametrize("file", TREES)
def test_no_code_in_data_and_no_way_around_what_is_looked_at(file: str) -> None:
    assert flaws(file, TREES[file]) == []


def test_the_one_loader_of_yaml_makes_strings_only() -> None:
    source = (REPOSITORY / "pipeline/quality/profiles.py").read_text(encoding="utf-8")
    assert re.findall(r"loader = (.+)", source) == ['getattr(yaml, "CBaseLoader", yaml.BaseLoader)']


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from marshal import loads", "import tarfile", "from lxml import etree", "import requests",
        "from urllib.request import urlopen", "eval('1')", "exec(x)", "__import__(x)", "import os\nos.system(x)",
        "subprocess.run(x, shell=True)", "np.load(x, allow_pickle=True)", "torch.load(x)", "yaml.load(x)",
        "yaml.load(x, Loader=yaml.Loader)", "Environment()", "fsspec.core.url_to_fs(x)", "aiohttp.ClientSession()",
        "AutoModel.from_pretrained(x, trust_remote_code=True)", "torch.load(x, weights_only=False)",
        "import xml.etree.ElementTree",
    ],
)  # fmt: skip
def test_the_walk_sees_what_it_looks_for(source: str) -> None:
    assert flaws("pipeline/any.py", ast.parse(source))


def test_each_promise_names_a_test_that_is_there() -> None:
    rows = re.findall(r"^\| (?!Promise|-)(.+?) \| (.+?) \|$", PROMISES, re.M)
    assert len(rows) >= 15
    for promise, tests in rows:
        names = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", tests)
        assert names, promise
        for path, name in names:
            tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
            assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, (path, name)


def test_where_to_report_is_said() -> None:
    assert "private" in PROMISES and "advisor" in PROMISES and "@" not in PROMISES
