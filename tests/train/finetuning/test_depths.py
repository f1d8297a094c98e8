"""Rates of layers are the formula's, and what is frozen is what was said."""

from pathlib import Path

import pytest
import torch
from tiny_encoders import KINDS, save_encoder

from schemas.errors import UserError
from train.encoders.opened import open_model
from train.finetuning.depths import depths_of, freeze
from train.optim.build import build_optimizer

HEADS = ("AutoModelForSequenceClassification", "AutoModelForTokenClassification", "AutoModelForQuestionAnswering")
LAYERS = {
    "bert": "bert.encoder.layer.{}",
    "distilbert": "distilbert.transformer.layer.{}",
    "xlm-roberta": "roberta.encoder.layer.{}",
    "modernbert": "model.layers.{}",
}


def model_of(kind: str, folder: Path, head: str):
    return open_model(save_encoder(kind, folder), device="cpu").to_train(head, 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("head", [*HEADS, "AutoModel"])
def test_each_weight_moves_at_the_rate_of_its_depth(tmp_path: Path, kind: str, head: str) -> None:
    """The first step of Adam moves each weight by the rate, whatever its gradient."""
    model = model_of(kind, tmp_path, head)
    depths = depths_of(model)
    freeze(model, depths, None)
    optimizer = build_optimizer(model, "adamw", betas=(0.9, 0.999), eps=1e-12, weight_decay=0.0, own=depths.rates(0.5))
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 3.0)
    optimizer.set_learning_rate(0.1)
    optimizer.step(torch.zeros(()))
    base = LAYERS[kind].split(".")[0] + "." if head != "AutoModel" else ""
    first, second = (LAYERS[kind].split(".", 1)[1].format(number) for number in (0, 1))
    seen = set()
    for name, value in model.named_parameters():
        inner = name.removeprefix(base)
        depth = 1 if inner.startswith(first + ".") else 2 if inner.startswith("emb") else 0
        seen.add((depth, inner.startswith(second + ".")))
        moved = (before[name] - value).detach()
        torch.testing.assert_close(moved, torch.full_like(moved, 0.1 * 0.5**depth), rtol=1e-4, atol=1e-6)
    assert {(2, False), (1, False), (0, True)} <= seen


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_trained(tmp_path: Path, kind: str) -> None:
    model = model_of(kind, tmp_path, HEADS[0])
    depths = depths_of(model)
    layers = [LAYERS[kind].format(number) + "." for number in (0, 1)]
    base = LAYERS[kind].split(".")[0] + "."
    names = [name for name, _ in model.named_parameters()]
    for top, expected in (
        (None, set(names)),
        (2, {name for name in names if not name.startswith(base + "emb")}),
        (1, {name for name in names if not name.startswith((base + "emb", layers[0]))}),
        (0, {name for name in names if not name.startswith(base) or ".pooler." in name}),
    ):
        freeze(model, depths, top)
        assert {name for name, value in model.named_parameters() if value.requires_grad} == expected
        assert {name for name in expected if name.startswith("classifier.")}
    with pytest.raises(UserError, match="--trained top:3: the model has 2 layers: take fewer, or all"):
        freeze(model, depths, 3)
