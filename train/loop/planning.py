"""Which plan a run follows, a new one or the checkpoint's, and what it says of it in a few lines."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from train.config import PretrainConfig
from train.data.batches import Position, order_of
from train.data.copies import Supply
from train.data.mixture import Mixture
from train.data.plan import Plan, Planner, endless
from train.data.tokens import TokenTable

NAMED = 5  # languages in a line

Say = Callable[[str], None]


def plan_of_run(
    config: PretrainConfig,
    mixture: Mixture,
    table: TokenTable,
    supply: Supply,
    saved: Mapping[str, Any] | None,
    say: Say,
) -> Plan:
    """saved: state.json of the checkpoint that the run goes on from. Its plan holds; where `steps` is another than it
    was made for, up to the pass that has begun, and the rest is planned anew. UserError where max_epochs allows less.
    """
    kept = Plan.from_json(mixture.languages, saved["plan"]) if saved else None
    if mixture.epochs is not None:
        if kept is None:
            say("plan: no max_epochs in mixture.json: passes over the corpus go on to the last step")
        return kept or endless(mixture)
    if saved and kept and saved["config"]["steps"] == config.steps:
        return kept
    planner = Planner(supply, mixture)
    if saved and kept:
        position = Position(**saved["position"])
        begun, left = kept.until(position.pass_index), 0
        if position.place:
            begun = kept.until(position.pass_index + 1)
            order = order_of(table, supply, kept, position.pass_index, config.seed, config.max_seq_len)
            left = int(order.lengths[position.place :].sum(dtype=np.int64))
        plan = planner.extend(begun, left, position.step, config.steps, config.global_batch_tokens)
        say(
            f"plan: {config.steps:,} steps where it was {saved['config']['steps']:,}: "
            f"from pass {begun.passes + 1:,.0f} on it is made anew"
        )
    else:
        plan = planner.plan(config.steps, config.global_batch_tokens)
    for line in told(plan, planner, mixture, config):
        say(f"plan: {line}")
    return plan


def told(plan: Plan, planner: Planner, mixture: Mixture, config: PretrainConfig) -> list[str]:
    """A line for the budget, one for each phase, one for the languages that are used up."""
    sizes = planner.supply.sizes()
    amounts = plan.epochs * sizes
    budget = config.steps * config.global_batch_tokens
    lines = [
        f"{budget:,} tokens in {config.steps:,} steps and {plan.passes:,.0f} passes, of {np.count_nonzero(amounts):,} "
        f"languages; the corpus has {planner.corpus:,}"
    ]
    for number, method in enumerate(mixture.methods):
        stretches = [stretch for stretch in plan.stretches if stretch.phase == number]
        here = sum((one.epochs * (one.passes or 0) / one.of for one in stretches), np.zeros(len(sizes))) * sizes
        if not here.any():
            continue  # a run of too few steps, or one that was begun as a longer one
        when = f"phase {number + 1} of {len(planner.phases)}, to step {stretches[-1].end:,}: "
        largest = np.argsort(-here, kind="stable")[: np.count_nonzero(here)].tolist()
        shares = _listed([f"{plan.languages[i]} {100 * here[i] / here.sum():.3g} %" for i in largest])
        lines.append(f"{when if len(planner.phases) > 1 else ''}{method}: {shares}")
    used_up = np.flatnonzero((amounts > 0) & (plan.epochs >= planner.caps * (1 - 1e-6)))
    if len(used_up):
        wanted = sum(
            phase.fraction * budget * np.array([phase.shares.get(name, 0.0) for name in plan.languages])
            for phase in planner.phases
        )
        rest = np.maximum(wanted - amounts, 0.0)[used_up].sum() / budget
        names = _listed([plan.languages[i] for i in used_up.tolist()])
        lines.append(
            f"used up, shown max_epochs times: {names}; the rest of their shares, {100 * rest:.3g} % of the tokens, "
            "goes to the others by the same rule"
        )
    return lines


def _listed(words: list[str]) -> str:
    more = len(words) - NAMED
    return ", ".join(words[:NAMED]) + (f" and {more:,} more" if more > 0 else "")
