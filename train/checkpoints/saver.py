"""Checkpoints written beside the training: a copy in host memory at once, the disk in a thread."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from train.checkpoints.checkpoint import Tensors, as_json, write


class Saver:
    """Writes checkpoints into `folder` and keeps the newest `keep`; at most one is under way.

    Its host copy stays allocated between saves (pinned for tensors on CUDA): as many bytes as a checkpoint.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder, self.keep = folder, keep
        self._buffers: dict[tuple[str, str], Tensor] = {}
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def submit(self, step: int, tensors: Tensors, documents: Mapping[str, dict[str, Any]]) -> None:
        """Takes `tensors` and `documents` as they are now and returns; on CUDA before the copy has ended, which later
        work on the present stream waits for. Waits for the save before, and raises what that one failed of.
        """
        self.wait()
        copies = {
            name: {key: self._copy(name, key, value) for key, value in values.items()}
            for name, values in tensors.items()
        }
        texts = {name: as_json(document) for name, document in documents.items()}
        on_cuda = any(value.is_cuda for values in tensors.values() for value in values.values())
        copied = torch.cuda.current_stream().record_event() if on_cuda else None

        def run() -> None:
            try:
                if copied is not None:
                    copied.synchronize()
                write(self.folder, step, copies, texts, self.keep)
            except BaseException as error:
                self._failure = error

        # Not a daemon: a program that ends of itself finishes the checkpoint first.
        self._thread = threading.Thread(target=run, name="saver")
        self._thread.start()

    def wait(self) -> None:
        """Until nothing is under way. Raises what the save failed of: UserError where the disk is full or closed."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _copy(self, name: str, key: str, value: Tensor) -> Tensor:
        buffer = self._buffers.get((name, key))
        if buffer is None or buffer.shape != value.shape or buffer.dtype != value.dtype:
            buffer = torch.empty(value.shape, dtype=value.dtype, pin_memory=value.is_cuda)
            self._buffers[name, key] = buffer
        return buffer.copy_(value.detach(), non_blocking=True)
