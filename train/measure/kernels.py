"""What the device can do, what torch compiles for it, and what it does in a step: kernels by time."""

import gc
import platform
import re
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch._dynamo.utils import clear_compilation_metrics, counters, get_compilation_metrics
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from train.model.flops import peak_flops

Figures = dict[str, Any]

SHOWN = 25
NAME = 100  # characters
OTHERS = "elementwise"
# The first that is in the name of a kernel, or on the CPU of an operator. A compiled kernel is named after what it was
# fused of: of ours only the cross-entropy looks for a maximum, gathers or takes powers.
GROUPS = {
    "attention": r"flash|fmha|attention|attn|AttentionBackward",
    "optimiser": r"adam|lamb|multi_tensor|_foreach|fused_optim",
    "matrix products": r"gemm|nvjet|cutlass|xmma|wgmma|cublas|splitK|aten::(add|b|ba)?mm|addmv|aten::mv|aten::matmul|"
    r"aten::linear",
    "cross-entropy": r"triton_.*_(amax|gather|arange|exp|log|prepare_softmax_online)(_|$)|MaskedCrossEntropy|"
    r"aten::(scatter|gather|amax|exp_|log)",
    "copies": r"memcpy|memset|aten::(copy_|_to_copy|contiguous|clone|zero_|fill_|cat)|copy_kernel|CatArray|FillFunctor",
}
PATTERNS = {group: re.compile(pattern, re.I) for group, pattern in GROUPS.items()}


def about(device: torch.device) -> Figures:
    """The device, versions, and FLOP/s: `nominal_peak` of its sheet, None where that is not known, `measured_peak`."""
    figures: Figures = {"torch": torch.__version__, "python": platform.python_version(), "device": device.type}
    nominal = None
    if device.type == "cuda":
        name, capability = torch.cuda.get_device_name(device), torch.cuda.get_device_capability(device)
        nominal = peak_flops(name)
        figures |= {
            "name": name,
            "capability": "{}.{}".format(*capability),
            "cuda": torch.version.cuda,
            "memory_bytes": torch.cuda.mem_get_info(device)[1],
        }
    else:
        figures |= {"name": platform.processor() or platform.machine(), "threads": torch.get_num_threads()}
    return figures | {"nominal_peak": nominal, "measured_peak": measured_peak(device)}


def measured_peak(device: torch.device, rounds: int = 6) -> float:
    """FLOP/s of a square product, the best of several rounds: 8192 wide in bfloat16 on CUDA, 1024 in float32 elsewhere.

    A round ends in a synchronisation; before the first it has been computed a few times.
    """
    on_cuda = device.type == "cuda"
    size, dtype, times = (8192, torch.bfloat16, 20) if on_cuda else (1024, torch.float32, 3)
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    result, best = torch.empty_like(left), float("inf")
    for turn in range(rounds + 1):
        began = time.perf_counter()
        for _ in range(times):
            torch.mm(left, right, out=result)
        if on_cuda:
            torch.cuda.synchronize(device)
        if turn:
            best = min(best, (time.perf_counter() - began) / times)
    return 2.0 * size**3 / best


def group_of(name: str) -> str:
    return next((group for group, pattern in PATTERNS.items() if pattern.search(name)), OTHERS)


def kernels_of(step: Callable[[], None], device: torch.device, step_seconds: float) -> Figures:
    """Where the device's time goes in one call of `step`, which ends in a synchronisation.

    groups: seconds and share of all; top: the SHOWN largest. busy: all of it next to `step_seconds`, of a step without
    profiler. On the CPU operators stand for kernels, without the time of those that they call.
    """
    kind = DeviceType.CUDA if device.type == "cuda" else DeviceType.CPU
    with profile(activities=[ProfilerActivity.CUDA if device.type == "cuda" else ProfilerActivity.CPU]) as profiler:
        step()
    found = []
    for event in profiler.key_averages():
        micro = event.self_device_time_total if kind == DeviceType.CUDA else event.self_cpu_time_total
        if event.device_type == kind and micro > 0 and not event.is_user_annotation:
            found.append((micro / 1e6, event.count, event.key))
    if not found:
        raise RuntimeError("the profiler saw no kernel")
    found.sort(reverse=True)
    total = sum(seconds for seconds, _, _ in found)
    groups = dict.fromkeys((*GROUPS, OTHERS), 0.0)
    for seconds, _, name in found:
        groups[group_of(name)] += seconds
    return {
        "kernel_seconds": total,
        "busy": total / step_seconds,
        "launches": sum(count for _, count, _ in found),
        "groups": [
            {"group": group, "seconds": seconds, "share": seconds / total}
            for group, seconds in sorted(groups.items(), key=lambda pair: -pair[1])
        ],
        "top": [
            {"ms": 1e3 * seconds, "share": seconds / total, "calls": count, "group": group_of(name),
             "kernel": name[:NAME]}
            for seconds, count, name in found[:SHOWN]
        ],
    }  # fmt: skip


def forget(device: torch.device) -> None:
    """Compiled code, of which torch keeps a few versions alone, and the device's memory."""
    torch.compiler.reset()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def count_compilation() -> None:
    """What `compilation` tells begins here."""
    clear_compilation_metrics()
    counters.clear()


def compilation() -> Figures:
    """Of torch.compile since `count_compilation`: compiled graphs, where it broke off, what it did again and why.
    All of a run's layers share their code, so that the kinds of layers come first among the latter."""
    again = Counter(
        f"{one.co_name}: {one.recompile_reason}" for one in get_compilation_metrics() if one.recompile_reason
    )
    return {
        "graphs": counters["stats"]["unique_graphs"],
        "graph_breaks": [
            f"{times} x {' '.join(reason.split())[:200]}" for reason, times in counters["graph_break"].items()
        ],
        "recompiles": [f"{times} x {' '.join(reason.split())[:200]}" for reason, times in again.items()],
    }
