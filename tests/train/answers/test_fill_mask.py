"""Words for masks are those of the pipeline of transformers."""

from pathlib import Path

import pytest
import transformers
from answering import LONGEST, SENTENCES, save

from schemas.errors import UserError
from train.answers.fill_mask import fill_mask
from train.answers.texts import BadText
from train.encoders.opened import OpenedModel, open_model

MASKED = [f"{text[: len(text) // 2]}[MASK]{text[len(text) // 2 + 1 :]}" for text in SENTENCES.values()]


@pytest.mark.parametrize("batch_tokens", [8192, 70])
def test_words_are_those_of_the_pipeline(pretrained: Path, model: OpenedModel, batch_tokens: int) -> None:
    texts = [*MASKED, "[MASK]", "high [MASK] [MASK][MASK] rain", "<mask> 水 [MASK]"]
    pipeline = transformers.pipeline("fill-mask", model=str(pretrained), device=-1, top_k=4)
    for text, found in zip(texts, fill_mask(model, texts, 4, batch_tokens), strict=True):
        assert found.text == text.replace("<mask>", "[MASK]")
        theirs = pipeline(found.text)
        by_mask = theirs if isinstance(theirs[0], list) else [theirs]
        assert [[word.token for word in mask] for mask in found.masks] == [[w["token"] for w in m] for m in by_mask]
        assert [[word.word for word in mask] for mask in found.masks] == [[w["token_str"] for w in m] for m in by_mask]
        for ours, their in zip(found.masks, by_mask, strict=True):
            assert [word.probability for word in ours] == pytest.approx([w["score"] for w in their], rel=1e-4)


def test_more_words_than_there_are_is_all_of_them(model: OpenedModel) -> None:
    (found,) = fill_mask(model, ["[MASK]"], 10**6)
    assert len(found.masks[0]) == model.config.vocab_size
    assert sum(word.probability for word in found.masks[0]) == pytest.approx(1, abs=1e-4)
    assert fill_mask(model, []) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no mask", r"text 2 has no \[MASK\]: write it where a word is asked for"),
        ("[MASK]" + "水" * LONGEST, f"text 2 has {LONGEST + 3} tokens, and the model takes {LONGEST}: shorten it"),
    ],
)
def test_a_text_that_cannot_be_asked_is_named(model: OpenedModel, text: str, problem: str) -> None:
    with pytest.raises(BadText, match=problem) as error:
        fill_mask(model, ["[MASK]", text])
    assert error.value.number == 1


def test_a_model_without_what_it_takes(tmp_path: Path) -> None:
    encoder = save(transformers.BertModel, tmp_path / "encoder")
    with pytest.raises(UserError, match=r"has no head for masked words \(cls\..* is missing\): take another"):
        fill_mask(open_model(encoder), ["[MASK]"])
    opened = open_model(encoder)
    opened.tokenizer.mask_token = None
    with pytest.raises(UserError, match="its tokenizer has no mask token: take a masked language model"):
        fill_mask(opened, ["[MASK]"])
