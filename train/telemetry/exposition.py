"""The figures of metrics.jsonl as Prometheus reads them: at a port while the run goes on, or in a file for
node_exporter.

The text format is written here, a line a figure: a machine that trains need not install Prometheus' client.
"""

import os
import resource
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import torch

from schemas.errors import UserError

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Figure(NamedTuple):
    """key: in a line of metrics.jsonl."""

    key: str
    name: str
    kind: str
    about: str


FIGURES = (
    Figure("step", "wanyu_train_step", "gauge", "The last step that was reported"),
    Figure("tokens", "wanyu_train_tokens_total", "counter", "Tokens shown since the run began"),
    Figure("tokens_per_second", "wanyu_train_tokens_per_second", "gauge", "Of all processes"),
    Figure("mfu", "wanyu_train_mfu", "gauge", "Model FLOPs utilisation, a share"),
    Figure("data_wait", "wanyu_train_data_wait", "gauge", "Share of the time that waited for data"),
    Figure("lr", "wanyu_train_learning_rate", "gauge", "Of the last step"),
    Figure("grad_norm", "wanyu_train_grad_norm", "gauge", "Of the last step"),
    Figure("skipped_steps", "wanyu_train_skipped_steps_total", "counter", "Steps that were not finite"),
    Figure("seconds", "wanyu_train_seconds_total", "counter", "Of training, in all lives of the run"),
)
LOSSES = {
    "wanyu_train_loss": "Mean loss of the first objective in nats, by split",
    "wanyu_train_accuracy": "Share of right guesses, by split",
    "wanyu_train_language_loss": "Mean loss in nats by language and split",
    "wanyu_train_objective_loss": "Mean loss in nats by objective and split, of runs with several",
}
OWN = {
    "wanyu_train_steps": "Steps that the run will have",
    "wanyu_train_resident_bytes": "Most memory that the first process has had resident",
    "wanyu_train_device_bytes": "Most memory of the first process's device that was allocated",
    "wanyu_train_report_time_seconds": "When the last report was made, seconds since 1970",
}


def metric_names() -> set[str]:
    return {one.name for one in FIGURES} | set(LOSSES) | set(OWN)


class Exposition:
    """A writer of the journal's. What splits a line has said stays until it says it anew. close: the endpoint's end."""

    def __init__(self, steps: int, port: int | None, address: str, file: Path | None) -> None:
        """UserError for a port that is taken and a file that node_exporter would not read."""
        self.path = file if file is not None else Path(f"{address}:{port}")
        self.port: int | None = None
        self._steps, self._file = steps, file
        self._lines: dict[str, Mapping[str, Any]] = {}  # by split
        self._reported: float | None = None
        self._server: ThreadingHTTPServer | None = None
        if file is not None and file.suffix != ".prom":
            raise UserError(f"metrics_file = {file}: node_exporter reads files whose names end in .prom: name it so")
        if file is not None and not file.absolute().parent.is_dir():
            raise UserError(f"metrics_file = {file}: no such folder")
        if port is not None:
            self._server = self._listen(port, address)
            self.port = self._server.server_port
            threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def write(self, values: Mapping[str, Any]) -> None:
        """A line of metrics.jsonl. OSError if the disk fails."""
        self._lines = {**self._lines, str(values.get("split", "train")): values}
        self._reported = time.time()
        if self._file is not None:
            part = self._file.with_name(f".{self._file.name}.part")
            part.write_text(self.text(), encoding="utf-8")
            part.replace(self._file)

    def text(self) -> str:
        samples: dict[str, list[str]] = {}
        for name, labels, value in self._samples():
            if value is not None:
                inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
                samples.setdefault(name, []).append(f"{name}{'{' + inside + '}' if inside else ''} {float(value)!r}\n")
        about = {one.name: (one.kind, one.about) for one in FIGURES}
        about |= {name: ("gauge", said) for name, said in (LOSSES | OWN).items()}
        blocks = []
        for name, lines in samples.items():
            kind, said = about[name]
            blocks.append(f"# HELP {name} {said}\n# TYPE {name} {kind}\n" + "".join(lines))
        return "".join(blocks)

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _samples(self) -> Iterator[tuple[str, dict[str, str], float | None]]:
        train = self._lines.get("train", {})
        for one in FIGURES:
            yield one.name, {}, train.get(one.key)
        for split, line in sorted(self._lines.items()):
            yield "wanyu_train_loss", {"split": split}, line.get("loss")
            yield "wanyu_train_accuracy", {"split": split}, line.get("accuracy")
        for split, line in sorted(self._lines.items()):
            for language, figures in line.get("languages", {}).items():
                yield "wanyu_train_language_loss", {"language": language, "split": split}, figures.get("loss")
            for objective, figures in line.get("objectives", {}).items():
                yield "wanyu_train_objective_loss", {"objective": objective, "split": split}, figures.get("loss")
        yield "wanyu_train_steps", {}, self._steps
        yield "wanyu_train_resident_bytes", {}, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            yield "wanyu_train_device_bytes", {}, torch.cuda.max_memory_allocated()
        yield "wanyu_train_report_time_seconds", {}, self._reported

    def _listen(self, port: int, address: str) -> ThreadingHTTPServer:
        own = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = own.text().encode() if self.path.partition("?")[0] in ("/", "/metrics") else b""
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", CONTENT_TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Nobody wants a line a scrape."""

        try:
            return ThreadingHTTPServer((address, port), Handler)
        except OSError as error:
            raise UserError(
                f"metrics_port = {port}: nobody can listen at {address}:{port} ({os.strerror(error.errno or 0)}): name "
                "another port, or 0 for any"
            ) from None


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
