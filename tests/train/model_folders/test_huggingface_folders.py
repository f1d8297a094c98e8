"""Folders of transformers against the models that transformers itself makes of them, for each layout."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from schemas.errors import UserError
from train.model.attention import build_layout
from train.model.bert import BertConfig
from train.model.encoder import EncoderConfig
from train.model.heads import MaskedLanguageModel
from train.model_folders.huggingface import from_pretrained, load_encoder, save_pretrained, write_checkpoint_config

transformers = pytest.importorskip("transformers", reason="no transformers: pip install -e .[train]")
VOCAB, LOCAL = 203, 10  # no multiple of 64
SPECIAL = {"pad": 0, "bos": 2, "eos": 3, "mask": 4}
SIZES: dict[str, Any] = {"vocab_size": VOCAB, "hidden_size": 48, "num_hidden_layers": 4, "num_attention_heads": 4}
SIZES |= {"intermediate_size": 40, "max_position_embeddings": 64}
SETTINGS: dict[str, dict[str, Any]] = {
    "modernbert": {"local_attention": LOCAL, "pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3}
    | {"bos_token_id": 2, "eos_token_id": 3, "norm_eps": 1e-4},
    "bert": {"type_vocab_size": 3, "layer_norm_eps": 1e-7, "hidden_dropout_prob": 0.25},
    "xlm-roberta": {"type_vocab_size": 1, "pad_token_id": 4, "max_position_embeddings": 69, "layer_norm_eps": 1e-5},
}
CLASSES = {"modernbert": "ModernBert", "bert": "Bert", "xlm-roberta": "XLMRoberta"}
LAYOUTS = pytest.mark.parametrize("layout", SETTINGS)
LENGTHS = (64, 11, 1, 40)


def theirs(layout: str, kind: str = "ForMaskedLM", **settings: object) -> Any:
    """A model of transformers, away from zero biases and unit norms, which would hide a mix-up."""
    torch.manual_seed(7)
    config = getattr(transformers, f"{CLASSES[layout]}Config")(**SIZES | SETTINGS[layout] | settings)
    model = getattr(transformers, CLASSES[layout] + kind)(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A masked language model of each layout, written by transformers; to be read alone."""
    root = tmp_path_factory.mktemp("theirs")
    for layout in SETTINGS:
        theirs(layout).save_pretrained(root / layout)
    return {layout: root / layout for layout in SETTINGS}


@pytest.fixture
def edit(folders: dict[str, Path], tmp_path: Path) -> Callable[..., Path]:
    """A copy of a folder with some settings or tensors changed; None removes one."""

    def edited(layout: str, settings: dict[str, Any] | None = None, **tensors: torch.Tensor | None) -> Path:
        folder = shutil.copytree(folders[layout], tmp_path / layout, dirs_exist_ok=True)
        config = json.loads((folder / "config.json").read_text()) | (settings or {})
        (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
        weights = load_file(folder / "model.safetensors") | tensors
        save_file({k: v for k, v in weights.items() if v is not None}, folder / "model.safetensors")
        return folder

    return edited


def parts() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(11)
    return [torch.randint(5, VOCAB, (length,), generator=generator) for length in LENGTHS]


@torch.no_grad()
def padded(model: Any, pad: int) -> torch.Tensor:
    """What transformers says of the tokens of a padded batch: logits, or hidden states where there is no head."""
    ids = torch.nn.utils.rnn.pad_sequence(parts(), batch_first=True, padding_value=pad)
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(part) for part in parts()], batch_first=True)
    tensor = model(input_ids=ids, attention_mask=mask)[0][mask.bool()]
    assert isinstance(tensor, torch.Tensor)
    return tensor


@torch.no_grad()
def packed(model: MaskedLanguageModel) -> tuple[torch.Tensor, torch.Tensor]:
    """The same by ours, of the sequences in a row."""
    layout = build_layout(np.array(LENGTHS), LOCAL, torch.device("cpu"), torch.float32)
    inputs = torch.cat(parts()), torch.cat([torch.arange(length) for length in LENGTHS]), layout
    return model.model(*inputs), model(*inputs, torch.arange(sum(LENGTHS)))[:, :VOCAB]


def assert_equal(model: MaskedLanguageModel, other: Any, pad: int) -> None:
    hidden, logits = packed(model)
    torch.testing.assert_close(hidden, padded(other.base_model, pad), atol=1e-5, rtol=0)
    torch.testing.assert_close(logits, padded(other, pad), atol=1e-5, rtol=1e-5)


@LAYOUTS
def test_packed_equals_padded_of_transformers(layout: str, folders: dict[str, Path]) -> None:
    loaded = load_encoder(folders[layout])
    assert (loaded.layout, loaded.has_head, loaded.lineage) == (layout, True, None)
    assert loaded.config.max_position_embeddings == 64 and loaded.head is not None
    assert loaded.head.model is loaded.encoder
    other = theirs(layout)
    assert_equal(loaded.head, other, other.config.pad_token_id)


@LAYOUTS
def test_what_is_written_is_the_same_in_transformers(layout: str, folders: dict[str, Path], tmp_path: Path) -> None:
    """With other special tokens than it came with: XLM-RoBERTa's positions begin behind the padding's id."""
    model = from_pretrained(folders[layout])
    save_pretrained(model, SPECIAL, tmp_path, tmp_path / "export")
    other, report = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "export", output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"] and not report["mismatched_keys"]
    assert other.config.vocab_size == VOCAB and other.config.pad_token_id == SPECIAL["pad"]
    assert_equal(model, other.eval(), SPECIAL["pad"])
    again = from_pretrained(tmp_path / "export")
    assert again.config == model.config
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


def test_dropout_of_a_model_outlives_it(folders: dict[str, Path], tmp_path: Path) -> None:
    save_pretrained(from_pretrained(folders["bert"]), SPECIAL, tmp_path, tmp_path / "export")
    assert transformers.AutoConfig.from_pretrained(tmp_path / "export").hidden_dropout_prob == 0.25


@LAYOUTS
def test_a_model_without_a_head_has_the_encoder(layout: str, tmp_path: Path) -> None:
    other = theirs(layout, "Model")
    other.save_pretrained(tmp_path / "base")
    loaded = load_encoder(tmp_path / "base")
    assert loaded.head is None
    hidden, _ = packed(loaded.language_model)
    torch.testing.assert_close(hidden, padded(other, other.config.pad_token_id), atol=1e-5, rtol=1e-5)
    with pytest.raises(UserError, match="has no masked-language-model head"):
        from_pretrained(tmp_path / "base")


def test_other_heads_are_left_behind(tmp_path: Path) -> None:
    for kind in ("ForPreTraining", "ForSequenceClassification"):
        other = theirs("bert", kind)
        other.save_pretrained(tmp_path / kind)
        loaded = load_encoder(tmp_path / kind)
        assert loaded.has_head == (kind == "ForPreTraining")
        with torch.no_grad():
            expected = other.base_model(input_ids=parts()[0][None]).last_hidden_state[0]
        torch.testing.assert_close(packed(loaded.language_model)[0][:64], expected, atol=1e-5, rtol=1e-5)
    head = load_encoder(tmp_path / "ForPreTraining").head
    assert head is not None
    with torch.no_grad():
        expected = theirs("bert", "ForPreTraining")(input_ids=parts()[0][None]).prediction_logits[0]
    torch.testing.assert_close(packed(head)[1][:64], expected, atol=2e-5, rtol=1e-5)


def test_pickled_weights_with_old_names(edit: Callable[..., Path], folders: dict[str, Path]) -> None:
    folder = edit("bert")
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for name, value in load_file(folder / "model.safetensors").items()
    }
    old["bert.embeddings.position_ids"] = torch.arange(64)[None]
    old["cls.predictions.decoder.bias"] = old.pop("cls.predictions.bias")
    assert sum(name.endswith(".gamma") for name in old) == 2 * 4 + 2
    (folder / "model.safetensors").unlink()
    torch.save(old, folder / "pytorch_model.bin")
    for found, expected in zip(packed(from_pretrained(folder)), packed(from_pretrained(folders["bert"])), strict=True):
        assert torch.equal(found, expected)


class Payload:
    """An object whose unpickling would run code."""

    def __reduce__(self) -> tuple[object, ...]:
        return exec, ("raise SystemExit('ran')",)


def test_pickled_code_does_not_run(edit: Callable[..., Path]) -> None:
    folder = edit("bert")
    (folder / "model.safetensors").unlink()
    torch.save({"weight": Payload()}, folder / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"pytorch_model\.bin is broken, or more than weights"):
        load_encoder(folder)


def test_shards_are_one_model(folders: dict[str, Path], tmp_path: Path) -> None:
    theirs("xlm-roberta").save_pretrained(tmp_path, max_shard_size="40KB")
    shards = sorted(tmp_path.glob("model-*.safetensors"))
    assert len(shards) > 2
    whole = from_pretrained(folders["xlm-roberta"])
    assert torch.equal(packed(from_pretrained(tmp_path))[1], packed(whole)[1])
    shards[1].unlink()
    with pytest.raises(UserError, match=f"lacks {shards[1].name}"):
        load_encoder(tmp_path)


@pytest.mark.parametrize(
    "config", [EncoderConfig(**SIZES), BertConfig(**SIZES), replace(BertConfig(**SIZES), kind="xlm-roberta")]
)
def test_a_checkpoint_opens_by_its_encoder_json(config: EncoderConfig | BertConfig, tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = MaskedLanguageModel(config)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    write_checkpoint_config(tmp_path, config, SPECIAL, {"seed": 5})
    loaded = load_encoder(tmp_path)
    assert (loaded.config, loaded.lineage) == (config, {"seed": 5})
    assert torch.equal(packed(loaded.language_model)[1], packed(model)[1])
    save_pretrained(model, SPECIAL, tmp_path, tmp_path / "export")
    checkpoint, export = (
        json.loads(path.read_text()) for path in (tmp_path / "encoder.json", tmp_path / "export" / "config.json")
    )
    assert checkpoint == export


def test_lineage_is_in_a_file_and_in_the_weights(tmp_path: Path) -> None:
    lineage = {"parents": [{"run": "a", "step": 3}], "method": "mean"}
    save_pretrained(MaskedLanguageModel(EncoderConfig(**SIZES)), SPECIAL, tmp_path, tmp_path / "export", lineage)
    assert json.loads((tmp_path / "export" / "lineage.json").read_text()) == lineage
    (tmp_path / "export" / "lineage.json").unlink()
    assert load_encoder(tmp_path / "export").lineage == lineage


def test_the_tokenizer_comes_along(tmp_path: Path) -> None:
    tokenizer = tmp_path / "tokenizer"
    tokenizer.mkdir()
    names = {"tokenizer.json", "spm.model", "sentencepiece.bpe.model", "vocab.txt"}
    for name in names | {"notes.md"}:
        (tokenizer / name).write_text(name)
    save_pretrained(MaskedLanguageModel(EncoderConfig(**SIZES)), SPECIAL, tokenizer, tmp_path / "export")
    assert {path.name for path in (tmp_path / "export").iterdir()} == names | {"config.json", "model.safetensors"}


def test_opening_leaves_the_random_numbers_alone(folders: dict[str, Path], tmp_path: Path) -> None:
    theirs("bert", "Model").save_pretrained(tmp_path)
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    for folder in (folders["bert"], tmp_path):
        load_encoder(folder)
    assert torch.equal(torch.rand(2), expected)


@LAYOUTS
def test_what_is_opened_can_be_trained(layout: str, tmp_path: Path) -> None:
    """Each parameter is there, in float32, with a gradient; where the folder has no head, the head's too."""
    theirs(layout, "Model").bfloat16().save_pretrained(tmp_path)
    model = load_encoder(tmp_path).language_model
    places = build_layout(np.array([5]), LOCAL, torch.device("cpu"), torch.float32)
    logits = model(torch.arange(5, 10), torch.arange(5), places, torch.arange(5))[:, :VOCAB]
    torch.nn.functional.cross_entropy(logits, torch.arange(5, 10)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.dtype == torch.float32 and parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_config_of_transformers_4(edit: Callable[..., Path], folders: dict[str, Path]) -> None:
    """Layer kinds and rotary bases by their names of then."""
    old = {"rope_parameters": None, "layer_types": None, "global_attn_every_n_layers": 2}
    config = load_encoder(edit("modernbert", old | {"global_rope_theta": 5e4, "local_rope_theta": 2e4})).config
    assert isinstance(config, EncoderConfig)
    assert (config.global_attn_every_n_layers, config.global_rope_theta, config.local_rope_theta) == (2, 5e4, 2e4)


def test_layers_listed_one_by_one(edit: Callable[..., Path]) -> None:
    full, local = "full_attention", "sliding_attention"
    config = load_encoder(edit("modernbert", {"layer_types": [full, local, full, local]})).config
    assert [config.is_local(layer) for layer in range(4)] == [False, True, False, True]
    with pytest.raises(UserError, match="layer_types is not supported"):
        load_encoder(edit("modernbert", {"layer_types": [full, full, local, local]}))


@pytest.mark.parametrize(
    ("layout", "settings", "message"),
    [
        (
            "bert",
            {"model_type": "gpt2"},
            "model_type = 'gpt2' is not supported: take one of modernbert, bert, xlm-roberta",
        ),
        ("bert", {"hidden_act": "relu"}, 'hidden_act = "relu" is not supported, only "gelu"'),
        ("bert", {"position_embedding_type": "relative_key"}, 'position_embedding_type = "relative_key"'),
        ("xlm-roberta", {"is_decoder": True}, "is_decoder = true is not supported, only false"),
        ("modernbert", {"hidden_activation": "silu"}, 'hidden_activation = "silu"'),
        ("modernbert", {"mlp_bias": True}, "mlp_bias = true"),
        ("modernbert", {"rope_parameters": {"full_attention": {"rope_type": "yarn"}}}, 'rope_type = "yarn"'),
        ("modernbert", {"tie_word_embeddings": False}, "tie_word_embeddings = false"),
        ("bert", {"hidden_size": None}, "lacks hidden_size"),
        ("bert", {"intermediate_size": 41}, r"intermediate\.dense\.weight has the shape \[40, 48\].* means \[41, 48\]"),
        ("bert", {"vocab_size": 204}, r"word_embeddings\.weight has the shape \[203, 48\]"),
        ("xlm-roberta", {"num_hidden_layers": 5}, r"lacks the tensor model\.encoder\.layer\.4.* and 15 more"),
        ("modernbert", {"num_hidden_layers": 3, "layer_types": None}, r"has a tensor model\.layers\.3\.\S+ more than"),
    ],
)
def test_a_config_that_does_not_fit_is_named(
    layout: str, settings: dict[str, Any], message: str, edit: Callable[..., Path]
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load_encoder(edit(layout, settings))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"bert.embeddings.LayerNorm.weight": None}, r"lacks the tensor model\.embeddings\.LayerNorm\.weight, which"),
        ({"bert.embeddings.word_embeddings.weight": None}, "lacks the tensor embeddings.word_embeddings.weight"),
        ({"cls.predictions.transform.dense.bias": None}, r"lacks the tensor head\.dense\.bias"),
        (
            {"bert.embeddings.LayerNorm.weight": torch.full((48,), torch.inf)},
            "LayerNorm.weight holds numbers that are not",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(
    tensors: dict[str, torch.Tensor | None], message: str, edit: Callable[..., Path]
) -> None:
    with pytest.raises(UserError, match=message):
        load_encoder(edit("bert", **tensors))


def test_folders_that_hold_no_model_are_named(edit: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere is no exported model"):
        load_encoder(tmp_path / "nowhere")
    folder = edit("bert")
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:-100])
    with pytest.raises(UserError, match=r"model\.safetensors is broken"):
        load_encoder(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="has no weights"):
        load_encoder(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config\.json is no JSON"):
        load_encoder(folder)
