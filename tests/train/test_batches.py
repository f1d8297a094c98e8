"""The stream of steps: the same for every number of processes, complete, and resumable from two integers."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from train.data.batches import Collator, PackedBatch, Position, Step, TrainingStream, validation_batches
from train.data.copies import supply
from train.data.plan import endless
from train.data.shards import Shards, open_shards
from train.data.tokens import TokenTable, open_tokens, tokenize
from train.data.vocabulary import Vocabulary, open_vocabulary

STREAMS, BUDGET, MAX_SEQ_LEN = 12, 768, 32


@pytest.fixture(scope="module")
def vocabulary(corpus) -> Vocabulary:
    return open_vocabulary(corpus.tokenizer)


@pytest.fixture(scope="module")
def shards(corpus) -> Shards:
    return open_shards(corpus.shards)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, shards: Shards, vocabulary: Vocabulary) -> Path:
    folder = tmp_path_factory.mktemp("tokens")
    assert len(list(tokenize(folder, shards.files, vocabulary))) == 8
    return folder


@pytest.fixture(scope="module")
def table(cache: Path, shards: Shards, vocabulary: Vocabulary) -> TokenTable:
    return open_tokens(cache, shards.files, "train", shards.languages, vocabulary)


@pytest.fixture
def stream(table: TokenTable, shards: Shards, vocabulary: Vocabulary) -> TrainingStream:
    return make_stream(table, shards, vocabulary, 128)


def make_stream(table: TokenTable, shards: Shards, vocabulary: Vocabulary, micro: int) -> TrainingStream:
    return TrainingStream(
        Collator(table, vocabulary, 3, 0.3),
        supply(table, 3, MAX_SEQ_LEN),
        endless(shards.mixture),
        max_seq_len=MAX_SEQ_LEN,
        global_batch_tokens=BUDGET,
        streams=STREAMS,
        micro_batch_tokens=micro,
    )


def sequences(batches: list[PackedBatch]) -> list[tuple[object, ...]]:
    """Each sequence with its mask: (hidden ids, guessed places, labels, language of the guesses), sorted."""
    found = []
    for batch in batches:
        ends = np.cumsum(batch.lengths)
        for start, end in zip(ends - batch.lengths, ends, strict=True):
            inside = (batch.targets >= start) & (batch.targets < end)
            ids, places = batch.input_ids[start:end], batch.targets[inside] - start
            language = batch.target_language[inside]
            found.append((tuple(ids), tuple(places), tuple(batch.labels[inside]), tuple(language)))
            assert batch.positions[start:end].tolist() == list(range(end - start))
    return sorted(found)


def walk(stream: TrainingStream, steps: int, rank: int, world: int, position: Position | None = None) -> list[Step]:
    steps_of_rank = []
    position = position or Position()
    for _ in range(steps):
        step = stream.share(position, rank, world)
        steps_of_rank.append(step)
        position = step.following
    return steps_of_rank


@pytest.mark.parametrize("world", [2, 3, 4, 6, 12])
def test_any_number_of_processes_sees_the_same_steps(stream: TrainingStream, world: int) -> None:
    alone = walk(stream, 8, 0, 1)
    ranks = [walk(stream, 8, rank, world) for rank in range(world)]
    for number, step in enumerate(alone):
        parts = [rank[number] for rank in ranks]
        assert sequences([batch for part in parts for batch in part.batches]) == sequences(step.batches)
        assert {part.following for part in parts} == {step.following}
        assert len({len(part.batches) for part in parts}) == 1


def test_micro_batches_change_nothing(table: TokenTable, shards: Shards, vocabulary: Vocabulary) -> None:
    small, large = (make_stream(table, shards, vocabulary, micro) for micro in (64, 768))
    for one, other in zip(walk(small, 4, 0, 1), walk(large, 4, 0, 1), strict=True):
        assert (len(one.batches), len(other.batches)) == (12, 1)
        assert sequences(one.batches) == sequences(other.batches)


def test_a_position_is_all_that_a_restart_needs(
    table: TokenTable, shards: Shards, vocabulary: Vocabulary, stream: TrainingStream
) -> None:
    whole = walk(stream, 12, 0, 1)
    again = walk(make_stream(table, shards, vocabulary, 128), 5, 0, 1, whole[6].following)
    assert whole[6].following.pass_index > 0, "the corpus is to be small enough that this crosses a pass"
    for expected, step in zip(whole[7:], again, strict=True):
        assert sequences(step.batches) == sequences(expected.batches)


def test_the_iterator_gives_the_same_steps(stream: TrainingStream) -> None:
    expected = walk(stream, 3, 1, 2)
    for step, wanted in zip(stream.steps(Position(), 1, 2), expected, strict=False):
        assert sequences(step.batches) == sequences(wanted.batches)
        assert step.following == wanted.following


def test_the_order_of_files_is_nothing(
    cache: Path, shards: Shards, vocabulary: Vocabulary, stream: TrainingStream
) -> None:
    turned = open_tokens(cache, shards.files[::-1], "train", shards.languages, vocabulary)
    other = make_stream(turned, shards, vocabulary, 128)
    for one, two in zip(walk(stream, 5, 0, 1), walk(other, 5, 0, 1), strict=True):
        assert sequences(one.batches) == sequences(two.batches)


def test_two_passes_show_each_token_as_often_as_the_mixture_says(stream: TrainingStream, table: TokenTable) -> None:
    """epochs 1, 0.5 and 2: over two passes each document is seen 2, 1 and 4 times, whole."""
    seen: Counter[tuple[int, int]] = Counter()
    position = Position()
    while position.pass_index < 2:
        bins, following = stream.step(position)
        for pieces in bins:
            assert pieces.length.sum() <= BUDGET // STREAMS
            for row, start, stop, index in zip(pieces.row, pieces.start, pieces.stop, pieces.pass_index, strict=True):
                if index < 2:
                    seen.update((int(row), token) for token in range(start, stop))
        position = following
    times = {"eng_Latn": 2, "rus_Cyrl": 1, "zho_Hans": 4}
    for row, (tokens, language) in enumerate(zip(table.tokens, table.language, strict=True)):
        expected = times[table.languages[language]]
        assert [seen[row, token] for token in range(tokens)] == [expected] * int(tokens)


def test_counts_are_those_of_the_batch(stream: TrainingStream, table: TokenTable) -> None:
    for step in walk(stream, 4, 0, 1):
        for batch in step.batches:
            tokens, text_tokens, _ = batch.counts.sum(0)
            assert tokens == len(batch.input_ids) == batch.lengths.sum()
            assert text_tokens == tokens - 2 * len(batch.lengths)
            assert len(batch.targets) == len(batch.labels) == len(batch.target_language)


def test_steps_are_nearly_full(stream: TrainingStream) -> None:
    for step in walk(stream, 10, 0, 1):
        assert sum(batch.lengths.sum() for batch in step.batches) > 0.85 * BUDGET


def test_validation_is_fixed_and_limited(cache: Path, shards: Shards, vocabulary: Vocabulary, corpus) -> None:
    table = open_tokens(cache, shards.files, "validation", shards.languages, vocabulary)
    collate = Collator(table, vocabulary, 3, 0.3)

    def lengths(limit: int) -> list[int]:
        batches = validation_batches(collate, max_seq_len=32, tokens_per_language=limit, micro_batch_tokens=64)
        assert all(pieces.length.sum() <= 64 for pieces in batches)
        return [int(length) for pieces in batches for length in pieces.length]

    assert sum(lengths(1 << 20)) == sum(table.tokens) + 2 * len(lengths(1 << 20))
    assert 0 < sum(lengths(100)) <= 200
    assert lengths(100) == lengths(100)


def test_the_cache_is_used_again(cache: Path, shards: Shards, vocabulary: Vocabulary) -> None:
    assert list(tokenize(cache, shards.files, vocabulary)) == []
    assert not list(cache.rglob("*.part"))


def test_cached_ids_are_the_texts(table: TokenTable, vocabulary: Vocabulary, corpus) -> None:
    import pyarrow.parquet as pq
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(corpus.tokenizer / "tokenizer.json"))

    texts = [
        text
        for path in sorted(corpus.shards.glob("data/*/train-*.parquet"))
        for text in pq.read_table(path)["text"].to_pylist()
    ]
    for row, text in enumerate(texts):
        ids = table.read(row, 0, int(table.tokens[row])).tolist()
        assert ids == tokenizer.encode(text, add_special_tokens=False).ids
