"""Routes: answers are those of train/answers, limits hold, what is wrong is one line, and all of it is described."""

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from answering import LONGEST, SENTENCES, save
from serving import ADDRESS
from starlette.testclient import TestClient

from schemas.errors import UserError
from train.answers.answer import answer
from train.answers.classify import classify
from train.answers.embed import embed, probe
from train.answers.fill_mask import fill_mask
from train.answers.tag import tag
from train.answers.texts import Text
from train.answers.vector_files import Making, vector_file
from train.encoders.opened import open_model
from train.encoders.vectors import Reading
from train.served.app import make_app
from train.served.guard import BODY_BYTES, HostNames
from train.served.heads import Served, served
from train.served.shapes import MOST_CHARACTERS, MOST_TEXTS
from train.served.turns import Turns
from train.served.vectors import served_vectors

TEXTS = list(SENTENCES.values())


def ask(client: TestClient, path: str, **question: Any) -> list[dict[str, Any]]:
    response = client.post(path, json=question)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["answers"]
    return found


def refused(client: TestClient, path: str, **question: Any) -> str:
    response = client.post(path, json=question)
    assert response.status_code == 422 and list(response.json()) == ["error"]
    return str(response.json()["error"])


def test_what_is_served(client: TestClient) -> None:
    found = client.get("/models").json()
    assert [(one["name"], one["kinds"]) for one in found["models"]] == [
        ("masked", ["fill-mask", "embed"]), ("classes", ["classify", "embed"]), ("tags", ["tag", "embed"]),
        ("spans", ["answer", "embed"]),
    ]  # fmt: skip
    assert found["models"][1]["labels"] == ["sport", "علوم", "<b>politics</b>"] and found["models"][0]["labels"] == []
    assert found["models"][0]["longest"] == LONGEST and found["vectors"] is None
    assert found["limits"] == {"texts": MOST_TEXTS, "characters": MOST_CHARACTERS, "bytes": BODY_BYTES}


def test_answers_in_every_script_are_those_of_the_model(client: TestClient, models: list[Served]) -> None:
    masked, classes, tags, spans = (one.opened for one in models)
    texts = [f"{text} [MASK]" for text in TEXTS]
    for found, right in zip(ask(client, "/fill-mask", texts=texts, top_k=3), fill_mask(masked, texts, 3), strict=True):
        assert found["text"] == right.text and found["mask_token"] == "[MASK]"
        assert [[word["word"] for word in mask] for mask in found["masks"]] == [
            [w.word for w in m] for m in right.masks
        ]
        assert found["masks"][0][0]["probability"] == pytest.approx(right.masks[0][0].probability)
    for found, one in zip(ask(client, "/classify", texts=TEXTS), classify(classes, TEXTS), strict=True):
        assert (found["label"], found["second"], found["is_score"]) == (one.label, None, False)
        assert found["probabilities"] == pytest.approx(one.probabilities)
    pairs = [{"text": text, "second": TEXTS[0]} for text in TEXTS]
    for found, one in zip(
        ask(client, "/classify", pairs=pairs), classify(classes, TEXTS, [TEXTS[0]] * len(TEXTS)), strict=True
    ):
        assert found["second"] == TEXTS[0] and found["probabilities"] == pytest.approx(one.probabilities)
    for found, each in zip(ask(client, "/tag", texts=TEXTS), tag(tags, TEXTS), strict=True):
        assert [(e["kind"], e["begin"], e["end"], e["text"]) for e in found["entities"]] == [
            (e.kind, e.begin, e.end, e.text) for e in each.entities
        ]
        assert all(e["text"] == found["text"][e["begin"] : e["end"]] for e in found["entities"])
    questions = [{"question": "?", "context": text} for text in TEXTS]
    for found, right_one in zip(
        ask(client, "/answer", questions=questions), answer(spans, ["?"] * len(TEXTS), TEXTS), strict=True
    ):
        assert found["answer"]["text"] == right_one.answer.text and found["context"] == right_one.context
    for found, vector in zip(ask(client, "/embed", texts=TEXTS), embed(masked, TEXTS), strict=True):
        np.testing.assert_allclose(found["vector"], vector.vector, rtol=1e-5)
    candidates = [{"text": text, "language": language} for language, text in SENTENCES.items()]
    for text, found in zip(TEXTS, ask(client, "/nearest", texts=TEXTS, candidates=candidates, k=2), strict=True):
        assert found["neighbours"][0]["candidate"]["text"] == text
        assert found["neighbours"][0]["similarity"] == pytest.approx(1, abs=1e-5) and len(found["neighbours"]) == 2
    (found,) = ask(client, "/nearest", texts=TEXTS[:1], candidates=candidates, to_language="tha_Thai")
    assert [one["candidate"]["language"] for one in found["neighbours"]] == ["tha_Thai"]


def test_which_model_is_asked(client: TestClient) -> None:
    asked = {"texts": ["a b"]}
    assert client.post("/embed", json=asked).json()["model"] == "masked"
    assert client.post("/embed", json=asked | {"model": "spans"}).json()["model"] == "spans"
    assert (
        refused(client, "/tag", model="masked", **asked)
        == "model masked cannot be asked to tag, but to fill-mask, embed"
    )
    assert refused(client, "/tag", model="gone", **asked).startswith(
        "there is no model 'gone' here: take one of masked,"
    )


def test_a_model_without_the_head(models: list[Served]) -> None:
    client = TestClient(make_app(models[:1], HostNames("127.0.0.1", 8000)), ADDRESS)
    assert "no model here can be asked to answer" in refused(
        client, "/answer", questions=[{"question": "a", "context": "b"}]
    )


@pytest.mark.parametrize(
    ("path", "question", "said"),
    [
        ("/tag", {}, "texts is missing"),
        ("/tag", {"texts": []}, "texts is empty: there is nothing to ask"),
        ("/tag", {"texts": ["a", " \n"]}, "texts[1] is empty: there is nothing to ask"),
        ("/tag", {"texts": "a"}, "texts: input should be a valid list"),
        ("/tag", {"texts": ["a"] * (MOST_TEXTS + 1)}, f"texts has more than {MOST_TEXTS} entries: ask in parts"),
        ("/tag", {"texts": ["a" * (MOST_CHARACTERS + 1)]}, "texts[0] has more than 5,000 characters: shorten it"),
        ("/tag", {"texts": ["a"], "top_k": 1}, "top_k is no field of this question"),
        ("/fill-mask", {"texts": ["[MASK]"], "top_k": 0}, "top_k: input should be greater than or equal to 1"),
        ("/fill-mask", {"texts": ["[MASK]", "a"]}, "text 2 has no [MASK]: write it where a word is asked for"),
        ("/fill-mask", {"texts": ["a " * 80 + "[MASK]"]}, "text 1 has 83 tokens, and the model takes 64: shorten it"),
        ("/classify", {}, "the question should have texts or pairs, and not both"),
        ("/classify", {"pairs": [{"text": "a"}]}, "pairs[0].second is missing"),
        ("/answer", {"questions": [{"question": "a", "context": ""}]}, "questions[0].context is empty"),
        (
            "/nearest",
            {"texts": ["a"]},
            "there is no file of vectors here to look in: give candidates, or serve with --v",
        ),
    ],
)
def test_what_is_wrong_is_one_plain_line(client: TestClient, path: str, question: Any, said: str) -> None:
    assert refused(client, path, **question).startswith(said)


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (b'{"texts": [', "application/json", "the question is no JSON"),
        (b"\xff\xfe\xfd", "application/json", "the question cannot be read"),
        (b"[1]", "application/json", "the question is no JSON object"),
        (b'{"texts": ["a"]}', "text/plain", "the question is no JSON object, or not sent as application/json"),
        (b"", "application/json", "the question is missing"),
        (b'{"texts": ["\\ud800"]}', "application/json", "texts[0] is no text that Unicode knows"),
        (b"[" * 30_000, "application/json", "the question cannot be read"),
    ],
)
def test_what_is_no_question(client: TestClient, content: bytes, kind: str, said: str) -> None:
    response = client.post("/tag", content=content, headers={"content-type": kind})
    assert response.status_code in (400, 422) and response.json()["error"].startswith(said), response.text


def test_sizes_paths_and_methods(client: TestClient) -> None:
    large = client.post("/tag", json={"texts": ["a" * 10_000_000]})
    assert large.status_code == 413 and f"{BODY_BYTES:,} bytes" in large.json()["error"]
    assert client.post("/tag", json={"texts": ["ア" * MOST_CHARACTERS]}).status_code == 200
    for path, status in (("/docs", 404), ("/redoc", 404), ("/page.html", 404), ("/../page.py", 404), ("/tag", 405)):
        response = client.get(path)
        assert response.status_code == status and list(response.json()) == ["error"]


def test_long_texts_are_read_in_parts_or_cut(client: TestClient) -> None:
    long = "ab " * 1_600
    (found,) = ask(client, "/tag", texts=[long])
    assert found["entities"] and found["entities"][-1]["end"] >= len(long) - 2
    for path, question in (
        ("/classify", {"texts": [long]}),
        ("/embed", {"texts": [long]}),
        ("/answer", {"questions": [{"question": long, "context": long}]}),
    ):
        assert len(ask(client, path, **question)) == 1


def test_too_many_and_too_slow(models: list[Served], monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    monkeypatch.setattr("train.served.server.embed", lambda model, texts: go.wait(20) and [])
    client = TestClient(make_app(models, HostNames("127.0.0.1", 8000), turns=Turns(1, 0.2)), ADDRESS)
    with client:
        slow = client.post("/embed", json={"texts": ["a"]})
        assert (slow.status_code, slow.json()) == (
            504, {"error": "the answer took too long: ask for fewer or shorter texts at once"}
        )  # fmt: skip
        busy = client.post("/embed", json={"texts": ["a"]})
        assert (busy.status_code, busy.json()) == (
            503, {"error": "too many questions wait already: ask again in a moment"}
        )  # fmt: skip
        assert client.get("/models").status_code == 200
        go.set()


def test_a_bug_is_said_and_not_shown(models: list[Served], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.served.server.embed", lambda model, texts: 1 / 0)
    client = TestClient(make_app(models, HostNames("127.0.0.1", 8000)), ADDRESS, raise_server_exceptions=False)
    response = client.post("/embed", json={"texts": ["a"]})
    assert (response.status_code, response.json()) == (
        500, {"error": "the server failed at this question: its terminal shows how"}
    )  # fmt: skip
    assert "content-security-policy" in response.headers


def test_the_description_is_whole(client: TestClient) -> None:
    told = client.get("/openapi.json").json()
    paths = {"/models", "/fill-mask", "/classify", "/tag", "/answer", "/embed", "/nearest"}
    assert set(told["paths"]) == paths and told["openapi"].startswith("3.")
    schemas = told["components"]["schemas"]
    for path in paths - {"/models"}:
        asked = told["paths"][path]["post"]
        assert set(asked["responses"]) == {"200", "413", "422", "503", "504"}
        for status, response in asked["responses"].items():
            name = response["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            assert name in schemas and (status == "200") == name.startswith("Answers")
    texts = schemas["TagQuestion"]["properties"]["texts"]
    assert (texts["maxItems"], texts["items"]["maxLength"]) == (MOST_TEXTS, MOST_CHARACTERS)
    assert "http://" not in json.dumps(told) and "https://" not in json.dumps(told)


@pytest.fixture
def stored(models: list[Served], tmp_path: Path) -> Path:
    """Vectors of all sentences by the second model, as predict.py embed writes them."""
    model, path = models[1].opened, tmp_path / "sentences.parquet"
    with vector_file(path, Making("classes", "cls", 1, probe(model, Reading("cls", 1)))) as file:
        rows = np.stack([one.vector for one in embed(model, TEXTS, Reading("cls", 1))])
        file.write(
            [Text((text,), "/home/someone/news.txt", row) for row, text in enumerate(TEXTS, 1)], list(SENTENCES), rows
        )
    return path


def test_nearest_in_a_file_of_vectors(models: list[Served], stored: Path) -> None:
    vectors = served_vectors(stored, models)
    client = TestClient(make_app(models, HostNames("127.0.0.1", 8000), vectors), ADDRESS)
    about = client.get("/models").json()
    assert about["vectors"] == {"file": "sentences.parquet", "languages": sorted(SENTENCES)}
    assert [one["name"] for one in about["models"] if one["searches"]] == ["classes"]
    response = client.post("/nearest", json={"texts": TEXTS[4:5], "k": 3}).json()
    (found,) = response["answers"]
    assert response["model"] == "classes" and len(found["neighbours"]) == 3
    best = found["neighbours"][0]
    assert best["candidate"] == {"text": TEXTS[4], "language": list(SENTENCES)[4], "file": "news.txt", "row": 5}
    assert best["similarity"] == pytest.approx(1, abs=1e-5)
    (found,) = ask(client, "/nearest", texts=TEXTS[:1], to_language="heb_Hebr")
    assert [one["candidate"]["language"] for one in found["neighbours"]] == ["heb_Hebr"]
    assert refused(client, "/nearest", texts=["a"], model="tags").startswith(
        "the vectors are of model classes: ask that"
    )


def test_vectors_of_no_model_here(models: list[Served], stored: Path) -> None:
    with pytest.raises(UserError, match=r"--vectors .* holds the vectors of classes, and no --model here makes such"):
        served_vectors(stored, [models[0], models[2]])
    path = stored.with_name("deep.parquet")
    with vector_file(path, Making("deep", "mean", 9, [0.0] * 16)):
        pass
    with pytest.raises(UserError, match=r"--vectors .* holds the vectors of deep, and no --model here"):
        served_vectors(path, models)


def test_weights_that_are_missing_are_told_before_anyone_asks(tmp_path: Path) -> None:
    folder = save(transformers.BertModel, tmp_path / "bare")
    assert served(open_model(folder, device="cpu")).kinds == ("embed",)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["BertForTokenClassification"]}))
    with pytest.raises(UserError, match=r"--model .*bare has no head for tags"):
        served(open_model(folder, device="cpu"))


def test_the_name_of_a_model_cannot_run(models: list[Served]) -> None:
    evil = "</script><img src=x onerror=alert(1)>__ABOUT__"
    folder = models[0].opened.given
    client = TestClient(make_app([served(open_model(folder, name=evil))], HostNames("127.0.0.1", 8000)), ADDRESS)
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<img" not in page.text and page.text.count("</script>") == 2
    about = page.text.partition('id="about">')[2].partition("</script>")[0]
    assert json.loads(about) == client.get("/models").json() and json.loads(about)["models"][0]["name"] == evil
    for name, kind in (("page.css", "text/css"), ("page.js", "text/javascript")):
        assert client.get(f"/{name}").headers["content-type"] == f"{kind}; charset=utf-8"
        assert f'="{name}"' in page.text
    assert " style=" not in page.text and page.text.count("<script") == 2
