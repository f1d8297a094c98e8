"""The training loop: steps, what is logged and saved between them, and how a run goes on or stops."""

import math
import signal
import time
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from schemas.errors import UserError
from train.config import PretrainConfig
from train.data.batches import Position, Step
from train.loop import checkpoint
from train.loop.distributed import Processes
from train.loop.objective import masked_loss
from train.loop.optimiser import build_optimizer, learning_rate, restore_optimizer
from train.loop.setup import Data, autocast_dtype, encoder_config, write_record
from train.loop.telemetry import Clock, Log, Pace, Tally, describe
from train.model.flops import peak_flops, training_flops
from train.model.heads import MaskedLanguageModel
from train.model.huggingface import save_pretrained


class Trainer:
    """One run in one process. `run` returns whether it came to its last step."""

    def __init__(self, config: PretrainConfig, data: Data, processes: Processes) -> None:
        self.config, self.data, self.processes = config, data, processes
        self.device = processes.device
        self.dtype = autocast_dtype(config, self.device)
        self.first = processes.rank == 0
        torch.manual_seed(config.seed)
        self.encoder = encoder_config(config, data.vocabulary)
        self.model = MaskedLanguageModel(self.encoder, self.dtype).to(self.device)
        self.optimizer = build_optimizer(self.model, config)
        self.tally = Tally(data.languages, processes)
        self.clock = Clock()
        self.step, self.position = 0, Position()
        self.skipped = self.skipped_in_a_row = 0
        self.checkpoints = config.output / "checkpoints"
        with processes.together():
            self._resume()
            if self.first:
                write_record(config, data, processes)
            self.log = Log(config.output / "metrics.jsonl", self.first, self.step)
        self.parallel: nn.Module = self.model
        if processes.control is not None:
            self.parallel = DistributedDataParallel(self.model, gradient_as_bucket_view=True)
        self.peak = peak_flops(torch.cuda.get_device_name(self.device)) if self.device.type == "cuda" else None
        self._stop = False

    def run(self) -> bool:
        """Trains until `steps` or a signal; both end in a checkpoint."""
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            self._loop()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return self.step >= self.config.steps

    def _loop(self) -> None:
        config = self.config
        pace = Pace(self.step, config.steps)
        flops = 0.0
        steps = self.data.training.steps(self.position, self.processes.rank, self.processes.world_size)
        tokens_before = int(self.tally.counts[:, 0].sum())
        saved_at = self.step if self.step else -1
        while self.step < config.steps:
            began = time.monotonic()
            step = next(steps)
            self.clock.waiting += time.monotonic() - began
            masked, stop = self._agree(step)
            if stop:
                break
            loss, norm = self._optimise(step, masked)
            self.position = step.following
            self.step += 1
            self.clock.training += time.monotonic() - began
            flops += sum(training_flops(self.encoder, b.lengths, len(b.targets)) for b in step.batches)
            last = self.step == config.steps
            if self.skipped_in_a_row >= config.max_skipped_steps:
                raise UserError(
                    f"{self.skipped_in_a_row} steps in a row up to step {self.step} had a loss or gradient that is not "
                    "finite: lower learning_rate, then start again from the last checkpoint"
                )
            if self.step % config.log_every == 0 or last:
                self.tally.gather()
                tokens = int(self.tally.counts[:, 0].sum())
                self._log(tokens, tokens - tokens_before, norm, flops)
                self.log.say(self._line(loss, tokens - tokens_before, pace))
                self.tally.sums[:] = 0.0
                tokens_before, flops = tokens, 0.0
                self.clock.reset()
            else:
                self.log.status(f"step {self.step}/{config.steps}  loss {loss:.4f}  {pace.left(self.step)} left")
            if self.step % config.eval_every == 0 or last:
                self._validate()
            if self.step % config.save_every == 0 or last:
                self._save()
                saved_at = self.step
        if saved_at != self.step:
            self._save()

    def export(self) -> None:
        """`export/`, the folder for transformers."""
        special, folder = self.data.vocabulary.special_ids, self.config.output / "export"
        with self.processes.together():
            if self.first:
                checkpoint.publish(folder, lambda p: save_pretrained(self.model, special, self.config.tokenizer, p))

    def _agree(self, step: Step) -> tuple[int, bool]:
        """(guesses of the step in all processes, whether any of them was told to stop)."""
        local = torch.tensor([sum(len(b.targets) for b in step.batches), int(self._stop)], device=self.device)
        masked, stop = self.processes.sum(local).tolist()
        return masked, stop > 0

    def _optimise(self, step: Step, masked: int) -> tuple[float, float]:
        """One step over all batches; (mean loss, norm of the gradient). Not finite: no update, and it is counted."""
        rate = learning_rate(self.step, self.config)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), dtype=torch.double, device=self.device)
        sums = torch.zeros(len(self.data.languages), 3, dtype=torch.double, device=self.device)
        # Processes average their gradients; the sum over all guesses divided by their number is what is wanted.
        scale = self.processes.world_size / max(1, masked)
        for number, batch in enumerate(step.batches):
            if isinstance(self.parallel, DistributedDataParallel):
                self.parallel.require_backward_grad_sync = number == len(step.batches) - 1
            loss, batch_sums = masked_loss(
                self.parallel, batch, self.config.local_attention, len(sums), self.device, self.dtype
            )
            (loss * scale).backward()
            total += loss.detach()
            sums += batch_sums
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.max_grad_norm)
        mean = self.processes.sum(total).item() / max(1, masked)
        finite = math.isfinite(mean) and math.isfinite(norm.item())
        if finite:
            self.optimizer.step()
            self.skipped_in_a_row = 0
        else:
            self.skipped += 1
            self.skipped_in_a_row += 1
            sums = torch.zeros_like(sums)
        self.tally.add(sums, np.sum([batch.counts for batch in step.batches], axis=0))
        return mean, norm.item()

    def _log(self, tokens: int, new_tokens: int, norm: float, flops: float) -> None:
        counts, seconds = self.tally.counts, max(self.clock.training, 1e-9)
        line: dict[str, Any] = {"step": self.step, "split": "train", "tokens": tokens}
        line |= describe(self.data.languages, self.tally.sums)
        by_language = line.pop("languages")
        line |= {
            "lr": learning_rate(self.step - 1, self.config),
            "grad_norm": norm if math.isfinite(norm) else None,
            "skipped_steps": self.skipped,
            "tokens_per_second": round(new_tokens / seconds, 1),
            "data_wait": round(self.clock.waiting / seconds, 4),
        }
        if self.peak:
            line["mfu"] = round(flops / seconds / self.peak, 4)
        line["languages"] = {
            language: by_language.get(language, {}) | self._shown(number, counts[number].tolist())
            for number, language in enumerate(self.data.languages)
        }
        self.log.metrics(line)

    def _shown(self, number: int, counts: list[int]) -> dict[str, Any]:
        """What the run has shown of a language, over all its passes, and the most epochs that it will."""
        tokens, _, documents = counts
        epochs = tokens / self.data.epoch_tokens[number] if tokens else 0.0
        shown = {"tokens": tokens, "documents": documents, "epochs": round(epochs, 6)}
        return shown if self.data.max_epochs is None else shown | {"max_epochs": self.data.max_epochs[number]}

    def _line(self, loss: float, new_tokens: int, pace: Pace) -> str:
        rate = new_tokens / max(self.clock.training, 1e-9)
        return (
            f"step {self.step}/{self.config.steps}  loss {loss:.4f}  {rate:,.0f} tokens/s  {pace.left(self.step)} left"
        )

    @torch.no_grad()
    def _validate(self) -> None:
        """Loss of the validation documents, the same ones each time, by language; each process its part."""
        batches = self.data.validation
        if not batches:
            return
        sums = torch.zeros(len(self.data.languages), 3, dtype=torch.double, device=self.device)
        for pieces in batches[self.processes.rank :: self.processes.world_size]:
            batch = self.data.validate(pieces)
            sums += masked_loss(
                self.model, batch, self.config.local_attention, len(sums), self.device, self.dtype
            )[1]  # fmt: skip
        result = describe(self.data.languages, self.processes.sum(sums).cpu().numpy())
        self.log.metrics({"step": self.step, "split": "validation"} | result)
        if result["loss"] is not None:
            self.log.say(f"step {self.step}/{self.config.steps}  validation loss {result['loss']:.4f}")

    def _save(self) -> None:
        self.tally.gather()
        state = {
            "step": self.step,
            "position": asdict(self.position),
            "skipped": [self.skipped, self.skipped_in_a_row],
            "tally": self.tally.state(),
            "plan": self.data.plan.as_json(),
            "identity": self.data.identity,
            "config": self.config.model_dump(mode="json"),
        }
        with self.processes.together():
            if self.first:
                weights, moments = self.model.state_dict(), self.optimizer.state_dict()
                checkpoint.save(self.checkpoints, self.step, weights, moments, state, self.config.keep_checkpoints)

    def _resume(self) -> None:
        if self.data.saved is None:
            return
        folder, state = self.data.saved
        weights, moments = checkpoint.read_tensors(folder, self.device)
        self.model.load_state_dict(weights)
        restore_optimizer(self.optimizer, moments)
        self.step, self.position = state["step"], Position(**state["position"])
        self.skipped, self.skipped_in_a_row = state["skipped"]
        self.tally.restore(state["tally"])

    def _on_signal(self, number: int, frame: object) -> None:
        """Asks for a stop after the present step; a second signal ends the process at once."""
        self._stop = True
        signal.signal(number, signal.SIG_DFL)
