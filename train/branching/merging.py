"""Provisional."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from train.branching.recipe import Recipe
from train.checkpoints.files import publish
from train.corpus.vocabulary import open_vocabulary
from train.fusion.rules import RULES
from train.model_folders.ancestry import digest_of
from train.model_folders.huggingface import load_encoder, save_pretrained


def merge(
    rule: str,
    parents: Mapping[str, Path],
    base: Path,
    output: Path,
    recipe: Recipe,
    seed: int,
    say: Callable[[str], None],
) -> None:
    loaded = [load_encoder(one) for one in parents.values()]
    before = load_encoder(base)
    made = RULES[rule]()
    states = [one.language_model.state_dict() for one in loaded]
    found = {
        name: made.merge(
            name,
            [s[name].clone() for s in states],
            before.language_model.state_dict()[name].clone() if made.needs_ancestor else None,
        )
        for name in states[0]
    }
    model = loaded[0].language_model
    model.load_state_dict(found)
    v = open_vocabulary(recipe.base(output).data.tokenizer)
    lineage = {
        "parents": [
            {"folder": str(f), "weights": digest_of(o), "lineage": o.lineage} for f, o in zip(parents.values(), loaded)
        ]
    }
    publish(output, partial(save_pretrained, model, v.special_ids, v.folder, lineage=lineage))
