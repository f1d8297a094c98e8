"""The training of one seed: steps, evaluations, checkpoints, and the weights that were best.

A step is a function of the weights, the seed and the step's number: order and dropout need no state. So a run that is
killed and goes on from its last checkpoint ends in the same bits, on the same machine with as many threads.
"""

import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from schemas.errors import UserError
from train.benchmarks.examples import Example
from train.checkpoints.checkpoint import newest, read, save
from train.encoders.opened import OpenedModel
from train.finetuning.depths import depths_of, freeze
from train.finetuning.lessons import Lesson, kind_of
from train.finetuning.order import Order, step_seed
from train.finetuning.scoring import score
from train.finetuning.settings import FinetuneSettings
from train.optim.build import build_optimizer
from train.optim.gradients import clip_gradients
from train.optim.schedule import learning_rate
from train.telemetry.metrics_file import MetricsFile
from train.telemetry.terminal import Terminal

LOG_EVERY = 10
CHECKPOINTS = "checkpoints"
BETAS, EPS = (0.9, 0.999), 1e-8  # as BERT's


@dataclass
class Standing:
    """Where a training is. best: the mean over languages of the metric, at the step best_step; by_language: its parts.
    waited: evaluations since. ended: stopped early."""

    step: int = 0
    best: float = -math.inf
    best_step: int = 0
    by_language: dict[str, float] = field(default_factory=dict)
    waited: int = 0
    ended: bool = False


class SeedRun:
    """A model in training, and its folder."""

    def __init__(
        self,
        settings: FinetuneSettings,
        seed: int,
        model: OpenedModel,
        config: Mapping[str, Any],
        lesson: Lesson,
        validation: Mapping[str, Sequence[Example]],
        max_tokens: int,
        metric: str,
        folder: Path,
        say: Callable[[str], None],
        live: bool,
    ) -> None:
        """config: of the model to be, as id2label. live: lines go to stdout, which on a terminal has a live line too,
        instead of to `say`. UserError where the model has not the layers that are to be trained."""
        self.settings, self.seed, self.lesson, self.validation = settings, seed, lesson, validation
        self.max_tokens, self.metric, self.folder, self.say, self.live = max_tokens, metric, folder, say, live
        kind = kind_of(settings)
        source = model.untrained(seed) if settings.from_scratch else model
        self.module = source.to_train(kind, seed, **config)
        self.model = model.holding(kind, self.module)
        depths = depths_of(self.module)
        freeze(self.module, depths, settings.top_layers())
        self.optimizer = build_optimizer(
            self.module,
            "adamw",
            betas=BETAS,
            eps=EPS,
            weight_decay=settings.weight_decay,
            own=depths.rates(settings.layer_decay),
        )
        self.order = Order(lesson.lengths, settings.batch_size, seed)
        self.steps = settings.steps or settings.epochs * self.order.batches_an_epoch
        self.standing = Standing()
        self.best = self._copy()

    def run(self) -> None:
        """To the last step, or until the metric has not become better for long; the module then has the best weights.
        UserError where the loss or the weights are not finite."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = MetricsFile(self.folder / "metrics.jsonl", self.standing.step)
        devices = [self.model.place.device] if self.model.place.device.type == "cuda" else []
        with torch.random.fork_rng(devices), Terminal(self.live, self.standing.step, self.steps) as terminal:
            sums = _Sums()
            while self.standing.step < self.steps and not self.standing.ended:
                self._step(sums, terminal)
                evaluates, saves = (self._due(every) for every in (self.settings.eval_every, self.settings.save_every))
                if self.standing.step % LOG_EVERY == 0 or evaluates or saves:
                    figures = {"learning_rate": self._rate(self.standing.step - 1)} | sums.figures(self.standing.step)
                    log.write({"step": self.standing.step, "split": "train"} | figures)
                    if evaluates:
                        log.write(self._evaluate(terminal))
                    if saves or self.standing.ended:
                        self._save()
                    sums = _Sums()  # last, so that the time of an evaluation is not that of a step
        with torch.no_grad():
            for name, parameter in self._trained().items():
                parameter.copy_(self.best[name])
        self.module.eval().requires_grad_(False)

    def _step(self, sums: "_Sums", terminal: Terminal) -> None:
        """Does not wait for a device, but for what a terminal shows."""
        number = self.standing.step
        torch.manual_seed(step_seed(self.seed, number))
        self.module.train()
        rows = self.order.rows(number)
        loss = self.lesson.loss(self.model, rows)
        loss.backward()
        _, found_inf = clip_gradients(self.optimizer.parameters, self.settings.clip_norm)
        self.optimizer.set_learning_rate(self._rate(number))
        self.optimizer.step(found_inf)
        self.optimizer.zero_grad()
        self.standing.step += 1
        sums.add(loss.detach(), len(rows), sum(self.lesson.lengths[row] for row in rows))
        if terminal.due:
            terminal.status(self.standing.step, loss=float(loss.detach()), tokens_per_second=sums.tokens_per_second())

    def _rate(self, step: int) -> float:
        """Of the step with this number, from 0."""
        return learning_rate(
            step,
            self.steps,
            peak=self.settings.learning_rate,
            warmup_ratio=self.settings.warmup_ratio,
            decay_ratio=1 - self.settings.warmup_ratio,
            shape="linear",
        )

    def _due(self, every: int) -> bool:
        return self.standing.step % (every or self.order.batches_an_epoch) == 0 or self.standing.step == self.steps

    def _evaluate(self, terminal: Terminal) -> dict[str, Any]:
        self.module.eval()
        if not all(value.isfinite().all() for value in self._trained().values()):
            raise UserError(
                f"the weights of step {self.standing.step} are not finite: lower --learning-rate, or take fp32"
            )
        by_language = self.score(self.validation)
        value = mean_of(by_language)
        standing, better = self.standing, value > self.standing.best
        if better:
            standing.best, standing.best_step, standing.by_language, standing.waited = (
                value,
                standing.step,
                by_language,
                0,
            )
            self.best = self._copy()
        else:
            standing.waited += 1
            standing.ended = 0 < self.settings.patience <= standing.waited and standing.step < self.steps
        tell = terminal.say if self.live else self.say
        tell(
            f"step {standing.step}/{self.steps}  validation {self.metric} {value:.4f}"
            + ("" if better else f"  (best {standing.best:.4f} at step {standing.best_step})")
            + ("  no better for long: stopped" if standing.ended else "")
        )
        return {"step": standing.step, "split": "validation", self.metric: value, "languages": by_language}

    def score(self, examples: Mapping[str, Sequence[Example]]) -> dict[str, float]:
        return score(
            self.settings.task,
            self.model,
            examples,
            self.metric,
            max_tokens=self.max_tokens,
            doc_stride=self.settings.doc_stride,
            pooling=self.settings.vector_pooling,
            no_answer=self.lesson.no_answer,
        )

    def _trained(self) -> dict[str, Tensor]:
        return {name: value for name, value in self.module.named_parameters() if value.requires_grad}

    def _copy(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self._trained().items()}

    def _save(self) -> None:
        weights = {name: value.detach() for name, value in self._trained().items()}
        tensors = {"model": weights, "best": self.best, "optimizer": self.optimizer.state_tensors()}
        standing = asdict(self.standing) | {"best": self.standing.best if self.standing.by_language else None}
        save(self.folder / CHECKPOINTS, self.standing.step, tensors, {"standing": standing}, keep=1)

    def resume(self) -> None:
        """Goes back to where the folder's last checkpoint is, if there is one. UserError where none is whole."""
        last = newest(self.folder / CHECKPOINTS, self.say)
        if last is None:
            return
        found = read(last, self.model.place.device)
        with torch.no_grad():
            for name, parameter in self._trained().items():
                parameter.copy_(found.tensors["model"][name])
        self.best = found.tensors["best"]
        self.optimizer.load_state_tensors(found.tensors["optimizer"])
        standing = found.documents["standing"]
        self.standing = Standing(**(standing | {"best": -math.inf if standing["best"] is None else standing["best"]}))
        self.say(f"goes on after step {self.standing.step} of {self.steps}")


@dataclass
class _Sums:
    """Since the last line of the log. loss: 0-d, on the device."""

    loss: float | Tensor = 0.0
    steps: int = 0
    examples: int = 0
    tokens: int = 0
    began: float = field(default_factory=time.monotonic)

    def add(self, loss: Tensor, examples: int, tokens: int) -> None:
        self.loss, self.steps = self.loss + loss, self.steps + 1
        self.examples, self.tokens = self.examples + examples, self.tokens + tokens

    def tokens_per_second(self) -> float:
        return self.tokens / max(1e-9, time.monotonic() - self.began)

    def figures(self, step: int) -> dict[str, float]:
        """Waits for the device. step: the last one that is in it. UserError where the loss is not finite."""
        loss = float(self.loss) / max(1, self.steps)
        if not math.isfinite(loss):
            where = f"step {step}" if self.steps == 1 else f"steps {step - self.steps + 1} to {step}"
            raise UserError(f"the loss of {where} is not finite: lower --learning-rate, or take fp32")
        tokens = self.tokens_per_second()
        return {
            "loss": loss,
            "examples_per_second": round(tokens * self.examples / max(1, self.tokens), 1),
            "tokens_per_second": round(tokens, 1),
        }


def forget(folder: Path) -> None:
    """Takes away the checkpoints of a seed that has ended, of no use any more."""
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)


def mean_of(by_language: Mapping[str, float]) -> float:
    """Each language counts alike."""
    return sum(by_language.values()) / len(by_language)
