"""Fisher diagonals against autograd token by token, Gram matrices against what layers are seen to get."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_encoders import SENTENCES, save_tokenizer
from torch import Tensor, nn

from schemas.errors import UserError
from train.corpus.vocabulary import Vocabulary, open_vocabulary
from train.fusing.fisher_diagonals import fisher_diagonals
from train.fusing.gram_matrices import gram_matrices
from train.fusing.hidden_texts import HiddenText, batched, check_vocabulary, hidden_texts, packed
from train.fusing.statistics import FISHER, GRAM, Statistics, write_statistics
from train.fusion.rules import RULES
from train.likelihood.held_out_texts import HeldOutText
from train.model.bert import BertConfig
from train.model.encoder import EncoderConfig, GeGLU
from train.model.heads import MaskedLanguageModel

SHAPE = {"hidden_size": 16, "intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2}
TEXTS = [HeldOutText(language, text) for language, text in SENTENCES.items()]


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    folder = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer("xlm-roberta", folder)
    return open_vocabulary(folder)


@pytest.fixture(scope="module")
def texts(vocabulary: Vocabulary) -> list[HiddenText]:
    return hidden_texts(TEXTS, vocabulary, max_seq_len=24)


@pytest.fixture(params=["modernbert", "bert"])
def model(request: pytest.FixtureRequest, vocabulary: Vocabulary) -> MaskedLanguageModel:
    torch.manual_seed(0)
    sizes = {"vocab_size": vocabulary.size, "max_position_embeddings": 64} | SHAPE
    if request.param == "bert":
        config: EncoderConfig | BertConfig = BertConfig(**sizes)
    else:
        config = EncoderConfig(**sizes, local_attention=8, global_attn_every_n_layers=2)
    found = MaskedLanguageModel(config)
    with torch.no_grad():
        for parameter in found.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return found.eval()


def test_texts_of_every_script_are_hidden_by_a_share_and_else_stay(
    vocabulary: Vocabulary, texts: list[HiddenText]
) -> None:
    bos, eos, mask = (vocabulary.special_ids[role] for role in ("bos", "eos", "mask"))
    whole = []
    for one in texts:
        ids = one.input_ids.copy()
        ids[one.targets] = one.labels
        whole += ids[1:-1].tolist()
    assert whole == [token for ids in vocabulary.encode([*SENTENCES.values()]) for token in ids]
    assert all(len(one.input_ids) <= 24 and one.input_ids[[0, -1]].tolist() == [bos, eos] for one in texts)
    hidden = sum(len(one.targets) for one in texts)
    assert abs(hidden / len(whole) - 0.3) < 0.03
    masked = sum(int((one.input_ids[one.targets] == mask).sum()) for one in texts)
    assert 0.65 < masked / hidden < 0.95


def test_what_is_hidden_hangs_on_the_seed_and_the_text_alone(vocabulary: Vocabulary, texts: list[HiddenText]) -> None:
    alone = [one for text in TEXTS[::-1] for one in hidden_texts([text], vocabulary, max_seq_len=24)]
    assert sorted(one.input_ids.tolist() for one in alone) == sorted(one.input_ids.tolist() for one in texts)
    other = hidden_texts(TEXTS, vocabulary, max_seq_len=24, seed=1)
    assert [one.input_ids.tolist() for one in other] != [one.input_ids.tolist() for one in texts]


def test_texts_without_tokens(vocabulary: Vocabulary) -> None:
    with pytest.raises(UserError, match="no token in these texts"):
        hidden_texts([HeldOutText("1", "")], vocabulary, max_seq_len=24)


def test_a_tokenizer_of_more_tokens_than_the_model(vocabulary: Vocabulary) -> None:
    small = MaskedLanguageModel(EncoderConfig(vocab_size=8, max_position_embeddings=64, **SHAPE))
    with pytest.raises(UserError, match="and the model 8: take the model's own tokenizer"):
        check_vocabulary(small, vocabulary)


def test_empirical_fisher_is_the_square_of_each_sequence_s_gradient(
    model: MaskedLanguageModel, texts: list[HiddenText]
) -> None:
    found = fisher_diagonals(model, texts[:4], empirical=True)
    expected = {name: torch.zeros_like(value) for name, value in model.named_parameters()}
    for text in texts[:4]:
        model.zero_grad()
        batch = packed(model, [text])
        logits = model(batch.input_ids, batch.positions, batch.layout, batch.targets)
        nn.functional.cross_entropy(logits, batch.labels, reduction="sum").backward()
        for name, value in model.named_parameters():
            if value.grad is not None:
                expected[name] += value.grad**2
    count = sum(len(text.labels) for text in texts[:4])
    assert {*found} == {*expected} == {*model.state_dict()}
    for name, one in expected.items():
        torch.testing.assert_close(found[name], one / count, rtol=1e-4, atol=1e-8)


def test_fisher_of_drawn_labels_is_in_the_mean_that_of_all_labels(
    model: MaskedLanguageModel, texts: list[HiddenText]
) -> None:
    """sum_j sum_v p_j(v) (d log p_j(v))^2 / tokens, exactly, beside many draws."""
    text = replace(texts[0], targets=texts[0].targets[:2], labels=texts[0].labels[:2])
    name = "head.dense.weight"
    with torch.no_grad():
        batch = packed(model, [text])
        chances = model(batch.input_ids, batch.positions, batch.layout, batch.targets).softmax(-1)
    weight = model.get_parameter(name)
    logs = model(batch.input_ids, batch.positions, batch.layout, batch.targets).log_softmax(-1)
    exact = torch.zeros_like(weight)
    for place in range(2):
        for token in range(model.config.vocab_size):
            gradient = torch.autograd.grad(logs[place, token], weight, retain_graph=True)[0]
            exact += chances[place, token] * gradient**2 / 2
    draws = torch.stack([fisher_diagonals(model, [replace(text, key=key << 8)])[name] for key in range(60)])
    error = draws.mean(0) - exact
    assert float((error.abs() > 5 * draws.std(0) / 60**0.5 + 1e-9).float().mean()) < 0.02
    assert float(draws.mean(0).sum() / exact.sum()) == pytest.approx(1, abs=0.2)


def test_fisher_is_the_same_again_in_any_order_and_counts_tokens(
    model: MaskedLanguageModel, texts: list[HiddenText]
) -> None:
    told: list[int] = []
    first, again = fisher_diagonals(model, texts[:3]), fisher_diagonals(model, texts[2::-1], progress=told.append)
    for name, one in first.items():
        torch.testing.assert_close(again[name], one, rtol=1e-5, atol=1e-9)
    assert told == [len(one.input_ids) for one in texts[2::-1]]
    assert all(float(one.min()) >= 0 for one in first.values()) and not any(
        p.grad is not None for p in model.parameters()
    )
    with pytest.raises(ValueError, match="no token is hidden"):
        fisher_diagonals(model, [replace(texts[0], targets=texts[0].targets[:0], labels=texts[0].labels[:0])])


def test_gram_matrices_are_those_of_what_the_layers_get(model: MaskedLanguageModel, texts: list[HiddenText]) -> None:
    """Each sequence alone; a gated block's inner numbers from its answer, by the inverse of its last matrix."""
    seen: dict[str, list[Tensor]] = {}
    hooks = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            hooks.append(
                module.register_forward_hook(lambda _, given, __, name=name: seen.setdefault(name, []).append(given[0]))
            )
        if isinstance(module, GeGLU):

            def gated(block: GeGLU, given: tuple[Tensor], answer: Tensor, name: str = name) -> None:
                seen.setdefault(f"{name}.Wi", []).append(given[0])
                seen.setdefault(f"{name}.Wo", []).append(answer @ torch.linalg.pinv(block.Wo.weight.double()).T.float())

            hooks.append(module.register_forward_hook(gated))
    with torch.no_grad():
        for text in texts:
            batch = packed(model, [text])
            model.head(model.model(batch.input_ids, batch.positions, batch.layout)[batch.targets])
    for hook in hooks:
        hook.remove()
    found = gram_matrices(model, texts, batch_tokens=60)
    linear = {name for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    assert (
        {*found.grams}
        == {*found.tokens}
        == {f"{name}.weight" for name in linear}
        == {f"{name}.weight" for name in seen}
    )
    tokens, hidden = sum(len(one.input_ids) for one in texts), sum(len(one.labels) for one in texts)
    for name, parts in seen.items():
        inputs = torch.cat(parts).double()
        assert len(inputs) == found.tokens[f"{name}.weight"] == (hidden if name.startswith("head") else tokens)
        expected = torch.einsum("ti,tj->ij", inputs, inputs) / len(inputs)
        torch.testing.assert_close(found.grams[f"{name}.weight"].double(), expected, rtol=2e-3, atol=2e-4)


def test_batches_hold_so_many_tokens_or_one_text(texts: list[HiddenText]) -> None:
    groups = [*batched(texts, 30)]
    assert [one.key for group in groups for one in group] == [one.key for one in texts]
    assert all(len(group) == 1 or sum(len(one.input_ids) for one in group) <= 30 for group in groups)
    assert len(groups) < len(texts) and len([*batched(texts, 1)]) == len(texts)


def test_statistics_of_parents_are_files_that_rules_read(
    model: MaskedLanguageModel, texts: list[HiddenText], tmp_path: Path
) -> None:
    """A parent merged with itself by its own statistics is itself."""
    grams, diagonals = gram_matrices(model, texts), fisher_diagonals(model, texts[:2])
    write_statistics(tmp_path / "gram", GRAM, grams.grams, {"tokens": grams.tokens})
    write_statistics(tmp_path / "fisher", FISHER, diagonals, {"tokens": 5, "languages": ["eng"]})
    assert {*load_file(tmp_path / "fisher")} == {*diagonals}
    for kind, rule in ((GRAM, "regmean"), (FISHER, "fisher")):
        with Statistics([tmp_path / kind] * 2, kind) as found:
            made = RULES[rule](of=found.of)
            for name, one in model.state_dict().items():
                torch.testing.assert_close(made.merge(name, [one, one], None), one, atol=1e-6, rtol=1e-5)
            assert found.of("decoder.weight") is None
    with Statistics([tmp_path / FISHER], FISHER) as found:
        assert found.told == [{"tokens": 5, "languages": ["eng"]}]
    with pytest.raises(UserError, match="fisher holds no gram statistics: take them again"):
        Statistics([tmp_path / GRAM, tmp_path / FISHER], GRAM)
    write_statistics(tmp_path / "part", GRAM, {"a": torch.eye(2)}, {})
    with Statistics([tmp_path / GRAM, tmp_path / "part"], GRAM) as found:
        assert found.of("a") is None and found.of("head.dense.weight") is None
