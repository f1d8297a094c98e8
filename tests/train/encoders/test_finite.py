"""Weights that are no numbers make no vectors, no classes and no words, whatever is asked."""

from pathlib import Path

import pytest
import torch
import transformers
from answering import save

from schemas.errors import UserError
from train.answers.answer import answer
from train.answers.classify import classify
from train.answers.embed import embed
from train.answers.fill_mask import fill_mask
from train.answers.follows import follows
from train.answers.tag import tag
from train.encoders.opened import open_model

ASK = {
    "fill_mask": lambda model: fill_mask(model, ["a [MASK]"]),
    "follows": lambda model: follows(model, ["a"], ["b"]),
    "embed": lambda model: embed(model, ["a"]),
    "classify": lambda model: classify(model, ["a", "河水"]),
    "tag": lambda model: tag(model, ["النهر مرتفع"]),
    "answer": lambda model: answer(model, ["a"], ["นหล"]),
}
HEADS = {
    "classify": transformers.BertForSequenceClassification,
    "tag": transformers.BertForTokenClassification,
    "answer": transformers.BertForQuestionAnswering,
}


@pytest.mark.parametrize("what", ASK)
def test_numbers_that_are_not_finite_are_told(tmp_path: Path, what: str) -> None:
    kind = HEADS.get(what, transformers.BertForPreTraining)
    folder = save(kind, tmp_path / "broken")
    ASK[what](open_model(folder, device="cpu"))
    broken = kind.from_pretrained(folder)
    with torch.no_grad():
        broken.get_input_embeddings().weight.fill_(float("nan"))
    broken.save_pretrained(folder)
    with pytest.raises(UserError, match=r"--model .*broken answers with numbers that are not finite: its weights"):
        ASK[what](open_model(folder, device="cpu"))
