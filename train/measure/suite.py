"""The parts of a measurement in their order, what is short first; as JSON and as text after each of them, so that one
that is cut off keeps what is done."""

import json
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from train.checkpoints.files import write_text
from train.config.load import Settings
from train.config.tables import PretrainConfig
from train.corpus.shards import Shards
from train.data.sources import open_stream
from train.data.windows import Position
from train.loop.distributed import Processes
from train.loop.loader import steps_in_process
from train.loop.memory import keep_freed_memory
from train.loop.start import compute_dtype
from train.measure.kernels import Figures, about, forget
from train.measure.made_up import made_up_config, made_up_data, make_input
from train.measure.parity import SMALL, attention_parity, training_parity
from train.measure.training import Run, loader

WITHIN = 460  # seconds for everything
BESIDE = 110  # of a preset: what it takes besides the steps that are counted
FEWEST_SECONDS = 10.0  # of steps that are counted, however little time is left
LOADER_SECONDS = 8.0
TOKENS = {"cuda": 20_000_000, "cpu": 1_000_000}  # that are made up
OUT_OF_MEMORY = "OutOfMemoryError"


def measure_all(
    report: "Report",
    presets: Mapping[str, Settings],
    vocab_size: int,
    seconds: float,
    processes: Processes,
    folder: Path,
) -> None:
    """Every part, of which one may fail. seconds: of steps that are counted, a preset. folder: for the made-up input.
    A preset for which too little time is left is measured over fewer steps."""
    device = processes.device
    if device.type == "cpu":
        keep_freed_memory()
    peaks = report.part("device", about, device)
    shards = make_input(folder, vocab_size, TOKENS[device.type])
    small = made_up_config(SMALL, folder)
    static = device.type == "cuda"
    forget(device)
    report.part("attention", attention_parity, device, compute_dtype(small, device))
    report.part("parity", training_parity, small, made_up_data(small, shards, static), device)
    configs = {name: made_up_config(settings, folder) for name, settings in presets.items()}
    first = next(iter(configs.values()))
    report.part("loader", loader, made_up_data(first, shards, static), min(LOADER_SECONDS, seconds))
    for number, (name, config) in enumerate(configs.items()):
        each = (WITHIN - report.seconds) / (len(configs) - number) - BESIDE
        counted = min(seconds, max(each, FEWEST_SECONDS))
        # What does not fit is measured with batches of half the size.
        while not measure_preset(report, name, config, shards, processes, counted, peaks):
            config = replace(config, data=replace(config.data, micro_batch_tokens=config.data.micro_batch_tokens // 2))


def measure_preset(
    report: "Report",
    name: str,
    config: PretrainConfig,
    shards: Shards,
    processes: Processes,
    seconds: float,
    peaks: Figures,
) -> bool:
    """False where it does not fit into the device's memory, and smaller batches would be possible."""
    forget(processes.device)
    data = made_up_data(config, shards, processes.device.type == "cuda")
    with steps_in_process(open_stream, data.stream, Position(), 0, 1) as steps:
        runs: list[Run] = []

        def build() -> Figures:
            runs.append(Run(config, data, processes, steps))
            return runs[0].about()

        report.part(f"{name}: model", build)
        for run in runs:
            nominal, measured = peaks.get("nominal_peak"), peaks.get("measured_peak")
            figures = report.part(f"{name}: speed", run.speed, seconds, nominal, measured)
            smaller = config.data.micro_batch_tokens >= 2 * config.data.bin_tokens
            if smaller and OUT_OF_MEMORY in figures.get("error", ""):
                return False
            report.part(f"{name}: synchronisations", run.synchronisations)
            report.part(f"{name}: kernels", run.kernels)
            report.part(f"{name}: checkpoint", run.checkpoint)
    return True


class Report:
    """OUTPUT/bench.json. A part is a name with figures; one that fails has `error` and `trace` instead, and the
    others go on."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self.say = folder / "bench.json", say
        self.parts: Figures = {}
        self.began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.began

    @property
    def failed(self) -> list[str]:
        return [name for name, figures in self.parts.items() if "error" in figures]

    def part(self, name: str, measure: Callable[..., Figures], *arguments: Any) -> Figures:
        """The figures that `measure` of the arguments gives."""
        began = time.monotonic()
        try:
            figures = measure(*arguments)
        except Exception as error:  # whatever it is, it is said, and the device is too dear to stop here
            text = " ".join(str(error).split())[:500]
            figures = {"error": f"{type(error).__name__}: {text}", "trace": traceback.format_exc().splitlines()[-12:]}
        self.parts[name] = figures | {"took_seconds": round(time.monotonic() - began, 3)}
        write_text(self.path, json.dumps(self.parts, indent=1) + "\n")
        self.say("\n".join([f"-- {name}", *lines(self.parts[name])]))
        return figures


def lines(figures: Mapping[str, Any], indent: str = "  ") -> list[str]:
    """A line a figure; a list of rows becomes a table."""
    found = []
    for name, value in figures.items():
        if isinstance(value, Mapping):
            found += [f"{indent}{name}", *lines(value, indent + "  ")]
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            found += [f"{indent}{name}", *table(value, indent + "  ")]
        elif isinstance(value, list):
            found += [f"{indent}{name}{'' if value else '  none'}", *(f"{indent}  {one}" for one in value)]
        else:
            found.append(f"{indent}{name:<28} {shown(value)}")
    return found


def table(rows: Sequence[Mapping[str, Any]], indent: str) -> list[str]:
    """Columns as wide as what is in them; all rows have those of the first."""
    cells = [list(rows[0]), *([shown(row[name]) for name in rows[0]] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [indent + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in cells]


def shown(value: Any) -> str:
    """Four digits; thousands apart."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "-" if value is None else str(value)
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 1000 else f"{value:.4g}"
