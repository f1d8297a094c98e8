"""The encoder as a folder that `transformers.AutoModelForMaskedLM.from_pretrained` opens, and back.

The folder is written without transformers: config.json, model.safetensors and the tokenizer's own files.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from schemas.errors import UserError
from train.model.encoder import EncoderConfig
from train.model.heads import MaskedLanguageModel

EMBEDDING = "model.embeddings.tok_embeddings.weight"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
SHARED_KEYS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "max_position_embeddings",
    "global_attn_every_n_layers",
    "local_attention",
    "global_rope_theta",
    "local_rope_theta",
    "norm_eps",
    "initializer_range",
    "initializer_cutoff_factor",
)


def huggingface_config(config: EncoderConfig, special_ids: dict[str, int]) -> dict[str, Any]:
    """config.json of `ModernBertForMaskedLM`. `special_ids`: ids of pad, bos, eos and mask.

    Layer kinds and rotary bases appear both as transformers 5 names them and as 4.48 did.
    """
    kinds = ["sliding_attention" if config.is_local(layer) else "full_attention"
             for layer in range(config.num_hidden_layers)]  # fmt: skip
    return {
        "architectures": ["ModernBertForMaskedLM"],
        "model_type": "modernbert",
        "dtype": "float32",
        **{key: getattr(config, key) for key in SHARED_KEYS},
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
        "tie_word_embeddings": True,
        "pad_token_id": special_ids["pad"],
        "bos_token_id": special_ids["bos"],
        "cls_token_id": special_ids["bos"],
        "eos_token_id": special_ids["eos"],
        "sep_token_id": special_ids["eos"],
        "mask_token_id": special_ids["mask"],
    }


def save_pretrained(
    model: MaskedLanguageModel, special_ids: dict[str, int], tokenizer: Path, folder: Path
) -> None:  # fmt: skip
    """Writes `folder`, which must not exist yet; the rows that pad the vocabulary stay behind."""
    folder.mkdir(parents=True)
    weights = {name: value.detach().float().cpu().contiguous() for name, value in model.state_dict().items()}
    weights[EMBEDDING] = weights[EMBEDDING][: model.config.vocab_size].clone()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    text = json.dumps(huggingface_config(model.config, special_ids), indent=2) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")
    for name in TOKENIZER_FILES:
        if (tokenizer / name).is_file():
            shutil.copyfile(tokenizer / name, folder / name)


def from_pretrained(folder: Path) -> MaskedLanguageModel:
    """The model of a folder that `save_pretrained` wrote. UserError for a folder that is none."""
    try:
        settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        weights = load_file(folder / "model.safetensors")
    except OSError as error:
        raise UserError(f"{folder} is no exported model: {error}; point to the folder `export` of a run") from None
    missing = [key for key in SHARED_KEYS if key not in settings]
    if settings.get("model_type") != "modernbert" or missing:
        lacking = ", ".join(missing) or "model_type modernbert"
        raise UserError(f"{folder}/config.json lacks {lacking}: point to the folder `export` of a run")
    config = EncoderConfig(**{key: settings[key] for key in SHARED_KEYS})
    model = MaskedLanguageModel(config)
    rows = weights[EMBEDDING]
    weights[EMBEDDING] = torch.cat((rows, rows.new_zeros(config.padded_vocab_size - len(rows), rows.shape[1])))
    model.load_state_dict(weights)
    return model
