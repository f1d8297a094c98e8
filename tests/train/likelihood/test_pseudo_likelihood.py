"""Bits a byte are those of asking a plain model for one token after the other."""

import math
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from tiny_encoders import SENTENCES, save_encoder

from schemas.errors import UserError
from train.encoders.hidden_places import HiddenPlaces
from train.encoders.opened import OpenedModel, open_model
from train.likelihood.held_out_texts import HeldOutText
from train.likelihood.masked_accuracy import hidden_tokens, masked_accuracy
from train.likelihood.pseudo_likelihood import KINDS, pseudo_likelihood
from train.likelihood.token_windows import tokenised
from train.likelihood.word_pieces import word_ends

TEXTS = [
    *SENTENCES.values(), "", "   ", "Anna 🦆 ab <mask> [MASK] </s>", "York." * 20, "Anna lives in New York " * 9
]  # fmt: skip
FEW = [*(SENTENCES[name] for name in ("eng_Latn", "cmn_Hani", "khm_Khmr", "arb_Arab", "kat_Geor")), *TEXTS[-5:-1]]


@pytest.fixture(scope="module", params=["bert", "xlm-roberta", "modernbert"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> OpenedModel:
    return open_model(save_encoder(request.param, tmp_path_factory.mktemp(request.param)), device="cpu")


@cache
def plain_model(folder: Path) -> Any:
    return transformers.AutoModelForMaskedLM.from_pretrained(folder).eval()


def one_at_a_time(model: OpenedModel, text: str, kind: str) -> float:
    """A pass a token, by transformers alone, of windows whose words are those of word_numbers."""
    plain = plain_model(model.given)
    bits = 0.0
    for window in tokenised(model, [text]).windows:
        for place in range(window.tokens):
            behind = place + 1 if kind == "original" else int(word_ends(window.words)[place])
            ids = torch.from_numpy(window.ids.copy())[None]
            target = int(ids[0, window.first + place])
            ids[0, window.first + place : window.first + behind] = model.tokenizer.mask_token_id
            with torch.no_grad():
                logits = plain(input_ids=ids).logits[0, window.first + place]
            bits -= float(logits.double().log_softmax(0)[target]) / math.log(2)
    return bits


@pytest.mark.parametrize("kind", KINDS)
def test_bits_are_those_of_one_token_at_a_time(model: OpenedModel, kind: str) -> None:
    found = pseudo_likelihood(model, FEW, kind, batch_tokens=1000)
    by_hand = [one_at_a_time(model, text, kind) for text in FEW]
    np.testing.assert_allclose(found.bits, by_hand, rtol=1e-5, atol=1e-5)
    assert found.bytes.tolist() == [len(text.encode()) for text in FEW]


def test_the_two_kinds_are_one_where_each_token_is_a_word(model: OpenedModel) -> None:
    if model.config.model_type == "bert":
        first, second = (pseudo_likelihood(model, ["a b c", "安娜住在北京"], kind).bits for kind in KINDS)
        np.testing.assert_allclose(first, second, rtol=1e-6)
    assert not np.allclose(*(pseudo_likelihood(model, ["lives"], kind).bits for kind in KINDS))


def test_neither_order_nor_batches_matter(model: OpenedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pseudo_likelihood(model, FEW[3:]).bits
    backwards = pseudo_likelihood(model, FEW[:2:-1], batch_tokens=1).bits[::-1]
    np.testing.assert_allclose(backwards, whole, atol=1e-4)
    monkeypatch.setattr("train.likelihood.pseudo_likelihood.MOST_LOGITS", 1000)
    np.testing.assert_allclose(pseudo_likelihood(model, FEW[3:], batch_tokens=300).bits, whole, atol=1e-4)


def test_every_token_is_in_one_window_and_none_is_too_long(model: OpenedModel) -> None:
    found = tokenised(model, TEXTS)
    for number, text in enumerate(TEXTS):
        windows = [window for window in found.windows if window.text == number]
        content = [i for one in windows for i in one.ids[one.first : one.first + one.tokens].tolist()]
        plain = model.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        assert content == plain
        assert [one.begin for one in windows] == [sum(w.tokens for w in windows[:n]) for n in range(len(windows))]
        assert all(len(one.ids) <= model.longest for one in windows)
        assert model.tokenizer.mask_token_id not in content
    assert sum(window.text == len(TEXTS) - 1 for window in found.windows) > 1
    told: list[int] = []
    result = pseudo_likelihood(model, TEXTS, progress=told.append)
    assert sum(told) == result.bytes.sum() and len(told) > 1
    assert result.tokens.sum() == sum(window.tokens for window in found.windows)


def test_windows_are_cut_between_words(model: OpenedModel) -> None:
    windows = tokenised(model, ["Anna lives in New York " * 9]).windows
    assert len(windows) > 1
    assert all(one.words[-1] < other.words[0] for one, other in pairwise(windows))


def test_what_a_vocabulary_loses_is_counted(model: OpenedModel) -> None:
    """Pieces of bytes lose nothing, others what they have no piece for."""
    found = tokenised(model, ["ab 🦆🦆", "ab Anna", "e\u0301", ""])
    assert found.characters.tolist() == [4, 6, 1, 0]
    assert found.lost.tolist() == ([0, 0, 0, 0] if model.config.model_type == "modernbert" else [2, 0, 1, 0])


def test_hidden_tokens_are_asked_together(model: OpenedModel) -> None:
    texts = [HeldOutText(str(number), text) for number, text in enumerate(TEXTS)]
    told: list[int] = []
    found = masked_accuracy(model, texts, batch_tokens=70, progress=told.append)
    assert sum(told) == sum(one.bytes for one in texts) and len(told) > 1
    plain = plain_model(model.given)
    hidden, right, loss = np.zeros(len(texts)), np.zeros(len(texts)), np.zeros(len(texts))
    for window in tokenised(model, TEXTS).windows:
        places = torch.from_numpy(hidden_tokens(str(window.text), window) + window.first)
        assert len(places) == max(1, round(0.15 * window.tokens))
        ids = torch.from_numpy(window.ids.copy())[None]
        targets = ids[0, places].clone()
        ids[0, places] = model.tokenizer.mask_token_id
        with torch.no_grad():
            logits = plain(input_ids=ids).logits[0, places]
        hidden[window.text] += len(places)
        right[window.text] += int((logits.argmax(-1) == targets).sum())
        loss[window.text] += float(torch.nn.functional.cross_entropy(logits, targets, reduction="sum"))
    assert (found.hidden == hidden).all() and (found.right == right).all()
    np.testing.assert_allclose(found.loss, loss, rtol=1e-5)


def test_the_same_tokens_are_hidden_whatever_comes_with_them(model: OpenedModel) -> None:
    texts = [HeldOutText(str(number), text) for number, text in enumerate(TEXTS)]
    whole, alone = masked_accuracy(model, texts), masked_accuracy(model, texts[-2:-1])
    np.testing.assert_allclose(alone.loss, whole.loss[-2:-1], rtol=1e-5)


def test_a_model_without_mask_or_head_is_one_line(tmp_path: Path) -> None:
    save_encoder("bert", tmp_path, head="AutoModel")
    with pytest.raises(UserError, match="has no head for masked words"):
        pseudo_likelihood(open_model(tmp_path), ["a"])
    model = open_model(tmp_path)
    model.tokenizer.mask_token = None
    with pytest.raises(UserError, match="its tokenizer has no mask token"):
        masked_accuracy(model, [HeldOutText("1", "a")])


def test_a_body_that_is_not_apart_gives_the_same(model: OpenedModel) -> None:
    """Of a class whose base_model is itself, all logits are made."""
    places = HiddenPlaces(model)
    inputs = dict(model.tokenizer(["Anna b", "a b"], return_tensors="pt", padding=True))
    rows, columns = torch.tensor([0, 1, 1]), torch.tensor([1, 1, 2])
    cut = places.log_probabilities(inputs, rows, columns)
    places.apart = False
    torch.testing.assert_close(cut, places.log_probabilities(inputs, rows, columns))
