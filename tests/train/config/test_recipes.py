"""The recipes in train/configs: each one file that both wings read, and multilingual BERT's figures in it."""

from pathlib import Path

import pytest

from pipeline.flags import load
from train.config.load import load_config
from train.config.tables import PretrainConfig

CONFIGS = Path(__file__).resolve().parents[3] / "train" / "configs"
RECIPES = ("mbert", "mbert-tiny")
SMOOTHED = 1 / 0.7  # shares ~ size^0.7


def trained(name: str) -> PretrainConfig:
    paths = ["--shards", "s", "--tokenizer", "t", "--output", "o"]
    return load_config([*paths, "--config", str(CONFIGS / f"{name}.toml")])


@pytest.mark.parametrize("name", RECIPES)
def test_what_jobs_read_of_a_recipe(name: str) -> None:
    config = load(str(CONFIGS / f"{name}.toml"), {})
    assert (config.sample.method, config.vocab.model) == ("temperature", "wordpiece")
    assert config.sample.temperature == config.vocab.temperature == pytest.approx(SMOOTHED, rel=1e-12)
    assert config.vocab.vocab_size == {"mbert": 110_000, "mbert-tiny": 6_000}[name]
    assert config.sample.min_documents == 1 and not config.clean.languages  # every language that there is


@pytest.mark.parametrize("name", RECIPES)
def test_what_the_trainer_reads_of_a_recipe(name: str) -> None:
    config = trained(name)
    assert config.model.architecture == "bert"
    assert list(config.objectives) == ["mlm", "nsp"]
    assert (config.mlm.mlm_probability, config.mlm.whole_word_masking) == ("0.15", False)
    optim = config.optim
    assert (optim.optimizer, optim.adam_beta1, optim.adam_beta2, optim.weight_decay) == ("adamw", 0.9, 0.999, 0.01)
    assert optim.decay_shape == "linear" and optim.warmup_ratio + optim.decay_ratio == 1
    assert config.data.bin_tokens % config.data.max_seq_len == 0


def test_the_figures_of_multilingual_bert() -> None:
    config = trained("mbert")
    model, data, optim, run = config.model, config.data, config.optim, config.run
    assert (model.num_hidden_layers, model.hidden_size, model.num_attention_heads) == (12, 768, 12)
    assert model.intermediate_size == 3072
    assert (data.max_seq_len, data.global_batch_tokens) == (512, 256 * 512)
    assert (optim.learning_rate, run.steps, optim.warmup_ratio * run.steps) == (1e-4, 1_000_000, 10_000)
