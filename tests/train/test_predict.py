"""The program as its user has it: the answers are those of the rooms, in every view, and what is wrong is one line."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import transformers
from answering import LONGEST, SENTENCES, save

from train.answers.commands import EXAMPLES
from train.encoders.opened import open_model
from train.encoders.vectors import Reading, embed
from train.predict import COMMANDS, main

REPOSITORY = Path(__file__).resolve().parents[2]
TEXTS = list(SENTENCES.values())
MASKED = [f"[MASK] {text}" for text in TEXTS]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    save(transformers.BertForPreTraining, folder / "both")
    save(transformers.BertForMaskedLM, folder / "other", hidden_size=32)
    save(transformers.BertModel, folder / "encoder")
    save(transformers.BertForSequenceClassification, folder / "classes", id2label={0: "no", 1: "yes"})
    save(transformers.BertForTokenClassification, folder / "tags", id2label={0: "O", 1: "B-PER", 2: "I-PER"})
    save(transformers.BertForQuestionAnswering, folder / "answers")
    return folder


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.txt"
    path.write_text("".join(text + "\n" for text in TEXTS), encoding="utf-8")
    return path


def predict(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What is on stdout; nothing may be on stderr."""
    capsys.readouterr()
    status = main([str(one) for one in arguments])
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    return out


def records(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[dict[str, Any]]:
    return [json.loads(line) for line in predict(capsys, *arguments, "--json").splitlines()]


def test_arguments_files_and_standard_input_are_answered_alike(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "masked.txt"
    file.write_text("".join(text + "\n" for text in MASKED), encoding="utf-8")
    command = ("fill-mask", "--model", models / "both", "--top-k", 2)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))
    by_input = records(capsys, *command)
    by_file = records(capsys, *command, "--file", file)
    assert [one.pop("file") for one in by_file] == [str(file)] * len(TEXTS)
    assert [one.pop("file") for one in by_input] == ["standard input"] * len(TEXTS)
    by_argument = records(capsys, *command, *MASKED)
    assert [one.pop("file") for one in by_argument] == [None] * len(TEXTS)
    assert by_input == by_file == by_argument and [one["text"] for one in by_file] == MASKED
    assert [one["row"] for one in by_file] == [*range(1, 1 + len(TEXTS))]
    pipeline = transformers.pipeline("fill-mask", model=str(models / "both"), device=-1, top_k=2)
    for record, theirs in zip(by_file, pipeline(MASKED), strict=True):
        assert [word["word"] for word in record["masks"][0]] == [one["token_str"] for one in theirs]


def test_the_views_show_the_same(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("fill-mask", "--model", models / "both", "--top-k", 3, *MASKED[:9], "[MASK] a <mask>")
    found, page = records(capsys, *command), tmp_path / "new" / "page.html"
    screen = predict(capsys, *command, "--html", page)
    blocks, cards = screen.split("\n\n"), page.read_text(encoding="utf-8").split("<article>")[1:]
    assert len(blocks) == len(cards) == len(found)
    for record, block, card in zip(found, blocks, cards, strict=True):
        words = [word for mask in record["masks"] for word in mask]
        lines = [line for line in block.splitlines()[1:] if "mask" not in line]
        assert len(lines) == len(words) == card.count("<tr>")
        for word, line in zip(words, lines, strict=True):
            assert f"{100 * word['probability']:.1f} %" in line and word["word"].strip() in line
            assert f"{100 * word['probability']:.1f} %" in card
    assert blocks[-1].splitlines()[0] == "[MASK] a [MASK]" and "  mask 2" in blocks[-1].splitlines()


def test_every_command(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By arguments and by file, with the same answers; the file's columns are the user's."""
    lines = [{"q": one, "c": other} for one, other in zip(TEXTS, TEXTS[::-1], strict=True)]
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    pairs = [part for line in lines[:1] for part in line.values()]
    for command, model, given, named in (
        ("classify", "classes", TEXTS[:1], "q"),
        ("classify", "classes", ["--pair", *pairs], "q,c"),
        ("follows", "both", ["--pair", *pairs], "q,c"),
        ("tag", "tags", TEXTS[:1], "q"),
        ("answer", "answers", ["--question", pairs[0], "--context", pairs[1]], "q,c"),
    ):
        by_file = records(capsys, command, "--model", models / model, "--file", file, "--columns", named)
        (alone,) = records(capsys, command, "--model", models / model, *given)
        assert len(by_file) == len(TEXTS) and close(alone | {"file": str(file)}, by_file[0])
        screen = predict(capsys, command, "--model", models / model, *given)
        assert (TEXTS[0].split()[0] in screen) and len(screen.splitlines()) >= 1
        page = tmp_path / "page.html"
        predict(capsys, command, "--model", models / model, "--file", file, "--columns", named, "--html", page)
        assert page.read_text(encoding="utf-8").count("<article>") == len(TEXTS)
        page.unlink()


def close(one: Any, other: Any) -> bool:
    """Equal, numbers nearly: batches of other shapes are summed in another order."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(close, one, other))
    return one == (pytest.approx(other, rel=1e-3) if isinstance(one, float) else other)


def test_examples_are_asked(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command, examples in EXAMPLES.items():
        found = records(capsys, command, "--model", models / "both", "--examples")
        assert [one.get("text", one.get("first")) for one in found] == [one[0] for one in examples]


@pytest.mark.parametrize(("pooling", "layer"), [(None, None), ("cls", 1)])
def test_vectors_are_the_model_s(
    models: Path,
    texts: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    pooling: str | None,
    layer: int | None,
) -> None:
    flags = ["--pooling", pooling, "--layer", layer] if pooling else []
    command = ("embed", "--model", models / "both", "--file", texts, *flags)
    expected = embed(open_model(models / "both"), TEXTS, Reading("cls", 1) if pooling else None)
    said = predict(capsys, *command, "--output", tmp_path / "x.npy")
    assert said.startswith(f"{tmp_path}/x.npy: {len(TEXTS)} vectors of 16 numbers, ") and "cut" not in said
    predict(capsys, *command, "--output", tmp_path / "x.parquet", "--language", "mul_Zyyy")
    table = pq.read_table(tmp_path / "x.parquet")
    assert table["text"].to_pylist() == TEXTS and set(table["language"].to_pylist()) == {"mul_Zyyy"}
    for found in (
        np.load(tmp_path / "x.npy"),
        np.array(table["vector"].to_pylist()),
        np.array([one["vector"] for one in records(capsys, *command)]),
    ):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["texts.txt", "x.npy", "x.parquet"]
    texts.write_text("水" * 2 * LONGEST)
    said = predict(capsys, *command, "--output", tmp_path / "x.npy", "--overwrite")
    assert said.strip().endswith(f"; 1 were longer than {LONGEST} tokens and cut")


def test_nearest_sentences(models: Path, texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("x.parquet", "x.npy"):
        command = ("embed", "--model", models / "both", "--file", texts, "--pooling", "cls", "--layer", 1)
        predict(capsys, *command, "--output", tmp_path / name, "--language", "mul_Zyyy")
    command = ("nearest", "--model", models / "both", "--k", 3, *TEXTS)
    stored = records(capsys, *command, "--vectors", tmp_path / "x.parquet")
    for row, (text, found) in enumerate(zip(TEXTS, stored, strict=True), 1):
        best = found["neighbours"][0]
        assert found["text"] == text and len(found["neighbours"]) == 3 and best["similarity"] == pytest.approx(1)
        assert best["candidate"] == {"text": text, "language": "mul_Zyyy", "file": str(texts), "row": row}
    bare = records(capsys, *command, "--vectors", tmp_path / "x.npy", "--pooling", "cls", "--layer", 1)
    here = records(capsys, *command, "--texts", texts, "--pooling", "cls", "--layer", 1)
    for several in zip(stored, bare, here, strict=True):
        rows = [[one["candidate"]["row"] for one in found["neighbours"]] for found in several]
        assert rows[0] == rows[1] == rows[2]
        figures = [[one["similarity"] for one in found["neighbours"]] for found in several]
        assert figures[0] == pytest.approx(figures[1], abs=1e-5) and figures[0] == pytest.approx(figures[2], abs=1e-5)
    assert bare[0]["neighbours"][0]["candidate"]["text"] is None
    screen = predict(capsys, *command[:5], TEXTS[8], "--vectors", tmp_path / "x.parquet", "--to-language", "mul_Zyyy")
    assert f"1.000  mul_Zyyy  \u2067{TEXTS[8]}\u2069" in screen.splitlines()[1]
    screen = predict(capsys, *command[:5], TEXTS[8], "--vectors", tmp_path / "x.npy", "--pooling", "cls", "--layer", 1)
    assert screen.splitlines()[1].endswith(f"1.000  {tmp_path}/x.npy:9")


def test_languages_are_detected_shown_and_written(
    models: Path, texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--model", models / "both", "--language", "detect")
    predict(capsys, "embed", *flags, "--file", texts, "--output", tmp_path / "x.parquet")
    named = pq.read_table(tmp_path / "x.parquet")["language"].to_pylist()
    assert sum(one == other for one, other in zip(named, SENTENCES, strict=True)) >= len(TEXTS) - 3
    (found,) = records(
        capsys, "nearest", *flags, "--texts", texts, SENTENCES["eng_Latn"] * 2, "--to-language", "kat_Geor"
    )
    assert found["language"] == "eng_Latn"
    assert [one["candidate"]["text"] for one in found["neighbours"]] == [SENTENCES["kat_Geor"]]
    screen = predict(capsys, "fill-mask", *flags, "[MASK] " + SENTENCES["rus_Cyrl"])
    assert screen.splitlines()[0] == "rus_Cyrl"


def test_what_is_wrong_is_one_line_and_nothing_is_written(
    models: Path, texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both, out, there = models / "both", tmp_path / "out.parquet", tmp_path / "there.html"
    there.write_text("old")
    predict(capsys, "embed", "--model", both, "--file", texts, "--output", tmp_path / "x.parquet")
    np.save(tmp_path / "wide.npy", np.zeros((3, 20), np.float32))
    (tmp_path / "bad.txt").write_text("[MASK]\n\n")
    (tmp_path / "long.txt").write_text("[MASK]\n[MASK]" + "水" * LONGEST)
    (tmp_path / "unmasked.txt").write_text("[MASK]\nplain\n")
    shutil.copytree(both, tmp_path / "unmasking")
    config = json.loads((both / "tokenizer_config.json").read_text())
    (tmp_path / "unmasking" / "tokenizer_config.json").write_text(json.dumps(config | {"mask_token": None}))
    for arguments, said in (
        (("fill-mask", "--model", both, "--file", tmp_path / "bad.txt"), "bad.txt:2 is empty: fill it, or leave"),
        (("fill-mask", "--model", both, "--file", tmp_path / "unmasked.txt"), "unmasked.txt:2 has no [MASK]: write it"),
        (("fill-mask", "--model", both, "--file", tmp_path / "long.txt"),
         f"long.txt:2 has {LONGEST + 3} tokens, and the model takes {LONGEST}: shorten it"),
        (("fill-mask", "--model", both, "plain"), "text 1 has no [MASK]: write it where a word is asked for"),
        (("fill-mask", "--model", both, ""), "text 1 is empty: fill it, or leave such rows out by --skip-empty"),
        (("fill-mask", "--model", both, "[MASK]", "--max-bytes", "5"), "text 1 has more than 5 bytes: cut it"),
        (("fill-mask", "--model", tmp_path / "unmasking", "[MASK]"), "its tokenizer has no mask token: take a masked"),
        (("fill-mask", "--model", models / "encoder", "[MASK]"), "has no head for masked words ("),
        (("fill-mask", "--model", both, "[MASK]", "--language", "deu_Latn"), "has no language embedding: leave --lang"),
        (("fill-mask", "--model", both, "[MASK]", "--language", "German"), "--language German: write language and"),
        (("fill-mask", "--model", both, "[MASK]", "--html", there), "there.html is there already: say --overwrite, or"),
        (("fill-mask", "--model", both, "[MASK]", "--html", "page.txt"), "--html page.txt: call it NAME.html"),
        (("fill-mask", "--model", tmp_path / "gone", "[MASK]"), "gone is no folder: point to the export of a run"),
        (("fill-mask", "--model", both, "[MASK]", "--top-k", "0"), "--top-k: '0' should be a whole number above 0"),
        (("fill-mask", "--model", both, "--columns", "a,b", "--file", texts), "--columns a,b: fill-mask takes 1"),
        (("follows", "--model", both, "--pair", "水" * 60, "水" * 60), "text 1 has 123 tokens, and the model takes 64"),
        (("follows", "--model", models / "other", "--pair", "a", "b"), "has no head for pairs ("),
        (("classify", "--model", both, "a"), "has no head for classes of texts ("),
        (("classify", "--model", both, "a", "--pair", "a", "b"), "texts and --pair at once: ask for one"),
        (("classify", "--model", both, "--pair", "a", "b", "--file", texts), "name the two columns, as --columns"),
        (("tag", "--model", both, "a"), "has no head for tags of words ("),
        (("answer", "--model", both, "--question", "a"), "--question and --context belong together: give both, or"),
        (("answer", "--model", both, "--question", "a", "--context", "b"), "has no head for answers in a text ("),
        (("embed", "--model", both, "--file", texts), "embed needs --output NAME.npy or NAME.parquet, or --json"),
        (("embed", "--model", both, "--file", texts, "--output", "x.csv"), "--output x.csv: end it in .npy or .pa"),
        (("embed", "--model", both, "--file", texts, "--output", tmp_path / "x.parquet"), "x.parquet is there already"),
        (("embed", "--model", both, "--file", tmp_path / "bad.txt", "--output", out), "bad.txt:2 is empty"),
        (("embed", "--model", both, "--file", texts, "--output", out, "--layer", "9"), "--layer 9: --model "),
        (("nearest", "--model", both, "a"), "nearest needs either --vectors FILE or --texts FILE to search in"),
        (("nearest", "--model", both, "a", "--vectors", tmp_path / "no.npy"), "no.npy is not there: make it by"),
        (("nearest", "--model", both, "a", "--vectors", tmp_path / "wide.npy"),
         "wide.npy has vectors of 20 numbers, and --model "),
        (("nearest", "--model", models / "tags", "a", "--vectors", tmp_path / "x.parquet"),
         "x.parquet was made by another model, both, than --model "),
        (("nearest", "--model", both, "a", "--vectors", tmp_path / "x.parquet", "--pooling", "cls"),
         "x.parquet was made with --pooling mean: leave --pooling out, or embed again"),
        (("nearest", "--model", both, "a", "--vectors", tmp_path / "x.parquet", "--to-language", "fra_Latn"),
         "has no sentences in fra_Latn, none of which a language is known: name another, or embed them again"),
        (("nearest", "--model", both, "a", "--texts", texts, "--to-language", "fra_Latn"),
         "--to-language needs the languages of --texts: say --language detect"),
        (("nearest", "--model", both, "a", "--texts", tmp_path / "bad.txt"), "bad.txt:2 is empty"),
        (("fill-mask", "--model", both, "--modle", "x", "a"), "unknown argument --modle: did you mean --model?"),
        (("fill",), "invalid choice: 'fill'"),
    ):  # fmt: skip
        before = sorted((one.name, one.stat().st_mtime_ns) for one in tmp_path.iterdir())
        status = main([str(one) for one in arguments])
        err = capsys.readouterr().err
        assert status == 2 and err.count("\n") == 1 and err.startswith("predict: ") and said in err, (arguments, err)
        assert sorted((one.name, one.stat().st_mtime_ns) for one in tmp_path.iterdir()) == before


def test_a_bad_row_far_down_standard_input_leaves_nothing(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\n" * 5000 + b"\xff\n")))
    assert main(["embed", "--model", str(models / "both"), "--output", str(tmp_path / "x.npy")]) == 2
    assert "standard input:5001 is not UTF-8 (byte 1)" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_control_c_is_one_line(
    models: Path, texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import train.encoders.vectors

    def interrupted(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    texts.rename(tmp_path.parent / "texts.txt")
    monkeypatch.setattr(train.encoders.vectors, "pool", interrupted)
    command = ["embed", "--model", str(models / "both"), "--file", str(tmp_path.parent / "texts.txt")]
    assert main([*command, "--output", str(tmp_path / "x.npy")]) == 130
    assert capsys.readouterr().err == "predict: stopped\n" and list(tmp_path.iterdir()) == []


def test_without_texts_a_terminal_is_told(
    models: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", type("Terminal", (io.StringIO,), {"isatty": lambda self: True})())
    assert main(["tag", "--model", str(models / "tags")]) == 2
    assert "there is nothing to ask: give texts, --file, or texts on standard input" in capsys.readouterr().err


def test_a_machine_without_transformers_is_told(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert main(["tag", "--model", str(models / "tags"), "a"]) == 2
    assert "transformers is not installed" in capsys.readouterr().err


def test_an_export_of_modernbert_is_asked_too(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = records(capsys, "fill-mask", "--model", finished, "the river carries [MASK] over stones")
    assert found["text"] == "the river carries <mask> over stones" and len(found["masks"][0]) == 5


def run(program: str, *arguments: object, **settings: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *(["-c", program] if "\n" in program else [program]), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, text=True, env=environment, timeout=120, check=False, **settings)


def test_a_closed_pipe_is_no_error(models: Path, texts: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    program = str(REPOSITORY / "train" / "predict.py")
    done = run(program, "tag", "--model", models / "tags", "--file", texts, stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    assert (done.returncode, done.stderr) == (141, "")


def test_help_and_wrong_texts_load_nothing_large(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_bytes(b"\xff\n")
    program = f"""
import contextlib, io, sys
from train.predict import main
for command in {[*COMMANDS]}:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main([command, "--help"])
assert main(["tag", "--model", "x", "--file", {str(tmp_path / "bad.txt")!r}]) == 2
print(*sorted({{name.split(".")[0] for name in sys.modules}}))
"""
    loaded = run(program, capture_output=True).stdout.split()
    assert "train" in loaded and not {"torch", "transformers", "numpy", "pyarrow", "pydantic"} & set(loaded)


def test_memory_is_flat_in_the_size_of_the_file(models: Path, tmp_path: Path) -> None:
    """Ten times the texts, in one process: what it had at most for the small file does for the large one."""
    for name, count in (("small", 4_000), ("large", 40_000)):
        (tmp_path / f"{name}.txt").write_text("river\n" * count)
    program = f"""
import resource
from train.predict import main
for name in ("small", "large"):
    files = ["--file", f"{tmp_path}/{{name}}.txt", "--output", f"{tmp_path}/{{name}}.parquet"]
    assert main(["embed", "--model", "{models}/both", *files]) == 0
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    done = run(program, capture_output=True)
    assert done.stderr == ""  # neither bars nor warnings
    small, large = (int(line) for line in done.stdout.splitlines() if line.isdigit())
    assert large - small < 20_000, (small, large)  # KiB; the texts with their tokens are twice as much
    assert pq.read_metadata(tmp_path / "large.parquet").num_rows == 40_000
