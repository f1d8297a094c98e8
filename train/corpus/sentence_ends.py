"""Where the sentences of the cached texts end, in tokens: a second file beside a block's, for runs that ask for pairs.

A file is a header, the number of inner ends of each document (uint32), those ends, each counted from its document's
first token (uint32), and a hash of all that. The end of a document is none of them: a document without a number has one
sentence. Its name holds the version of the rule beside all that the block's name holds; it appears by a rename, and one
that is damaged is made again, as the block's.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tokenizer.sentences import sentence_ends
from train.corpus.blocks import Block
from train.corpus.token_cache import DIGEST_BYTES, TokenBlock, TokenCache, read_rows

RULE = 1  # of where sentences end; another one gives runs of pairs other data, and goes with another ORDER_VERSION
MAGIC = b"wanyusen"
HEADER = np.dtype([("magic", "S8"), ("documents", "<u4"), ("ends", "<u4"), ("tokens", "<u8")])
COUNT = np.dtype("<u4")


class Ends(NamedTuple):
    """counts: inner ends of each document, int64 [documents]. ends: one document's after another's, counted from its
    first token, int64. tokens: of the block that they were made for."""

    counts: NDArray[np.int64]
    ends: NDArray[np.int64]
    tokens: int

    def put_into(self, block: TokenBlock) -> TokenBlock | None:
        """The block with its `sentence_ends`; None where they are not this block's."""
        if len(self.counts) != len(block.tokens) or self.tokens != len(block.ids):
            return None
        return replace(block, sentence_ends=self.ends + np.repeat(block.begins, self.counts))


class SentenceCache:
    """Beside the token cache, for the same tokenizer."""

    def __init__(self, tokens: TokenCache) -> None:
        self.tokens = tokens

    def path(self, block: Block) -> Path:
        return self.tokens.path(block).with_suffix(f".sentences-{RULE}")

    def read(self, block: Block) -> Ends | None:
        """None where it is not there; a damaged file is taken away first."""
        path = self.path(block)
        content = self.tokens.content(path)
        if content is None:
            return None
        found = _parse(content)
        if found is None:
            self.discard(block)
        return found

    def discard(self, block: Block) -> None:
        self.tokens.say(f"{self.path(block)} is damaged: its sentences are looked for again")
        self.path(block).unlink(missing_ok=True)

    def make(self, block: Block) -> None:
        """Looks for the sentences of a block. The block itself is in the cache, or is made."""
        there = self.tokens.read(block)
        while there is None:
            self.tokens.make(block)
            there = self.tokens.read(block)
        texts = [text or "" for text in read_rows(block).column("text").to_pylist()]
        documents = np.split(there.ids, there.begins[1:])[: len(texts)]
        self.write(block, self._ends(texts, documents), len(there.ids))

    def write(self, block: Block, inner: Sequence[Sequence[int]], tokens: int) -> None:
        """inner: ends of each document but for its last one, from its first token, ascending. tokens: of the block."""
        header = np.zeros(1, HEADER)
        header[0] = (MAGIC, len(inner), sum(map(len, inner)), tokens)
        content = header.tobytes() + np.fromiter(map(len, inner), COUNT, len(inner)).tobytes()
        content += np.fromiter(chain.from_iterable(inner), COUNT).tobytes()
        self.tokens.publish(self.path(block), content)

    def _ends(self, texts: Sequence[str], documents: Sequence[NDArray[np.unsignedinteger]]) -> list[list[int]]:
        """Inner ends of each document, ascending, in tokens. The parts between the ends of sentences are encoded by
        themselves: where their ids are the document's, their lengths say it."""
        ends = [sentence_ends(text) for text in texts]
        parts = [
            text[begin:end]
            for text, own in zip(texts, ends, strict=True)
            if len(own) > 1
            for begin, end in pairwise([0, *own])
        ]
        encoded = self.tokens.vocabulary.encode(parts)
        inner, done = list[list[int]](), 0
        for text, own, ids in zip(texts, ends, documents, strict=True):
            if len(own) < 2:
                inner.append([])
                continue
            mine = encoded[done : done + len(own)]
            done += len(own)
            if list(chain.from_iterable(mine)) == ids.tolist():
                lengths = np.cumsum([len(part) for part in mine])
                found = np.unique(lengths)
            else:
                found = self._by_offsets(text, own, ids)
            inner.append(found[(found > 0) & (found < len(ids))].tolist())
        return inner

    def _by_offsets(self, text: str, ends: Sequence[int], ids: NDArray[np.unsignedinteger]) -> NDArray[np.int64]:
        """Where the sentences end that no token reaches over, by the tokenizer's own account of what its tokens stand
        for; none where its ids are others."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        if encoding.ids != ids.tolist() or not encoding.ids:
            return np.empty(0, np.int64)
        starts, stops = np.array(encoding.offsets, np.int64).T
        # What stands before a place and behind it, also where signs have changed places.
        latest = np.maximum.accumulate(stops)
        earliest = np.minimum.accumulate(starts[::-1])[::-1]
        places = np.searchsorted(latest, ends, side="right")
        inside = places < len(ids)
        whole = np.ones(len(places), np.bool_)
        whole[inside] = earliest[places[inside]] >= np.array(ends)[inside]
        return np.unique(places[whole])

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        tokenizer = Tokenizer.from_file(str(self.tokens.vocabulary.folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True
        return tokenizer


def _parse(content: NDArray[np.uint8]) -> Ends | None:
    if len(content) < HEADER.itemsize + DIGEST_BYTES:
        return None
    header = content[: HEADER.itemsize].view(HEADER)[0]
    first = HEADER.itemsize + int(header["documents"]) * COUNT.itemsize
    last = first + int(header["ends"]) * COUNT.itemsize
    if header["magic"] != MAGIC or len(content) != last + DIGEST_BYTES:
        return None
    if xxhash.xxh3_64_digest(content[:last].data) != content[last:].tobytes():
        return None
    counts, ends = (content[a:b].view(COUNT).astype(np.int64) for a, b in ((HEADER.itemsize, first), (first, last)))
    return Ends(counts, ends, int(header["tokens"]))
