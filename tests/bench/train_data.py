"""The trainer's data room in figures: tokenising, batches from the cache, the start on a corpus that is only made up.

PYTHONPATH=.:tests python tests/bench/train_data.py --shards ROOT/sample --tokenizer ROOT/vocab
"""

import argparse
import resource
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from train.corpus.blocks import Block, Blocks
from train.corpus.hashing import combine, hash_id, mix64
from train.corpus.sentence_ends import SentenceCache
from train.corpus.shards import ShardFile, open_shards
from train.corpus.token_cache import TokenBlock, TokenCache
from train.corpus.tokenising import Tokens
from train.corpus.vocabulary import open_vocabulary
from train.data.batches import Collator, Labeller, TrainingStream
from train.data.language_stream import LanguageStream
from train.data.pairing import Pairing, cut_length
from train.data.plan import Plan, PlannedPhase, plan_run
from train.data.sources import epoch_tokens, training_blocks
from train.data.windows import Position, Windows
from train.objectives.masking import MaskLabeller, Share
from train.objectives.pair_labels import PairLabeller
from train.optim.schedule import Schedule

MAX_SEQ_LEN, BUDGET, STREAMS, MICRO = 1024, 393_216, 24, 32_768


def tokenising(shards: Path, tokenizer: Path, folder: Path) -> None:
    """One process, all blocks of the training split."""
    there, vocabulary = open_shards(shards), open_vocabulary(tokenizer)
    cache = TokenCache(folder, vocabulary)
    began, tokens = time.process_time(), 0
    for blocks in training_blocks(there):
        for number in range(len(blocks)):
            cache.make(blocks.block(number))
            found = cache.read(blocks.block(number))
            assert found is not None
            tokens += int(found.tokens.sum())
    seconds = time.process_time() - began
    print(f"tokenising: {tokens:,} tokens, {tokens / seconds / 1e6:.2f} million a second of one core")


def sentences(shards: Path, tokenizer: Path, folder: Path) -> None:
    """One process, where the sentences of all blocks end."""
    there, vocabulary = open_shards(shards), open_vocabulary(tokenizer)
    cache = SentenceCache(TokenCache(folder, vocabulary))
    began, tokens, ends = time.process_time(), 0, 0
    for blocks in training_blocks(there):
        for number in range(len(blocks)):
            cache.make(blocks.block(number))
            found = cache.read(blocks.block(number))
            assert found is not None
            tokens, ends = tokens + found.tokens, ends + len(found.ends)
    seconds = time.process_time() - began
    print(f"sentences: {ends:,} ends, {tokens / seconds / 1e6:.2f} million tokens a second of one core")


def loading(shards: Path, tokenizer: Path, folder: Path, steps: int, pairs: tuple[str, ...] = ()) -> None:
    """Packed and masked batches from the cache, one process."""
    there, vocabulary = open_shards(shards), open_vocabulary(tokenizer)
    tokens = Tokens(TokenCache(folder, vocabulary), tokenizer, 0, bool(pairs))
    blocks = training_blocks(there)
    sizes = epoch_tokens(there, blocks, tokens, 0, MAX_SEQ_LEN)
    plan = plan_run(there.mixture, sizes, steps, BUDGET)
    length = cut_length(MAX_SEQ_LEN, bool(pairs))
    streams = [LanguageStream(one, tokens, 0, length, number) for number, one in enumerate(blocks)]
    stream = stream_of(streams, plan, tokens, vocabulary, pairs)
    stream.share(Position(), 0, 1)
    position, count, began = Position(), 0, time.process_time()
    fill = []
    for _ in range(steps):
        step = stream.share(position, 0, 1)
        position = step.following
        fill.append(sum(int(batch.lengths.sum()) for batch in step.batches))
        count += fill[-1]
    seconds = time.process_time() - began
    name = f"batches of {' and '.join(pairs)}" if pairs else "batches"
    print(f"{name}: {count / seconds / 1e6:.2f} million tokens a second of one core, fill {min(fill) / BUDGET:.2%}")


def stream_of(
    streams: list[LanguageStream], plan: Plan, tokens: Tokens, vocabulary: object, pairs: tuple[str, ...] = ()
) -> TrainingStream:
    labellers: dict[str, Labeller] = {name: PairLabeller(number, len(streams)) for number, name in enumerate(pairs)}
    labellers["mlm"] = MaskLabeller(vocabulary, len(streams), Share(Schedule.parse("0.3"), 1), 0.3)  # type: ignore[arg-type]
    pairing = Pairing(pairs, 0, MAX_SEQ_LEN) if pairs else None
    windows = Windows(streams, plan, tokens, window_tokens=8_388_608, step_tokens=BUDGET, pairing=pairing)
    return TrainingStream(
        Collator(labellers, vocabulary, len(streams), 0, pairs=bool(pairs)),  # type: ignore[arg-type]
        windows, global_batch_tokens=BUDGET, streams=STREAMS, micro_batch_tokens=MICRO, static=True,
    )  # fmt: skip


class MadeUp(Tokens):
    """Blocks of 1,024 documents whose numbers of tokens are drawn from a hash of their place."""

    def __call__(self, block: Block) -> TokenBlock:
        key = combine(7, hash_id(block.file.name), block.group, np.arange(block.rows))
        lengths = (np.exp(5.3 + ((key >> np.uint64(40)).astype(np.float64) / 2**24 - 0.5) * 3)).astype(np.int64) + 1
        ids = np.broadcast_to(np.uint16(17), int(lengths.sum()))
        return TokenBlock(mix64(key), lengths, np.ones(block.rows), np.cumsum(lengths) - lengths, ids, 1)

    def ahead(self, blocks: object) -> None:
        pass


def starting(tokenizer: Path, pieces: float, languages: int) -> None:
    """The first batch of a corpus of so many pieces, and the first one behind a place far on in it."""
    vocabulary = open_vocabulary(tokenizer)
    a_language = round(pieces / languages / 1024)
    began = time.monotonic()
    names = tuple(f"l{number:03d}_Latn" for number in range(languages))
    tokens = MadeUp(None, tokenizer, 0)  # type: ignore[arg-type]
    streams = []
    for number, name in enumerate(names):
        file = ShardFile(name, "train", Path(name), "", (1024,) * a_language)
        group = np.arange(a_language)
        blocks = Blocks(
            (file,), np.zeros(a_language, np.int32), group.astype(np.int32), np.zeros(a_language, np.int64),
            np.full(a_language, 1024, np.int32), combine(hash_id(name), group),
        )  # fmt: skip
        streams.append(LanguageStream(blocks, tokens, 0, MAX_SEQ_LEN, number))
    sizes = np.full(languages, a_language * 1024 * 260.0)
    phase = PlannedPhase(0, None, np.full(languages, 1 / languages))
    plan = Plan(names, (phase,), sizes, np.full(languages, np.inf))
    stream = stream_of(streams, plan, tokens, vocabulary)
    step = stream.share(Position(), 0, 1)
    first = time.monotonic() - began
    for _ in range(30):
        step = stream.share(step.following, 0, 1)
    began = time.monotonic()
    again = stream_of(streams, plan, tokens, vocabulary).share(step.following, 0, 1)
    resumed = time.monotonic() - began
    assert again.batches
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"start: {languages * a_language * 1024:.3g} documents, {languages} languages: first step after {first:.2f} s, "
        f"again from step 31 after {resumed:.2f} s, {peak:.2f} GB at most"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    starting(arguments.tokenizer, 1e8, 100)
    folder = Path(tempfile.mkdtemp())
    try:
        tokenising(arguments.shards, arguments.tokenizer, folder)
        loading(arguments.shards, arguments.tokenizer, folder, arguments.steps)
        sentences(arguments.shards, arguments.tokenizer, folder)
        loading(arguments.shards, arguments.tokenizer, folder, arguments.steps, ("nsp", "sop"))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
