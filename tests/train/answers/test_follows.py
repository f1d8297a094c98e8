"""Pairs are answered by the model's own head."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import transformers
from answering import SENTENCES, save

from schemas.errors import UserError
from train.answers.follows import follows
from train.answers.texts import BadText
from train.encoders.opened import OpenedModel, open_model


def test_probabilities_are_the_model_s_own(pretrained: Path, model: OpenedModel) -> None:
    firsts, seconds = list(SENTENCES.values()), list(reversed(SENTENCES.values()))
    tokenizer = transformers.AutoTokenizer.from_pretrained(pretrained)
    theirs = transformers.BertForPreTraining.from_pretrained(pretrained).eval()
    answers = follows(model, firsts, seconds, batch_tokens=128)
    for first, second, found in zip(firsts, seconds, answers, strict=True):
        with torch.no_grad():
            logits = theirs(**tokenizer(first, second, return_tensors="pt")).seq_relationship_logits[0]
        assert (found.first, found.second, found.is_order) == (first, second, False)
        assert found.probability == pytest.approx(float(logits.softmax(0)[0]), rel=1e-4)
    assert len({round(one.probability, 3) for one in answers}) > 3
    assert follows(model, [], []) == []


@pytest.mark.parametrize(("objective", "is_order"), [("sop", True), ("nsp", False)])
def test_it_is_told_what_the_head_learnt(pretrained: Path, tmp_path: Path, objective: str, is_order: bool) -> None:
    shutil.copytree(pretrained, tmp_path / "export")
    (tmp_path / "export" / "lineage.json").write_text(json.dumps({"pair_objective": objective}), encoding="utf-8")
    assert follows(open_model(tmp_path / "export"), ["a"], ["b"])[0].is_order is is_order


def test_what_cannot_be_asked(model: OpenedModel, tmp_path: Path) -> None:
    with pytest.raises(BadText, match=r"text 2 has 123 tokens, and the model takes 64: shorten it"):
        follows(model, ["a", "水" * 60], ["b", "水" * 60])
    with pytest.raises(UserError, match=r"has no head for pairs \(bert\.pooler\..* is missing\): take another"):
        follows(open_model(save(transformers.BertForMaskedLM, tmp_path / "masked")), ["a"], ["b"])
    settings = {"vocab_size": 400, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    other = transformers.ModernBertForMaskedLM(
        transformers.ModernBertConfig(**settings, intermediate_size=16, pad_token_id=0)
    )
    save(transformers.BertForMaskedLM, tmp_path / "modern")
    other.save_pretrained(tmp_path / "modern")
    with pytest.raises(UserError, match=r"has no head for pairs: take a BERT trained with \[objectives\.nsp\]"):
        follows(open_model(tmp_path / "modern"), ["a"], ["b"])
