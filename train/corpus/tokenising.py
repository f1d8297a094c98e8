"""Blocks of tokens when they are needed, made ahead by processes where there are many to make.

Several trainer processes and several runs share a cache. Who makes a block claims it by a file beside it; the others
wait for the block, and take a claim over whose owner has not touched it for a while.
"""

import os
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Protocol

from schemas.errors import UserError
from train.corpus.blocks import Block
from train.corpus.sentence_ends import SentenceCache
from train.corpus.token_cache import TokenBlock, TokenCache
from train.corpus.vocabulary import Vocabulary, open_vocabulary

STALE_SECONDS = 60.0  # a block takes about one
PATIENCE = 0.02
MANY = 32  # missing blocks for which processes are worth their start
KEPT = 64  # blocks in memory beyond those in use


class Cache(Protocol):
    """Files, one a block."""

    def path(self, block: Block) -> Path: ...

    def make(self, block: Block) -> None: ...


_caches: tuple[Cache, ...]  # of a worker


class Tokens:
    """Blocks of one cache. `workers`: processes that make them ahead, started when there are MANY to make; 0: none.
    sentences: the blocks say where their sentences end too."""

    def __init__(self, cache: TokenCache, tokenizer: Path, workers: int, sentences: bool = False) -> None:
        self.cache, self.tokenizer, self.workers = cache, tokenizer, workers
        self.sentences = SentenceCache(cache) if sentences else None
        self._kept: OrderedDict[Path, TokenBlock] = OrderedDict()
        self._coming: dict[Path, Future[None]] = {}
        self._pool: ProcessPoolExecutor | None = None

    def __call__(self, block: Block) -> TokenBlock:
        """The block, read or made. UserError where its shard is not what it should be."""
        path = self.cache.path(block)
        if path in self._kept:
            self._kept.move_to_end(path)
            return self._kept[path]
        found = self._read(block)
        while found is None:
            coming = self._coming.pop(path, None)
            try:
                if coming:
                    coming.result()
                else:
                    for cache in self._caches:
                        make_once(cache, block)
            except BrokenExecutor:
                raise UserError("a process that tokenises was killed: give more memory or fewer --workers") from None
            found = self._read(block)
        self._coming.pop(path, None)
        self._kept[path] = found
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found

    def ahead(self, blocks: Sequence[Block]) -> None:
        """These are needed soon, in this order."""
        if not self.workers:
            return
        missing = [block for block in blocks if (path := self.cache.path(block)) not in self._coming
                   and path not in self._kept
                   and not all(cache.path(block).exists() for cache in self._caches)]  # fmt: skip
        if self._pool is None:
            if len(missing) < MANY:
                return
            self._pool = ProcessPoolExecutor(
                self.workers,
                get_context("spawn"),
                _open_caches,
                (self.cache.folder, self.tokenizer, self.sentences is not None),
            )
        for block in missing:
            self._coming[self.cache.path(block)] = self._pool.submit(_make, block)

    @property
    def _caches(self) -> tuple[Cache, ...]:
        return (self.cache,) if self.sentences is None else (self.cache, self.sentences)

    def _read(self, block: Block) -> TokenBlock | None:
        found = self.cache.read(block)
        if found is None or self.sentences is None:
            return found
        ends = self.sentences.read(block)
        if ends is None:
            return None
        whole = ends.put_into(found)
        if whole is None:
            self.sentences.discard(block)
        return whole

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def make_once(cache: Cache, block: Block) -> None:
    """Makes a block's file, or waits for whoever is at it."""
    path = cache.path(block)
    claim = path.with_name(f".{path.name}.claim")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError:
        cache.make(block)  # says what is wrong
        return
    while not path.exists():
        try:
            number = os.open(claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            os.write(number, f"{socket.gethostname()} {os.getpid()}".encode())
            os.close(number)
        except FileExistsError:
            try:
                gone = _is_gone(claim)
            except FileNotFoundError:
                continue
            if gone:
                claim.unlink(missing_ok=True)
            else:
                time.sleep(PATIENCE)
            continue
        except OSError:
            cache.make(block)
            return
        try:
            if not path.exists():
                cache.make(block)
        finally:
            claim.unlink(missing_ok=True)


def _is_gone(claim: Path) -> bool:
    """Whether nobody works under a claim: its process has ended, or it is old and of another machine."""
    if time.time() - claim.stat().st_mtime > STALE_SECONDS:
        return True
    host, _, process = claim.read_text(encoding="utf-8").partition(" ")
    if host != socket.gethostname() or not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def end_with_parent() -> None:
    """Has this process end when the one that started it is gone: one that is killed has no time to see to it."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="end with parent", daemon=True).start()


def _open_caches(folder: Path, tokenizer: Path, sentences: bool) -> None:
    global _caches
    end_with_parent()
    vocabulary: Vocabulary = open_vocabulary(tokenizer)
    cache = TokenCache(folder, vocabulary)
    _caches = (cache, SentenceCache(cache)) if sentences else (cache,)


def _make(block: Block) -> None:
    for cache in _caches:
        make_once(cache, block)
