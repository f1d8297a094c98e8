"""Questions to an export: the answers are those of the model itself, and what cannot be asked is one line."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers

from tokenizer.export import wordpiece_files
from train.ask import ANSWERS, PAIRS, SENTENCES, main

REPOSITORY = Path(__file__).resolve().parents[2]
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh", *(f"##{sign}" for sign in "abcdefgh"), ".", "京"]
SHAPE = {
    "vocab_size": len(PIECES), "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 16, "max_position_embeddings": 24,
}  # fmt: skip


def save(kind: type[transformers.BertPreTrainedModel], folder: Path) -> Path:
    """An export of a random model, whose answers are far from even."""
    torch.manual_seed(0)
    model = kind(transformers.BertConfig(**SHAPE))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.5)
    model.save_pretrained(folder)
    for name, content in wordpiece_files(PIECES, []).items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(transformers.BertForPreTraining, tmp_path_factory.mktemp("both"))


@pytest.fixture(scope="module")
def masked_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(transformers.BertForMaskedLM, tmp_path_factory.mktemp("masked"))


def logits(folder: Path, *texts: str) -> tuple[torch.Tensor, torch.Tensor]:
    """(of each token the words', of the pair), by the class that the folder was saved with."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.BertForPreTraining.from_pretrained(folder).eval()
    with torch.no_grad():
        found = model(**tokenizer(*texts, return_tensors="pt"))
    return found.prediction_logits[0], found.seq_relationship_logits[0]


def ask(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[list[str]]:
    """The cells of the answer's lines, without its rules; nothing else may be on the screen."""
    capsys.readouterr()
    assert main([str(one) for one in arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return [re.split(r" {2,}", line.strip()) for line in out.splitlines() if line and not line.startswith("--")]


@pytest.mark.parametrize("mask", ["[MASK]", "<mask>"])
def test_words_are_the_likeliest_of_the_model(pretrained: Path, mask: str, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ask(capsys, "--model", pretrained, "--mask", f"a b {mask} c.")
    probabilities, ids = logits(pretrained, "a b [MASK] c.")[0][3].softmax(0).topk(ANSWERS)
    words = [f"{PIECES[i]} {100 * p:.1f} %" for i, p in zip(ids.tolist(), probabilities.tolist(), strict=True)]
    assert rows == [["text", "answer 1", "answer 2", "answer 3"], ["a b [MASK] c.", *words]]


def test_several_masks_and_texts(pretrained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ask(capsys, "--model", pretrained, "--mask", "a [MASK] <mask>", "[MASK] 京")
    assert [row[0] for row in rows] == ["text", "a [MASK] [MASK]", "mask 2", "[MASK] 京"]
    best = int(logits(pretrained, "a [MASK] [MASK]")[0][3].argmax())
    assert rows[2][1].split()[0] == PIECES[best]


@pytest.mark.parametrize(
    ("lineage", "column"),
    [('{"pair_objective": "sop"}', "in this order"), ('{"pair_objective": "nsp"}', "follows"), ("[", "follows")],
)
def test_the_column_says_what_the_head_learnt(pretrained: Path, tmp_path: Path, capsys, lineage, column) -> None:
    folder = tmp_path / "export"
    shutil.copytree(pretrained, folder)
    (folder / "lineage.json").write_text(lineage, encoding="utf-8")
    assert ask(capsys, "--model", folder, "--pair", "a b.", "c d.")[0] == ["first", "second", column]


def test_pairs_are_the_model_s_own(pretrained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ask(capsys, "--model", pretrained, "--pair", "a b.", "c d.", "--pair", "a b.", "京")
    assert rows[0] == ["first", "second", "follows"]
    for row, pair in zip(rows[1:], (("a b.", "c d."), ("a b.", "京")), strict=True):
        share = float(logits(pretrained, *pair)[1].softmax(0)[0])
        assert row == [*pair, f"{100 * share:.1f} %"]
    assert rows[1][2] != rows[2][2]


def test_without_questions_it_asks_its_own(
    pretrained: Path, masked_only: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ask(capsys, "--model", pretrained)
    assert len(rows) == 1 + len(SENTENCES) + 1 + len(PAIRS)
    assert len(ask(capsys, "--model", masked_only)) == 1 + len(SENTENCES)
    assert all(sentence.count("[MASK]") == 1 for sentence in SENTENCES)


def test_what_cannot_be_asked_is_one_line(
    pretrained: Path, masked_only: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder, empty, torn = tmp_path / "encoder", tmp_path / "empty", tmp_path / "torn"
    save(transformers.BertModel, encoder)
    empty.mkdir()
    save(transformers.BertForMaskedLM, torn)
    (torn / "model.safetensors").write_bytes(b"half")
    for arguments, said in (
        ((tmp_path / "gone",), r"--model .*gone is no folder: point to the export of a run"),
        ((empty,), r"--model .*empty holds no model: point to the export of a run"),
        ((torn,), r"--model .*torn cannot be opened: .*"),
        ((encoder, "--mask", "a [MASK]"), r"--model .*encoder has no head for masked words \(cls\..* is missing\)"),
        ((masked_only, "--mask", "a b"), r"--mask 'a b' has no \[MASK\]: write it where"),
        ((masked_only, "--mask", "a " * 30 + "[MASK]"), r"--mask '.*' has 33 tokens, and the model takes 24: shorten"),
        ((masked_only, "--pair", "a", "b"), r"--model .* has no head for pairs: take a BERT trained with"),
        ((pretrained, "--pair", "a " * 20, "b " * 20), r"--pair '.*' has 43 tokens, and the model takes 24: shorten"),
    ):
        assert main(["--model", *map(str, arguments)]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and re.match(f"ask: {said}", err), err


def test_a_machine_without_transformers_is_told(
    masked_only: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert main(["--model", str(masked_only)]) == 2
    assert re.fullmatch(r"ask: transformers is not installed .*: pip install transformers\n", capsys.readouterr().err)


def test_an_export_of_modernbert_is_asked_too(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ask(capsys, "--model", finished / "export", "--mask", "the river carries [MASK] over stones")
    assert rows[1][0] == "the river carries <mask> over stones" and len(rows[1]) == 1 + ANSWERS
    assert main(["--model", str(finished / "export"), "--pair", "a", "b"]) == 2


def test_nothing_but_the_answers_is_on_the_screen(pretrained: Path) -> None:
    """Neither bars nor warnings, of a program of its own."""
    command = [sys.executable, str(REPOSITORY / "train" / "ask.py"), "--model", str(pretrained), "--pair", "a", "b"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stderr == "" and done.stdout.splitlines()[0].split() == ["first", "second", "follows"]


def test_it_loads_nothing_large_to_say_what_is_wrong() -> None:
    program = "import train.ask, sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "transformers"} & set(loaded)
