"""Everything that a run reads, made up: a vocabulary of words without meaning, and token ids where the trainer keeps
those of its shards. From there on the data goes the trainer's own way.
"""

from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models

from train.config.load import Settings, build
from train.config.tables import PretrainConfig
from train.corpus.blocks import ROWS, Block
from train.corpus.mixture import Mixture
from train.corpus.sentence_ends import SentenceCache
from train.corpus.shards import ShardFile, Shards
from train.corpus.token_cache import INDEX, TokenCache
from train.corpus.vocabulary import open_vocabulary
from train.data.batches import Collator
from train.data.plan import plan_run
from train.data.sources import training_blocks
from train.data.validation import Validation
from train.joint.build import build_objectives
from train.loop.held_out import VALIDATED
from train.loop.setup import Data, stream_settings

LANGUAGES = ("aaa_Latn", "bbb_Cyrl", "ccc_Hans")
SPECIALS = ("<pad>", "<unk>", "<s>", "</s>", "<mask>")
# Tokens of a document: lognormal, as those of web pages are; the mean is about 500.
MEDIAN, SIGMA, LONGEST = 300, 1.0, 20_000
SENTENCE = 25  # tokens


def made_up_config(settings: Settings, folder: Path) -> PretrainConfig:
    """Settings, as of a preset, for a run on what `make_input` wrote into the folder."""
    read = {"shards": folder / "shards", "tokenizer": folder, "token_cache": folder / "tokens"}
    run = {"output": folder / "run", "keep_checkpoints": 1}
    return build(settings | {"data": settings.get("data", {}) | read, "run": settings.get("run", {}) | run})


def make_input(folder: Path, vocab_size: int, tokens: int) -> Shards:
    """Writes tokenizer.json and about so many tokens, the same at every call: 2 bytes each, 4 beyond 65,536 of a
    vocabulary. The shards themselves are nowhere."""
    folder.mkdir(parents=True, exist_ok=True)
    words = [*SPECIALS, *(f"w{number}" for number in range(len(SPECIALS), vocab_size))]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.add_special_tokens(list(SPECIALS))
    tokenizer.save(str(folder / "tokenizer.json"))
    blocks = max(1, round(tokens / (len(LANGUAGES) * ROWS * MEDIAN * np.exp(SIGMA**2 / 2))))
    files = [
        ShardFile(name, "train", Path(f"shards/data/{name}/train.parquet"), "0" * 16, (ROWS,) * blocks)
        for name in LANGUAGES
    ]
    shards = Shards(tuple(files), LANGUAGES, Mixture(LANGUAGES, epochs=dict.fromkeys(LANGUAGES, 1.0)))
    cache = TokenCache(folder / "tokens", open_vocabulary(folder))
    for language in training_blocks(shards):
        for number in range(len(language)):
            _write_block(cache, language.block(number), int(language.key[number]))
    return shards


def _write_block(cache: TokenCache, block: Block, key: int) -> None:
    draw = np.random.default_rng(key)
    index = np.empty(block.rows, INDEX)
    index["id_hash"] = draw.integers(0, 1 << 63, block.rows)
    index["tokens"] = np.clip(draw.lognormal(np.log(MEDIAN), SIGMA, block.rows), 1, LONGEST)
    index["weight"] = 1
    count = int(index["tokens"].sum())
    ids = draw.integers(len(SPECIALS), cache.vocabulary.size, count).astype(cache.dtype)
    cache.write(block, index, ids, 5 * count)
    inner = [range(SENTENCE, tokens, SENTENCE) for tokens in index["tokens"].tolist()]
    SentenceCache(cache).write(block, inner, count)


def made_up_data(config: PretrainConfig, shards: Shards, static: bool) -> Data:
    """What `train.loop.setup.prepare` gives a trainer; static: batches are padded to one shape."""
    settings, vocabulary = config.data, open_vocabulary(config.data.tokenizer)
    count = len(shards.languages)
    sizes = np.array([float(blocks.rows.sum()) * MEDIAN for blocks in training_blocks(shards)])
    plan = plan_run(
        shards.mixture, sizes, config.run.steps, settings.global_batch_tokens, language_shares=settings.language_shares
    )
    labellers = {name: one.labeller for name, one in build_objectives(config, vocabulary, shards.languages).items()}
    arguments = (shards, settings.tokenizer, settings.cache, 0, plan, labellers, stream_settings(config, static))
    none = Validation(Collator(labellers, vocabulary, count, 0), [], [], config.data.micro_batch_tokens)
    return Data(vocabulary, shards, plan, arguments, {VALIDATED: none}, {"shards": "made up"}, None)
