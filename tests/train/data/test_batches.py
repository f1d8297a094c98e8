"""The stream of steps: the same for every number of processes, complete, and resumable from a position."""

import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from schemas.errors import UserError
from train.corpus.blocks import blocks_of
from train.corpus.hashing import mix64, unit
from train.corpus.shards import Shards, open_shards
from train.corpus.token_cache import TokenCache
from train.corpus.tokenising import Tokens
from train.corpus.vocabulary import Vocabulary
from train.data.batches import Collator, PackedBatch, Step, TrainingStream, language_rows
from train.data.language_stream import LanguageStream
from train.data.plan import Plan, PlannedPhase, plan_run
from train.data.sources import StreamSettings, epoch_tokens, open_stream, training_blocks
from train.data.validation import validation
from train.data.windows import Position, Windows
from train.loop.loader import steps_in_process, steps_in_thread
from train.objectives.masking import MaskLabeller, Share
from train.optim.schedule import Schedule

STREAMS, BUDGET, MAX_SEQ_LEN = 12, 768, 32
SETTINGS = StreamSettings(3, MAX_SEQ_LEN, 2000, BUDGET, STREAMS, 128, static=False)


@pytest.fixture(scope="session")
def plan(shards: Shards, cache: TokenCache, corpus) -> Plan:
    blocks = training_blocks(shards)
    sizes = epoch_tokens(shards, blocks, Tokens(cache, corpus.tokenizer, 0), 3, MAX_SEQ_LEN)
    return plan_run(shards.mixture, sizes, 50, BUDGET)


@pytest.fixture(scope="session")
def labeller(vocabulary: Vocabulary) -> MaskLabeller:
    return MaskLabeller(vocabulary, 3, Share(Schedule.parse("0.3"), 50), 0.3)


@pytest.fixture
def make_stream(
    shards: Shards, cache: TokenCache, plan: Plan, labeller: MaskLabeller, corpus
) -> Callable[..., TrainingStream]:
    def make(there: Shards = shards, **settings: object) -> TrainingStream:
        changed = StreamSettings(**(SETTINGS.__dict__ | settings))
        return open_stream(there, corpus.tokenizer, cache.folder, 0, plan, {"mlm": labeller}, changed)

    return make


@pytest.fixture
def stream(make_stream: Callable[..., TrainingStream]) -> TrainingStream:
    return make_stream()


def sequences(batches: list[PackedBatch]) -> list[tuple[object, ...]]:
    """Each sequence with its mask: (hidden ids, guessed places, labels, language of the guesses), sorted."""
    found = []
    for batch in batches:
        ends = np.cumsum(batch.lengths)
        places, labels, languages = (batch.labels["mlm"].arrays[name] for name in ("places", "labels", "language"))
        for start, end in zip(ends - batch.lengths, ends, strict=True):
            inside = (places >= start) & (places < end)
            ids, own = batch.input_ids[start:end], places[inside] - start
            found.append((tuple(ids), tuple(own), tuple(labels[inside]), tuple(languages[inside])))
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


def test_micro_batches_change_nothing(make_stream: Callable[..., TrainingStream]) -> None:
    small, large = (make_stream(micro_batch_tokens=micro) for micro in (64, 768))
    for one, other in zip(walk(small, 4, 0, 1), walk(large, 4, 0, 1), strict=True):
        assert (len(one.batches), len(other.batches)) == (12, 1)
        assert sequences(one.batches) == sequences(other.batches)


def test_a_position_is_all_that_a_restart_needs(make_stream: Callable[..., TrainingStream]) -> None:
    """From every step on, through JSON, by a reader that has seen nothing before."""
    whole = walk(make_stream(), 25, 0, 1)
    assert len({step.following.spans[0] for step in whole}) > 4, "windows are to be small enough to be crossed often"
    for number in range(0, 24, 3):
        position = Position.from_json(json.loads(json.dumps(whole[number].following.as_json())))
        assert position == whole[number].following
        again = walk(make_stream(), min(5, 24 - number), 0, 1, position)
        for expected, step in zip(whole[number + 1 :], again, strict=False):
            assert sequences(step.batches) == sequences(expected.batches)


def test_other_sizes_of_windows_show_the_same_documents(make_stream: Callable[..., TrainingStream]) -> None:
    """In another order, but of each language the same ones, up to a window's rest."""
    for window in (768, 5000):
        counts = sum(
            batch.counts for step in walk(make_stream(window_tokens=window), 30, 0, 1) for batch in step.batches
        )
        other = sum(batch.counts for step in walk(make_stream(), 30, 0, 1) for batch in step.batches)
        assert (np.abs(counts - other)[:, 0] < 0.1 * other[:, 0].sum()).all()


def test_steps_from_a_thread_and_from_a_process_are_the_same(
    make_stream: Callable[..., TrainingStream],
    shards: Shards,
    cache: TokenCache,
    plan: Plan,
    labeller: MaskLabeller,
    corpus,
) -> None:
    expected = walk(make_stream(), 4, 1, 2)
    arguments = (shards, corpus.tokenizer, cache.folder, 0, plan, {"mlm": labeller}, SETTINGS)
    with (
        steps_in_thread(make_stream(), Position(), 1, 2) as thread,
        steps_in_process(open_stream, arguments, Position(), 1, 2) as process,
    ):
        for wanted, one, other in zip(expected, thread, process, strict=False):
            assert sequences(wanted.batches) == sequences(one.batches) == sequences(other.batches)
            assert wanted.following == one.following == other.following


def test_what_goes_wrong_in_the_process_is_said_here(shards: Shards, cache: TokenCache, plan: Plan, corpus) -> None:
    empty = Plan(plan.languages, plan.phases, plan.sizes, np.zeros(3))
    for labellers, error in (({}, UserError), ({"mlm": None}, RuntimeError)):
        used = empty if error is UserError else plan
        arguments = (shards, corpus.tokenizer, cache.folder, 0, used, labellers, SETTINGS)
        with pytest.raises(error), steps_in_process(open_stream, arguments, Position(), 0, 1) as steps:
            next(steps)


def seen_tokens(stream: TrainingStream, epochs: int) -> tuple[Counter[tuple[int, int]], Position]:
    """How often each token of each document, by the hash of its id, has been shown when all is shown."""
    seen: Counter[tuple[int, int]] = Counter()
    position = Position()
    while True:
        try:
            bins, _, following = stream.step(position)
        except UserError as error:
            assert f"shown max_epochs times at step {position.step}" in str(error)
            return seen, position
        for pieces in bins:
            assert pieces.length.sum() <= BUDGET // STREAMS
            rows = (pieces.id_hash, pieces.start, pieces.stop)
            for document, start, stop in zip(*(row.tolist() for row in rows), strict=True):
                seen.update((document, token) for token in range(start, stop))
        position = following


def test_up_to_the_cap_each_token_is_shown_so_often(
    shards: Shards, cache: TokenCache, corpus, plan: Plan, labeller: MaskLabeller
) -> None:
    """Two epochs of each language, whatever their rates: then there is no more, and nothing was left out."""
    rates = np.array([0.6, 0.3, 0.1])
    capped = Plan(plan.languages, (PlannedPhase(0, None, rates),), plan.sizes, np.full(3, 2.0))
    stream = open_stream(shards, corpus.tokenizer, cache.folder, 0, capped, {"mlm": labeller}, SETTINGS)
    seen, _ = seen_tokens(stream, 2)
    expected = {}
    for language in shards.languages:
        blocks = blocks_of(shards.files, language, "train")
        for number in range(len(blocks)):
            block = cache.read(blocks.block(number))
            assert block is not None
            expected |= {
                (int(document), token): 2
                for document, count in zip(block.id_hash, block.tokens.tolist(), strict=True)
                for token in range(count)
            }
    assert seen == expected


def test_shares_are_those_of_the_plan_in_every_window(make_stream: Callable[..., TrainingStream], plan: Plan) -> None:
    counts = np.zeros(3)
    for number, step in enumerate(walk(make_stream(), 40, 0, 1)):
        counts += sum(batch.counts[:, 0] for batch in step.batches)
        if number > 5:
            assert np.abs(counts / counts.sum() - plan.phases[0].rates).max() < 0.06
    assert np.abs(counts / counts.sum() - plan.phases[0].rates).max() < 0.02


def test_phases_begin_at_their_steps(
    shards: Shards, cache: TokenCache, corpus, plan: Plan, labeller: MaskLabeller
) -> None:
    one, two = np.array([1.0, 0, 0]), np.array([0, 0.5, 0.5])
    phased = Plan(plan.languages, (PlannedPhase(0, 6, one), PlannedPhase(1, 12, two)), plan.sizes, plan.max_epochs)
    stream = open_stream(shards, corpus.tokenizer, cache.folder, 0, phased, {"mlm": labeller}, SETTINGS)
    counts = [sum(batch.counts[:, 0] for batch in step.batches) for step in walk(stream, 12, 0, 1)]
    for number, shown in enumerate(counts):
        if number < 6:
            assert not shown[1:].any()
        if number > 7:  # what packing left over of the first phase comes first
            assert not shown[0] and shown[1:].all()


def test_counts_are_those_of_the_batch(stream: TrainingStream) -> None:
    for step in walk(stream, 4, 0, 1):
        for batch in step.batches:
            tokens, text_tokens, _ = batch.counts.sum(0)
            assert tokens == len(batch.input_ids) == batch.lengths.sum()
            assert text_tokens == tokens - 2 * len(batch.lengths)
            labels = batch.labels["mlm"]
            assert labels.units.sum() == len(labels.arrays["labels"]) == len(labels.arrays["places"])


def test_static_batches_are_of_one_shape_and_show_the_same(make_stream: Callable[..., TrainingStream]) -> None:
    plain, static = make_stream(), make_stream(static=True)
    shapes = set()
    for one, other in zip(walk(plain, 6, 1, 3), walk(static, 6, 1, 3), strict=True):
        for batch, padded in zip(one.batches, other.batches, strict=True):
            shapes.add((padded.input_ids.shape, padded.positions.shape, padded.labels["mlm"].arrays["places"].shape))
            if sum(batch.lengths) == sum(padded.lengths):
                count = int(sum(batch.lengths))
                assert padded.input_ids[:count].tolist() == batch.input_ids.tolist()
                assert (padded.input_ids[count:] == 0).all()
    assert len(shapes) == 1


def test_bins_are_dealt_in_turn(stream: TrainingStream) -> None:
    """Bin 0 is the fullest with the longest sequences; runs of bins would give them to one process."""
    bins, _, _ = stream.step(Position())
    for rank in range(3):
        mine = stream.share(Position(), rank, 3)
        lengths = sorted(length for batch in mine.batches for length in batch.lengths.tolist())
        assert lengths == sorted(length for one in bins[rank::3] for length in one.length.tolist())


def test_steps_are_nearly_full(stream: TrainingStream) -> None:
    for step in walk(stream, 10, 0, 1):
        assert sum(batch.lengths.sum() for batch in step.batches) > 0.85 * BUDGET


def test_pages_that_are_taken_down_move_no_other(
    corpus, tmp_path: Path, shards: Shards, make_stream: Callable[..., TrainingStream]
) -> None:
    """A run goes on in its shards after their files were written again without some rows."""
    import shutil

    whole = walk(make_stream(), 12, 0, 1)
    root = tmp_path / "sample"
    shutil.copytree(corpus.shards, root)
    for path in root.glob("data/*/train-*.parquet"):
        with pq.ParquetFile(path) as file:
            groups = [file.read_row_group(number) for number in range(file.num_row_groups)]
        with pq.ParquetWriter(path, groups[0].schema) as out:
            for group in groups:
                out.write_table(group.slice(2))
    after = walk(make_stream(open_shards(root)), 4, 0, 1, whole[4].following)
    cut_down = [one for step in after for one in sequences(step.batches)]
    before = [one for step in whole[5:] for one in sequences(step.batches)]
    known = set(before)
    assert sum(one in known for one in cut_down) > 0.8 * len(cut_down), "the rest is drawn in from behind"
    earlier = Counter(one for step in whole[:5] for one in sequences(step.batches))
    again = [one for one in cut_down if one in earlier and one not in known]
    assert not again


def told(steps: list[Step]) -> list[tuple[tuple[int, ...], int]]:
    """Each sequence's tokens, and its row of the language embedding."""
    found = []
    for batch in (batch for step in steps for batch in step.batches):
        assert batch.languages is not None and batch.languages.shape == batch.input_ids.shape
        ends = np.cumsum(batch.lengths)
        for start, end in zip(ends - batch.lengths, ends, strict=True):
            (row,) = set(batch.languages[start:end].tolist())
            found.append((tuple(batch.input_ids[start:end].tolist()), row))
        assert not batch.languages[ends[-1] :].any()
    return found


def test_languages_are_told_by_sequence_whoever_has_it(make_stream: Callable[..., TrainingStream]) -> None:
    whole = told(walk(make_stream(language_dropout=0.3), 4, 0, 1))
    parts = [told(walk(make_stream(language_dropout=0.3), 4, rank, 3)) for rank in range(3)]
    assert sorted(one for part in parts for one in part) == sorted(whole)
    every = told(walk(make_stream(language_dropout=0.0), 4, 0, 1))
    assert {row for _, row in every} == {1, 2, 3}
    for (ids, row), (same, language) in zip(whole, every, strict=True):
        assert ids == same and row in (0, language)
    assert 0.1 < sum(row == 0 for _, row in whole) / len(whole) < 0.5
    assert not any(row for _, row in told(walk(make_stream(language_dropout=1.0, static=True), 2, 0, 1)))
    assert all(batch.languages is None for step in walk(make_stream(), 2, 0, 1) for batch in step.batches)


def test_the_share_of_languages_that_are_not_told() -> None:
    keys = mix64(np.arange(20_000, dtype=np.uint64))
    language = np.arange(20_000) % 5
    rows = language_rows(language, keys, 0.3)
    assert abs((rows == 0).mean() - 0.3) < 0.015
    assert (rows[rows > 0] == 1 + language[rows > 0]).all() and len(np.unique(rows)) == 6
    both = (rows == 0)[:, None] & (unit(keys) < 0.3)[:, None]  # draws of its own, not those of the masks
    assert abs(both.mean() - 0.09) < 0.01
    assert language_rows(language[:0], keys[:0], 0.3).shape == (0,)


def test_validation_does_not_tell_languages_unless_asked(
    shards: Shards, tokens: Tokens, labeller: MaskLabeller, vocabulary: Vocabulary
) -> None:
    collate = Collator({"mlm": labeller}, vocabulary, 3, 0, 1.0)
    blocks = [blocks_of(shards.files, language, "validation") for language in shards.languages]
    held = validation(collate, blocks, tokens, max_seq_len=32, tokens_per_language=200, batch_tokens=64)
    telling = held.telling_languages()
    for number in range(len(held)):
        one, other = held(number), telling(number, static=True)
        assert one.languages is not None and not one.languages.any()
        count = len(one.input_ids)
        assert (one.input_ids == other.input_ids[:count]).all() and other.languages is not None
        expected = np.repeat(1 + held.batches[number].language, one.lengths)
        assert (other.languages[:count] == expected).all() and not other.languages[count:].any()
    assert held.collate.language_dropout == 1.0


def test_validation_is_fixed_and_limited(
    shards: Shards, tokens: Tokens, labeller: MaskLabeller, vocabulary: Vocabulary
) -> None:
    collate = Collator({"mlm": labeller}, vocabulary, 3, 0)
    blocks = [blocks_of(shards.files, language, "validation") for language in shards.languages]

    def lengths(limit: int) -> list[int]:
        found = validation(collate, blocks, tokens, max_seq_len=32, tokens_per_language=limit, batch_tokens=64)
        assert all(pieces.length.sum() <= 64 for pieces in found.batches)
        assert found.blocks and len(found(0).input_ids) == found.batches[0].length.sum()
        return [int(length) for pieces in found.batches for length in pieces.length]

    held = [tokens(one.block(number)) for one in blocks for number in range(len(one))]
    assert sum(lengths(1 << 20)) == sum(block.tokens.sum() for block in held) + 2 * len(lengths(1 << 20))
    assert 0 < sum(lengths(100)) <= 200
    assert lengths(100) == lengths(100)


def test_cached_ids_are_the_texts(shards: Shards, tokens: Tokens, corpus) -> None:
    tokenizer = Tokenizer.from_file(str(corpus.tokenizer / "tokenizer.json"))
    for language in shards.languages:
        blocks = blocks_of(shards.files, language, "train")
        texts = [
            text
            for path in sorted(corpus.shards.glob(f"data/{language}/train-*.parquet"))
            for text in pq.read_table(path)["text"].to_pylist()
        ]
        found = []
        for number in range(len(blocks)):
            block = tokens(blocks.block(number))
            ends = block.begins + block.tokens
            found += [block.ids[a:b].tolist() for a, b in zip(block.begins, ends, strict=True)]
        assert found == [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_block_is_made_again(
    shards: Shards, corpus, vocabulary: Vocabulary, tmp_path: Path, damage: str
) -> None:
    said: list[str] = []
    cache = TokenCache(tmp_path, vocabulary, said.append)
    block = blocks_of(shards.files, "eng_Latn", "train").block(1)
    expected = Tokens(cache, corpus.tokenizer, 0)(block)
    path = cache.path(block)
    content = bytearray(path.read_bytes())
    content[60] ^= 4
    path.write_bytes({"cut": content[:-9], "flipped": content, "empty": b""}[damage])
    again = Tokens(cache, corpus.tokenizer, 0)(block)
    assert again.ids.tolist() == expected.ids.tolist() and again.id_hash.tolist() == expected.id_hash.tolist()
    assert len(said) == 1 and "is damaged: its block is tokenised again" in said[0]
    assert not list(tmp_path.rglob("*.part")) and not list(tmp_path.rglob("*.claim"))


def test_processes_make_blocks_ahead_and_others_wait_for_them(
    shards: Shards, corpus, vocabulary: Vocabulary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import train.corpus.tokenising as tokenising

    monkeypatch.setattr(tokenising, "MANY", 1)
    blocks = blocks_of(shards.files, "rus_Cyrl", "train")
    listed = [blocks.block(number) for number in range(len(blocks))]
    one, other = (Tokens(TokenCache(tmp_path, vocabulary), corpus.tokenizer, workers) for workers in (2, 0))
    one.ahead(listed)
    try:
        for block in listed:
            assert one(block).ids.tolist() == other(block).ids.tolist()
    finally:
        one.close()
    claims = [path for path in tmp_path.rglob("*.claim")]
    assert not claims


@pytest.mark.parametrize("left", ["old", "of a process that has ended"])
def test_a_claim_that_nobody_keeps_is_taken_over(
    shards: Shards, corpus, vocabulary: Vocabulary, tmp_path: Path, left: str
) -> None:
    cache = TokenCache(tmp_path, vocabulary)
    block = blocks_of(shards.files, "eng_Latn", "train").block(0)
    path = cache.path(block)
    path.parent.mkdir(parents=True)
    claim = path.with_name(f".{path.name}.claim")
    if left == "old":
        claim.touch()
        os.utime(claim, (1e9, 1e9))
    else:
        ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
        claim.write_text(f"{socket.gethostname()} {ended.stdout.strip()}")
    began = time.monotonic()
    assert len(Tokens(cache, corpus.tokenizer, 0)(block).tokens) == 16
    assert not claim.exists() and time.monotonic() - began < 10


def test_windows_of_many_languages_that_are_owed_less_than_a_piece(made_up: Callable) -> None:
    """40 languages share windows of 100 tokens: each comes to its turn."""
    corpora = [made_up((list(range(50)), [28] * 50, [1.0] * 50), language=f"l{n:02d}_Latn") for n in range(40)]
    streams = [LanguageStream(one.blocks, one, 0, MAX_SEQ_LEN, number) for number, one in enumerate(corpora)]
    sizes = np.full(40, 1500.0)
    plan = Plan(tuple(f"l{n:02d}_Latn" for n in range(40)), (PlannedPhase(0, None, np.full(40, 1 / 40)),), sizes, sizes)
    nobody = Tokens(None, Path("nowhere"), 0)  # type: ignore[arg-type]
    windows = Windows(streams, plan, nobody, window_tokens=100, step_tokens=100)
    window, counts = windows.first(), np.zeros(40)
    for _ in range(150):
        counts += np.bincount(window.pieces.language, minlength=40)
        window = windows.after(window.span, 0)
    assert counts.max() - counts.min() <= 1 and counts.sum() > 100
