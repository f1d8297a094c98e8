"""config.json of transformers, for the encoders of `train.model`: written, and read with what they cannot do refused.

A checkpoint of ours has the same content in encoder.json, so that it can be opened without the run's settings.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from schemas.errors import UserError
from train.model.bert import BertConfig
from train.model.encoder import EncoderConfig

ARCHITECTURES = {
    "modernbert": "ModernBertForMaskedLM",
    "bert": "BertForMaskedLM",
    "xlm-roberta": "XLMRobertaForMaskedLM",
}
PRETRAINING = {"bert": "BertForPreTraining"}  # with a head for pairs, where there is such a class
SIZES = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "max_position_embeddings",
)
MODERNBERT_KEYS = ("norm_eps", "initializer_range", "initializer_cutoff_factor", "local_attention")
BERT_KEYS = ("type_vocab_size", "hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_range")
PAD_IDS = {"bert": 0, "xlm-roberta": 1}  # transformers' own, where a file names none

GELU = ("gelu", "gelu_python")  # both by the error function
# Setting -> the values that our layers can do, first the one that holds where a file does not name it.
POSSIBLE: dict[str, dict[str, tuple[object, ...]]] = {
    "modernbert": {
        "hidden_activation": GELU,
        "classifier_activation": GELU,
        "attention_bias": (False,),
        "mlp_bias": (False,),
        "norm_bias": (False,),
        "classifier_bias": (False,),
        "decoder_bias": (True,),
        "rope_scaling": (None,),
    },
    "bert": {
        "hidden_act": GELU,
        "position_embedding_type": ("absolute",),
        "is_decoder": (False,),
        "add_cross_attention": (False,),
    },
}
POSSIBLE["xlm-roberta"] = POSSIBLE["bert"]
POSSIBLE_FOR_ALL: dict[str, tuple[object, ...]] = {"tie_word_embeddings": (True,), "quantization_config": (None,)}


def huggingface_config(
    config: EncoderConfig | BertConfig, special_ids: dict[str, int], pairs: bool = False
) -> dict[str, Any]:
    """config.json of the masked language model, with `pairs` of BertForPreTraining. `special_ids`: ids of pad, bos, eos
    and mask.

    ModernBERT's layer kinds and rotary bases appear both as transformers 5 names them and as 4.48 did.
    """
    settings = {
        "architectures": [PRETRAINING[config.layout] if pairs else ARCHITECTURES[config.layout]],
        "model_type": config.layout,
        "dtype": "float32",
        **{key: getattr(config, key) for key in SIZES},
    }
    settings |= _modernbert(config) if isinstance(config, EncoderConfig) else _bert(config, special_ids["pad"])
    if config.languages:
        settings["language_embeddings"] = list(config.languages)
    return settings | {
        "tie_word_embeddings": True,
        "pad_token_id": special_ids["pad"],
        "bos_token_id": special_ids["bos"],
        "cls_token_id": special_ids["bos"],
        "eos_token_id": special_ids["eos"],
        "sep_token_id": special_ids["eos"],
        "mask_token_id": special_ids["mask"],
    }


def _modernbert(config: EncoderConfig) -> dict[str, Any]:
    kinds = ["sliding_attention" if config.is_local(layer) else "full_attention"
             for layer in range(config.num_hidden_layers)]  # fmt: skip
    return {
        **{key: getattr(config, key) for key in MODERNBERT_KEYS},
        "global_attn_every_n_layers": config.global_attn_every_n_layers,
        "global_rope_theta": config.global_rope_theta,
        "local_rope_theta": config.local_rope_theta,
        "layer_types": kinds,
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": config.global_rope_theta},
            "sliding_attention": {"rope_type": "default", "rope_theta": config.local_rope_theta},
        },
        "hidden_activation": "gelu",
        "classifier_activation": "gelu",
        "attention_bias": False,
        "mlp_bias": False,
        "norm_bias": False,
        "classifier_bias": False,
        "decoder_bias": True,
        "attention_dropout": 0.0,
        "embedding_dropout": 0.0,
        "mlp_dropout": 0.0,
    }


def _bert(config: BertConfig, pad: int) -> dict[str, Any]:
    return {
        **{key: getattr(config, key) for key in BERT_KEYS},
        "max_position_embeddings": config.max_position_embeddings + position_offset(config, pad),
        "layer_norm_eps": config.norm_eps,
        "hidden_act": "gelu",
        "position_embedding_type": "absolute",
    }


def position_offset(config: EncoderConfig | BertConfig, pad: int) -> int:
    """Row of transformers' position table that holds the first token's; XLM-RoBERTa's lie behind the padding's."""
    return pad + 1 if config.layout == "xlm-roberta" else 0


def read_object(path: Path) -> dict[str, Any]:
    """UserError where it is no JSON, or not of keys and values."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is no JSON: {error}; copy it again") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} is no JSON object, of keys and values: copy it again")
    return content


def read_config(path: Path) -> tuple[EncoderConfig | BertConfig, int]:
    """(shape of the encoder, `position_offset` of its weights as transformers keeps them) that a config.json describes.

    UserError where it is no such file, lacks a size, or asks for something that our encoders do not do.
    """
    settings = read_object(path)
    layout = settings.get("model_type")
    if layout not in ARCHITECTURES:
        raise UserError(f"{path}: model_type = {layout!r} is not supported: take one of {', '.join(ARCHITECTURES)}")
    missing = [key for key in SIZES if key not in settings]
    if missing:
        raise UserError(f"{path} lacks {', '.join(missing)}: copy it again from where the model came from")
    for key, values in (POSSIBLE[layout] | POSSIBLE_FOR_ALL).items():
        if settings.get(key, values[0]) not in values:
            known = " or ".join(json.dumps(value) for value in values)
            raise UserError(f"{path}: {key} = {json.dumps(settings[key])} is not supported, only {known}: take another")
    sizes = {key: settings[key] for key in SIZES} | {"languages": tuple(settings.get("language_embeddings", ()))}
    if layout == "modernbert":
        given = {key: settings[key] for key in MODERNBERT_KEYS if key in settings}
        return EncoderConfig(**sizes, **given, **_rotary_bases(settings, path), **_layer_kinds(settings, path)), 0
    given = {key: settings[key] for key in BERT_KEYS if key in settings}
    config = BertConfig(**sizes, **given, norm_eps=settings.get("layer_norm_eps", 1e-12), kind=layout)
    offset = position_offset(config, settings.get("pad_token_id", PAD_IDS[layout]))
    return replace(config, max_position_embeddings=config.max_position_embeddings - offset), offset


def _rotary_bases(settings: dict[str, Any], path: Path) -> dict[str, Any]:
    bases = {"global_rope_theta": EncoderConfig.global_rope_theta, "local_rope_theta": EncoderConfig.local_rope_theta}
    for kind, name in (("full_attention", "global_rope_theta"), ("sliding_attention", "local_rope_theta")):
        rope = (settings.get("rope_parameters") or {}).get(kind) or {}
        if rope.get("rope_type", "default") != "default":
            raise UserError(f'{path}: rope_type = "{rope["rope_type"]}" is not supported, only "default": take another')
        base = rope.get("rope_theta", settings.get(name, bases[name]))
        bases[name] = bases["global_rope_theta"] if base is None else base  # transformers 4 wrote null for "the same"
    return bases


def _layer_kinds(settings: dict[str, Any], path: Path) -> dict[str, Any]:
    """The n of "each n-th layer is global", also where the layers are listed one by one."""
    layers, named = settings["num_hidden_layers"], settings.get("global_attn_every_n_layers", 3)
    kinds = settings.get("layer_types")
    for n in (named, *range(1, layers + 1)):
        pattern = ["sliding_attention" if layer % n else "full_attention" for layer in range(layers)]
        if kinds is None or kinds == pattern:
            return {"global_attn_every_n_layers": n}
    raise UserError(f"{path}: layer_types is not supported: full_attention must stand at 0, n, 2n ... alone")
