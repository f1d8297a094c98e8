"""Sentence vectors against transformers, and texts told again in another tokenizer's tokens."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from teaching import CPU, batch_of, built, config_of, labelled, loss_of, sequences_of, write_teacher
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch.nn.functional import cosine_similarity

from train.corpus.vocabulary import Vocabulary
from train.data.batches import PairsOfSequences, Sequences
from train.model.attention import build_layout
from train.model_folders.huggingface import load_encoder
from train.teachers.routing import retold

LINES = ["the river carries light over stones", "река несёт свет", "河水带着光流过石头", "talk of rain", "а", "面包"]


@pytest.fixture(scope="module")
def wordpiece(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer of another kind, with the special tokens of BERT."""
    folder = tmp_path_factory.mktemp("wordpiece")
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(LINES * 20, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = '{"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}'
    (folder / "tokenizer_config.json").write_text(names)
    return folder


def sequences_of_texts(vocabulary: Vocabulary, lines: list[str]) -> Sequences:
    special = vocabulary.special_ids
    ids = [[special["bos"], *one, special["eos"]] for one in vocabulary.encode(lines)]
    lengths = np.array([len(one) for one in ids])
    keys = np.arange(len(ids), dtype=np.uint64)
    return Sequences(np.concatenate(ids), lengths, np.arange(len(ids)) % 3, keys)


def test_texts_in_another_tokenizer_s_tokens(vocabulary: Vocabulary, wordpiece: Path) -> None:
    lines = ["the river carries light", "", "река несёт свет над камнями", "河水带着光"]
    sequences = sequences_of_texts(vocabulary, lines)
    ids, lengths = retold(sequences.tokens, sequences.lengths, vocabulary, wordpiece, 40)
    other = Tokenizer.from_file(str(wordpiece / "tokenizer.json"))
    expected = [[2, *other.encode(line, add_special_tokens=False).ids, 3] for line in lines]
    assert [part.tolist() for part in np.split(ids, np.cumsum(lengths)[:-1])] == expected
    short, lengths = retold(sequences.tokens, sequences.lengths, vocabulary, wordpiece, 4)
    assert lengths.tolist() == [min(4, len(one)) for one in expected]
    assert short[:4].tolist() == [*expected[0][:3], 3]
    nothing = np.empty(0, np.int64)
    assert [len(one) for one in retold(nothing, nothing, vocabulary, wordpiece, 40)] == [0, 0]


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_the_loss_is_one_less_the_cosine(corpus, student, vocabulary, wordpiece: Path, tmp_path: Path, pooling) -> None:
    """Two teachers of other widths, one with a tokenizer of its own; the second language has none."""
    transformers = pytest.importorskip("transformers", reason="no transformers: pip install -e .[train]")
    same = write_teacher(tmp_path / "same", corpus.tokenizer)
    other = write_teacher(tmp_path / "other", wordpiece, "bert", 2, hidden_size=16, num_attention_heads=2)
    config = config_of(
        corpus, teachers=f"eng_Latn={same},zho_Hans={other}", **{"objectives.sentence_vectors.pooling": pooling}
    )
    objectives = built(config, student)
    assert {name: tuple(p.shape) for name, p in objectives["sentence_vectors"].module.named_parameters()} == {  # type: ignore[union-attr]
        "eng_Latn.weight": (24, 32), "eng_Latn.bias": (24,), "zho_Hans.weight": (16, 32), "zho_Hans.bias": (16,),
    }  # fmt: skip
    lines = [
        "the river carries light over stones",
        "река несёт свет",
        "河水带着光流过石头",
        "talk of rain",
        "а",
        "面包",
    ]
    sequences = sequences_of_texts(vocabulary, lines)
    batch = batch_of(objectives, sequences)
    total, sums = loss_of(student, objectives, batch, "sentence_vectors")
    ends = np.cumsum(sequences.lengths)
    expected = np.zeros(3)
    with torch.no_grad():
        hidden = student.model(batch.input_ids, batch.positions, batch.layout)
        for number, (line, end, length) in enumerate(zip(LINES, ends, sequences.lengths, strict=True)):
            if number % 3 == 1:
                continue
            folder, name = ((same, "eng_Latn"), None, (other, "zho_Hans"))[number % 3]  # type: ignore[misc]
            teacher = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
            if name == "eng_Latn":
                ids = torch.from_numpy(sequences.tokens[end - length : end])
            else:
                tokenizer = Tokenizer.from_file(str(wordpiece / "tokenizer.json"))
                ids = torch.tensor([2, *tokenizer.encode(line, add_special_tokens=False).ids, 3])
            wanted = teacher(ids[None]).last_hidden_state[0]
            own = hidden[end - length : end]
            wanted, own = (one.mean(0) if pooling == "mean" else one[0] for one in (wanted, own))
            mapped = objectives["sentence_vectors"].module[name](own)  # type: ignore[index]
            expected[number % 3] += 1 - cosine_similarity(mapped, wanted, dim=0).item()
    assert sums[:, 0].tolist() == pytest.approx(expected.tolist(), abs=1e-5)
    assert sums[:, 2].tolist() == [2, 0, 2] and total.item() == pytest.approx(expected.sum(), abs=1e-5)
    total.backward()
    for name, parameter in objectives["sentence_vectors"].module.named_parameters():  # type: ignore[union-attr]
        assert parameter.grad is not None and parameter.grad.any(), name
    assert student.model.layers[0].attn.Wqkv.weight.grad.any()  # type: ignore[union-attr,operator]


def test_a_teacher_with_nothing_to_read_has_gradients_of_zero(corpus, student, vocabulary, tmp_path: Path) -> None:
    one, two = (write_teacher(tmp_path / str(n), corpus.tokenizer, seed=n) for n in (1, 2))
    config = config_of(
        corpus, teachers=f"eng_Latn={one},zho_Hans={two}", **{"objectives.sentence_vectors.pooling": "mean"}
    )
    objectives = built(config, student)
    batch = batch_of(objectives, sequences_of(vocabulary, (9, 12), (0, 1)))
    total, sums = loss_of(student, objectives, batch, "sentence_vectors")
    total.backward()
    assert sums[:, 2].tolist() == [1, 0, 0]
    gradients = {name: p.grad for name, p in objectives["sentence_vectors"].module.named_parameters()}  # type: ignore[union-attr]
    assert gradients["eng_Latn.weight"].any()
    assert gradients["zho_Hans.weight"] is not None and not gradients["zho_Hans.weight"].any()


def test_first_tokens_fill_one_shape(corpus, student, vocabulary, tmp_path: Path) -> None:
    folder = write_teacher(tmp_path / "one", corpus.tokenizer)
    config = config_of(corpus, teachers=f"*={folder}", **{"objectives.sentence_vectors.pooling": "cls"})
    objectives = built(config, student)
    labels = labelled(objectives, sequences_of(vocabulary))["sentence_vectors"]
    padded = objectives["sentence_vectors"].labeller.pad(labels, 512)
    assert len(padded.arrays["places"]) == 16 and len(padded.arrays["language"]) == 6


def test_labellers_go_to_the_process_that_makes_batches(corpus, student, vocabulary, wordpiece, tmp_path: Path) -> None:
    folder = write_teacher(tmp_path / "other", wordpiece, "bert", 2, hidden_size=16, num_attention_heads=2)
    config = config_of(corpus, teachers=f"*={folder}", **{"objectives.sentence_vectors.pooling": "mean"})
    labellers = {name: one.labeller for name, one in built(config, student).items()}
    sequences = sequences_of(vocabulary)
    again = pickle.loads(pickle.dumps(labellers))["sentence_vectors"](sequences, 0, {})
    for key, values in labellers["sentence_vectors"](sequences, 0, {}).arrays.items():
        assert again.arrays[key].tolist() == values.tolist()


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_teacher_of_the_same_tokens_reads_segments(corpus, student, vocabulary, tmp_path: Path, pooling: str) -> None:
    folder = write_teacher(tmp_path / "one", corpus.tokenizer, "bert", hidden_size=16, num_attention_heads=2)
    config = config_of(corpus, teachers=f"rus_Cyrl={folder}", **{"objectives.sentence_vectors.pooling": pooling})
    objectives = built(config, student)
    segments = np.array([0] * 9 + [0] * 5 + [1] * 7)
    pairs = PairsOfSequences(segments, np.array([-1, 0]), np.array([-1, 0]))
    sequences = sequences_of(vocabulary, (9, 12), (0, 1))._replace(pairs=pairs)
    batch = batch_of(objectives, sequences)
    (found,) = objectives["sentence_vectors"].teachers.sentence_vectors(batch, pooling).values()  # type: ignore[attr-defined]
    model = load_encoder(folder).language_model
    layout = build_layout(np.array([12]), 40, CPU, torch.float32)
    ids = torch.from_numpy(sequences.tokens[9:])
    with torch.no_grad():
        hidden = model.model(ids, torch.arange(12), layout, segments=torch.from_numpy(segments[9:]))
    torch.testing.assert_close(found[0], hidden.mean(0) if pooling == "mean" else hidden[0])
