"""Tags of words and entities: the pipeline's for a tokenizer that knows words, and words' first pieces for any."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_encoders import KINDS, LONGEST, SENTENCES, save_encoder

from schemas.errors import UserError
from train.benchmarks.examples import Origin, TokenExample
from train.encoders.opened import OpenedModel, open_model
from train.tasks.token import IGNORED, KIND, entities, features, first_pieces, is_unspaced, joined, predict_tags

LABELS = ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"]
UNLIKE = ("jpn_Jpan", "tha_Thai", "khm_Khmr")  # where BERT's pieces have no spaces between words, and ours are words


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory):
    made: dict[str, OpenedModel] = {}

    def tagger(kind: str) -> OpenedModel:
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            save_encoder(kind, folder, head="AutoModelForTokenClassification", id2label=dict(enumerate(LABELS)))
            made[kind] = open_model(folder, device="cpu")
        return made[kind]

    return tagger


def example(words: str, tags: str = "", row: int = 1) -> TokenExample:
    return TokenExample(tuple(words.split("|")), tuple(tags.split()), "", Origin(Path("a.conll"), row))


@pytest.mark.parametrize("aggregation", ["first", "simple"])
@pytest.mark.parametrize("kind", ["bert", "distilbert"])
def test_entities_are_the_pipeline_s(tagger, kind: str, aggregation: str) -> None:
    model = tagger(kind)
    pipeline = model.library.pipeline(
        "token-classification", model=model.model(KIND), tokenizer=model.tokenizer, aggregation_strategy=aggregation
    )
    texts = {name: text for name, text in SENTENCES.items() if aggregation == "simple" or name not in UNLIKE}
    found = entities(model, list(texts.values()), aggregation=aggregation)
    assert sum(map(len, found)) > 20
    for text, ours in zip(texts.values(), found, strict=True):
        theirs = pipeline(text)
        assert [(one.kind, one.begin, one.end) for one in ours] == [
            (one["entity_group"], one["start"], one["end"]) for one in theirs
        ]
        assert [one.probability for one in ours] == pytest.approx([one["score"] for one in theirs], abs=1e-5)
        assert all(one.text == text[one.begin : one.end] for one in ours)


@pytest.mark.parametrize("kind", KINDS)
def test_entities_of_every_script_are_stretches_of_it(tagger, kind: str) -> None:
    found = entities(tagger(kind), [*SENTENCES.values(), "", " \n"])
    assert found[-2:] == [[], []]
    for text, own in zip(SENTENCES.values(), found, strict=False):
        ends = [0]
        for one in own:
            assert ends[-1] <= one.begin < one.end <= len(text) and one.text == text[one.begin : one.end]
            assert one.text.strip() == one.text and 0 < one.probability <= 1 and one.kind in ("LOC", "PER")
            ends.append(one.end)


@pytest.mark.parametrize("kind", KINDS)
def test_a_word_s_tag_is_that_of_its_first_piece(tagger, kind: str) -> None:
    model = tagger(kind)
    examples = [example("|".join(text.split())) for text in SENTENCES.values()]
    found = predict_tags(model, examples, batch_tokens=100)
    for one, tags in zip(examples, found, strict=True):
        text = " ".join(one.words)
        encoded = model.tokenizer(text, return_offsets_mapping=True, return_tensors="pt")
        offsets = encoded.pop("offset_mapping")[0].tolist()
        with torch.no_grad():
            best = model.model(KIND)(**encoded).logits[0].argmax(1).tolist()
        place, expected = 0, []
        for word in one.words:
            begin = text.index(word, place)
            place = begin + len(word)
            expected.append(LABELS[best[next(i for i, (a, b) in enumerate(offsets) if b > begin and a < place)]])
        assert list(tags) == expected
    assert len({tag for tags in found for tag in tags}) > 1


def test_words_of_which_nothing_is_made_are_outside(tagger) -> None:
    found = predict_tags(tagger("bert"), [example("Anna|\u200b|\ufeff|Paris")])
    assert len(found[0]) == 4 and found[0][1:3] == ("O", "O")
    assert predict_tags(tagger("bert"), []) == []


@pytest.mark.parametrize("kind", KINDS)
def test_first_pieces_carry_the_tag(tagger, kind: str) -> None:
    tokenizer = tagger(kind).tokenizer
    made = features(tokenizer, [example("Anna|Smithives|中国|.", "B-PER I-PER B-LOC O")], LONGEST, LABELS)
    tags = [tag for tag in made.tags[0] if tag != IGNORED]
    assert tags == [1, 3, 0, 4]
    assert len(made.tags[0]) == len(made.encoded["input_ids"][0]) > 6
    assert made.tags[0][0] == made.tags[0][-1] == IGNORED


def test_a_long_sentence_is_cut_and_loses_no_word(tagger) -> None:
    tokenizer = tagger("bert").tokenizer
    words, tags = "|".join(["Anna"] * 100), " ".join(LABELS[number % 5] for number in range(100))
    made = features(tokenizer, [example(words, tags)], 16, LABELS)
    assert len(made.tags) == 8 and max(map(len, made.tags)) == 16
    assert [tag for row in made.tags for tag in row if tag != IGNORED] == [number % 5 for number in range(100)]


def test_a_long_text_is_answered_to_its_end_whatever_the_batches(tagger) -> None:
    model = tagger("modernbert")
    long = example("|".join(" ".join(SENTENCES.values()).split() * 3))
    whole = predict_tags(model, [long, example("Anna")], max_tokens=24)
    assert len(whole[0]) == len(long.words) and whole == predict_tags(
        model, [long, example("Anna")], max_tokens=24, batch_tokens=24
    )
    assert whole[1] == predict_tags(model, [example("Anna")])[0]


def test_tags_that_are_wrong_are_one_line(tagger) -> None:
    tokenizer = tagger("bert").tokenizer
    with pytest.raises(UserError, match=r"a.conll:7: tag 'B-ORG' is not among those of training \(B-LOC, "):
        features(tokenizer, [example("a", "B-ORG", 7)], 16, LABELS)
    with pytest.raises(UserError, match=r"a.conll:3 has 2 words and 1 tags"):
        features(tokenizer, [example("a|b", "O", 3)], 16, LABELS)


def test_progress_counts_examples(tagger) -> None:
    told: list[int] = []
    entities(tagger("bert"), ["Anna"] * 1030, progress=told.append)
    assert told == [1024, 6]


def test_scripts_without_spaces() -> None:
    assert all(map(is_unspaced, "中あアｱไກកမབ々"))
    assert not any(map(is_unspaced, "aяا한ह.1அ "))


def test_characters_of_joined_words() -> None:
    texts, spans = joined([example("ab|中|c")])
    assert texts == ["ab 中 c"] and spans == [[(0, 2), (3, 4), (5, 6)]]
    assert first_pieces([(0, 1), (1, 2), (2, 3), (4, 6)], spans[0]) == [0, None, 3]
    assert np.shape(first_pieces([], spans[0])) == (3,)
