"""What `fuse.py merge` refuses, in one line that names the reason and the way out, with nothing half-written."""

import json
import resource
import shutil
import signal
from pathlib import Path

import pytest
import torch
from related_models import TABLES, save_family, tensors, write_lineage
from safetensors.torch import save_file
from tiny_encoders import SENTENCES, save_encoder

from train.fuse import main
from train.model_folders.ancestry import digest_of_folder


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("families")
    for kind in ("modernbert", "bert"):
        save_family(root / kind, kind)
    save_family(root / "other", "modernbert", seed=7)
    return root


@pytest.fixture
def family(written: Path, tmp_path: Path) -> Path:
    """A copy that may be changed; lineages name the seed where it was."""
    return shutil.copytree(written / "modernbert", tmp_path / "family")


def refused(capsys: pytest.CaptureFixture[str], output: Path, *arguments: object, there: bool = False) -> str:
    capsys.readouterr()
    assert main(["merge", *map(str, arguments), "--output", str(output), "--device", "cpu"]) == 2
    line = capsys.readouterr().err
    assert line.startswith("fuse: ") and line.count("\n") == 1
    assert output.exists() == there and not list(output.parent.glob(".*part"))
    return line


def both(one: Path, other: Path) -> list[str]:
    return ["--parent", str(one), "--parent", str(other)]


def rewrite(folder: Path, **settings: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | settings), encoding="utf-8")


def test_models_of_other_shapes(
    written: Path, family: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, tmp_path / "x", *both(family / "one", written / "bert" / "one"))
    assert "different architectures, modernbert and bert" in line
    rewrite(family / "two", local_attention=8)
    assert "differ in local_attention, 16 and 8" in refused(
        capsys, tmp_path / "x", *both(family / "one", family / "two")
    )
    rewrite(family / "two", local_attention=16, intermediate_size=48)
    assert "differ in intermediate_size" in refused(capsys, tmp_path / "x", *both(family / "one", family / "two"))
    rewrite(family / "two", intermediate_size=32)
    name = "model.layers.1.mlp.Wo.weight"
    changed = tensors(family / "two") | {name: torch.zeros(16, 31)}
    save_file(changed, family / "two" / "model.safetensors", {"format": "pt"})
    assert f"{name} has the shape [16, 31]" in refused(capsys, tmp_path / "x", *both(family / "one", family / "two"))


def test_models_of_other_vocabularies(family: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = family / "two" / "tokenizer.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    whole = dict(told["model"]["vocab"])
    letter = next(token for token, row in whole.items() if row == 300)
    told["model"]["vocab"] = {token if token != letter else "新しい": row for token, row in whole.items()}
    told["model"]["merges"] = [one for one in told["model"]["merges"] if letter not in ("".join(one), *one)]
    path.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    line = refused(capsys, tmp_path / "x", *both(family / "one", family / "two"))
    assert "400 and 400 tokens, of which 399 are in both" in line and "fuse.py vocabulary" in line
    told["model"] = {"type": "WordLevel", "unk_token": "河川", "vocab": {"河川": 0, "土地": 1}}
    told |= {"added_tokens": [], "post_processor": None}
    path.write_text(json.dumps(told), encoding="utf-8")
    assert "no token in common" in refused(capsys, tmp_path / "x", *both(family / "one", family / "two"))
    path.unlink()
    assert "has no tokenizer.json" in refused(capsys, tmp_path / "x", *both(family / "one", family / "two"))


def test_unrelated_parents(written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused with the reason; forced, the failure is there to be seen."""
    pair = both(written / "modernbert" / "one", written / "other" / "one")
    line = refused(capsys, tmp_path / "x", *both(written / "modernbert" / "seed", written / "other" / "seed"))
    assert "no common ancestor" in line and "averaging has no meaning" in line and "--force" in line
    assert "modernbert/seed was begun from scratch with seed 0, other/seed was begun from scratch with seed 7" in line
    assert "from scratch with seed 0" in refused(capsys, tmp_path / "x", *pair)
    line = refused(capsys, tmp_path / "x", *pair, "--ancestor", written / "other" / "seed")
    assert "no common ancestor: " in line  # lineages that tell all are believed before a word is
    assert "still needs --ancestor" in refused(capsys, tmp_path / "x", *pair, "--force", "--rule", "ties")
    assert main(["merge", *pair, "--output", str(tmp_path / "blind"), "--force"]) == 0
    assert "nobody sees what came of it" in capsys.readouterr().out
    texts = tmp_path / "texts"
    texts.mkdir()
    for language in ("eng_Latn", "kat_Geor"):
        (texts / f"{language}.txt").write_text("".join(f"{SENTENCES[language]} {n}\n" for n in range(8)), "utf-8")
    assert main(["merge", *pair, "--output", str(tmp_path / "seen"), "--force", "--texts", str(texts)]) == 0
    shown = capsys.readouterr().out
    assert "forced: no common ancestor" in shown and "barrier" in shown and "merged" in shown
    told = json.loads((tmp_path / "seen" / "lineage.json").read_text(encoding="utf-8"))["merge"]
    assert told["forced"] and told["ancestor"] is None and set(told["losses"]) >= {"merged"}
    related = json.loads((written / "modernbert" / "one" / "lineage.json").read_text(encoding="utf-8"))
    assert related["parent"]["weights"] == digest_of_folder(written / "modernbert" / "seed")


def test_parents_without_lineage(family: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The user's word holds, and is told."""
    for name in ("one", "two"):
        write_lineage(family / name, None)
    pair = both(family / "one", family / "two")
    line = refused(capsys, tmp_path / "x", *pair)
    assert "has no lineage.json" in line and "--ancestor DIR" in line and "--force" in line
    assert main(["merge", *pair, "--output", str(tmp_path / "y"), "--ancestor", str(family / "seed")]) == 0
    assert "at your word" in capsys.readouterr().out
    told = json.loads((tmp_path / "y" / "lineage.json").read_text(encoding="utf-8"))["merge"]
    assert told["ancestor"] == {
        "folder": str(family / "seed"), "weights": digest_of_folder(family / "seed"), "known_by": "word",
    }  # fmt: skip
    assert not told["forced"]


def test_an_ancestor_that_is_gone_or_another(
    written: Path, family: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parent = json.loads((family / "one" / "lineage.json").read_text(encoding="utf-8"))["parent"]
    for name in ("one", "two"):
        write_lineage(family / name, {"parent": parent | {"folder": str(tmp_path / "gone")}})
    pair = both(family / "one", family / "two")
    line = refused(capsys, tmp_path / "x", *pair, "--rule", "ties")
    assert f"common ancestor is not at {tmp_path / 'gone'}" in line and "--ancestor DIR" in line
    line = refused(capsys, tmp_path / "x", *pair, "--rule", "ties", "--ancestor", written / "other" / "seed")
    assert "is no common ancestor by lineage" in line
    assert (
        main(["merge", *pair, "--rule", "ties", "--ancestor", str(family / "seed"), "--output", str(tmp_path / "y")])
        == 0
    )
    assert "at your word" not in capsys.readouterr().out  # known by its digest, wherever it lies
    shutil.copytree(written / "other" / "seed", tmp_path / "gone")
    assert "or was changed" in refused(capsys, tmp_path / "x", *pair, "--rule", "ties")


def test_numbers_that_are_not_finite(family: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "model.layers.0.attn.Wo.weight"
    for bad in (float("nan"), float("inf")):
        broken = tensors(family / "two")
        broken[name][3, 4] = bad
        save_file(broken, family / "two" / "model.safetensors", {"format": "pt"})
        line = refused(capsys, tmp_path / "x", *both(family / "one", family / "two"))
        assert f"--parent {family / 'two'} holds numbers that are not finite in {name}" in line


def test_what_is_asked_wrongly(family: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = both(family / "one", family / "two")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "eng_Latn.txt").write_text("One line.\n", "utf-8")
    for arguments, reason in (
        (["--parent", family / "one"], "it takes two models or more"),
        ([*pair, "--parent", family / "gone"], f"--parent {family / 'gone'}"),
        ([*both(family / "one", family / "one")], "are called"),
        ([*both(f"a={family / 'one'}", f"b={family / 'one'}")], "hold the same weights: name each model once"),
        ([*pair, "--rule", "mean"], "--rule"),
        ([*pair, "--t", "0.2"], "--t is no setting of --rule average: it takes --weights"),
        ([*pair, "--weights", "1"], "1 weights for 2 parents"),
        ([*pair, "--rule", "slerp", "--t", "2"], "t 2 is not between"),
        ([*pair, "--rule", "ties", "--density", "0"], "density 0 is not above 0"),
        ([*pair, "--parent", family / "seed", "--rule", "slerp"], "slerp goes between two parents"),
        ([*pair, "--rule", "soup"], "needs held-out texts: name --shards or --texts"),
        ([*pair, "--rule", "fisher"], "needs held-out texts"),
        ([*pair, "--tune"], "needs held-out texts"),
        ([*pair, "--rule", "slerp", "--tune"], "has no weights that can be tuned"),
        ([*pair, "--own", "eng_Latn=three"], "--own three is none of the parents"),
        ([*pair, "--own", "eng_Latn"], "should be LANGUAGE=PARENT"),
        ([*pair, "--own", "fra_Latn=one", "--texts", tmp_path / "texts"], "--own fra_Latn: neither"),
        ([*pair, "--order-of", "three"], "--order-of three is none of the parents"),
        ([*pair, "--rule", "ties", "--scale", "1e39"], "--scale 1e+39 is out of bounds"),
        ([*pair, "--rule", "task-arithmetic", "--scale", "1e6", "--weights", "3e38", "1"], "the result is not finite"),
        ([*pair, "--texts", tmp_path / "nowhere"], "nowhere"),
    ):
        assert reason in refused(capsys, tmp_path / "x", *arguments), reason


def test_an_output_that_is_there(family: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = both(family / "one", family / "two")
    assert main(["merge", *pair, "--output", str(tmp_path / "y")]) == 0
    before = (tmp_path / "y" / "model.safetensors").read_bytes()
    assert "--overwrite" in refused(capsys, tmp_path / "y", *pair, there=True)
    assert main(["merge", *pair, "--output", str(tmp_path / "y"), "--overwrite", "--weights", "1", "2"]) == 0
    assert (tmp_path / "y" / "model.safetensors").read_bytes() != before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("...", "utf-8")
    assert "is no model" in refused(capsys, tmp_path / "mine", *pair, "--overwrite", there=True)
    assert "holds the model" in refused(capsys, family / "one", *pair, "--overwrite", there=True)
    assert "holds the model" in refused(capsys, family, *pair, "--overwrite", there=True)


def test_a_disk_that_fills(family: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Half-way: the limit lies in the middle of the weights."""
    pair = both(family / "one", family / "two")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((family / "one" / "model.safetensors").stat().st_size // 2, hard))
    try:
        line = refused(capsys, tmp_path / "x", *pair)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert "cannot be written" in line


def test_heads_for_pairs(written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where one parent has none, or learnt another thing."""
    root = shutil.copytree(written / "bert", tmp_path / "family")
    for number, name in enumerate(("one", "two")):
        with_pairs = save_encoder("bert", tmp_path / f"pairs-{name}", number, "AutoModelForPreTraining")
        pairs = {
            key: value
            for key, value in tensors(with_pairs).items()
            if key.startswith(("bert.pooler", "cls.seq_relationship"))
        }
        assert len(pairs) == 4
        save_file(tensors(root / name) | pairs, root / name / "model.safetensors", {"format": "pt"})
        if name == "one":
            line = refused(capsys, tmp_path / "x", *both(root / "one", root / "two"))
            assert "has none: --without-pair-head leaves it out" in line
    told = json.loads((root / "two" / "lineage.json").read_text(encoding="utf-8"))
    write_lineage(root / "two", told | {"pair_objective": "sop"})
    assert "sop, whose classes" in refused(capsys, tmp_path / "x", *both(root / "one", root / "two"))
    write_lineage(root / "two", told)
    for output, more in (("with", []), ("without", ["--without-pair-head"])):
        assert main(["merge", *both(root / "one", root / "two"), "--output", str(tmp_path / output), *more]) == 0
        found, name = tensors(tmp_path / output), "cls.seq_relationship.weight"
        assert (name in found) == (not more)
        if not more:
            expected = (tensors(root / "one")[name] + tensors(root / "two")[name]) / 2
            torch.testing.assert_close(found[name], expected, atol=1e-7, rtol=0)
    assert TABLES["bert"][0] in found
