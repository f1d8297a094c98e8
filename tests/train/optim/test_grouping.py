"""Which parameters decay and which ones Muon takes, on the project's encoder and on shapes that it lacks."""

import torch
from torch import nn

from train.model.bert import BertConfig
from train.model.encoder import EncoderConfig
from train.model.heads import MaskedLanguageModel, PairHead
from train.optim.grouping import group_parameters, plain_name


def test_the_encoder() -> None:
    config = EncoderConfig(vocab_size=70, hidden_size=16, num_attention_heads=2, num_hidden_layers=2)
    model = MaskedLanguageModel(config)
    hidden, outer, level = group_parameters(model, 0.1)
    layers = {
        f"model.layers.{n}.{kind}.weight" for n in (0, 1) for kind in ("attn.Wqkv", "attn.Wo", "mlp.Wi", "mlp.Wo")
    }
    assert set(hidden.names) == layers | {"head.dense.weight"}
    assert outer.names == ("model.embeddings.tok_embeddings.weight",)
    assert {parameter.ndim for parameter in level.parameters} == {1}
    assert [group.weight_decay for group in (hidden, outer, level)] == [0.1, 0.1, 0.0]
    assert [group.hidden for group in (hidden, outer, level)] == [True, False, False]
    assert sum(len(group.parameters) for group in (hidden, outer, level)) == len(list(model.parameters()))


class Odd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(4, 4)
        self.words = nn.Embedding(9, 4)
        self.projection = nn.Linear(4, 9)
        self.projection.weight = self.words.weight
        self.position_embeddings = nn.Parameter(torch.zeros(5, 4))
        self.seq_relationship = nn.Linear(4, 2)
        self.frozen = nn.Linear(4, 4).requires_grad_(False)
        self.norm = nn.ParameterDict({"weight": torch.ones(2, 2)})


def test_tied_weights_raw_tables_and_output_layers_are_not_hidden() -> None:
    hidden, outer, level = group_parameters(Odd(), 0.1)
    assert hidden.names == ("dense.weight",)
    assert set(outer.names) == {"words.weight", "position_embeddings", "seq_relationship.weight"}
    assert set(level.names) == {"dense.bias", "projection.bias", "seq_relationship.bias", "norm.weight"}


def test_a_table_tied_under_another_name_first_is_still_an_embedding() -> None:
    model = nn.ModuleDict({"a_first": nn.Linear(4, 9, bias=False), "tok_embeddings": nn.Linear(4, 9, bias=False)})
    model["a_first"].weight = model["tok_embeddings"].weight
    (outer,) = group_parameters(model, 0.1)
    assert outer.names == ("a_first.weight",) and not outer.hidden


def test_names_do_not_depend_on_wrappers() -> None:
    assert plain_name("module._orig_mod.layers.0._orig_mod.attn.Wo.weight") == "layers.0.attn.Wo.weight"
    assert plain_name("_orig_mod.module.head.bias") == "head.bias"
    assert plain_name("encoder.module.bias") == "encoder.module.bias"
    compiled = torch.compile(Odd(), backend="eager")
    assert isinstance(compiled, nn.Module)
    names = [group.names for group in group_parameters(compiled, 0.1)]
    assert names == [group.names for group in group_parameters(Odd(), 0.1)]


def test_tables_of_positions_segments_and_languages_are_embeddings() -> None:
    sizes = {"vocab_size": 70, "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 2}
    config = BertConfig(**sizes, max_position_embeddings=8, languages=("deu_Latn",))
    model = nn.ModuleDict({"model": MaskedLanguageModel(config), "nsp": PairHead(config)})
    hidden, outer, level = group_parameters(model, 0.1)
    tables = ("word", "position", "token_type", "language")
    assert set(outer.names) == {
        *(f"model.model.embeddings.{name}_embeddings.weight" for name in tables),
        "nsp.seq_relationship.weight",
    }
    assert "nsp.pooler.dense.weight" in hidden.names and len(hidden.names) == 2 * 6 + 2
    assert {parameter.ndim for parameter in level.parameters} == {1}
    modern = MaskedLanguageModel(EncoderConfig(**sizes, languages=("deu_Latn",)))
    assert "model.embeddings.language_embeddings.weight" in group_parameters(modern, 0.1)[1].names
