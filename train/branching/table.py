"""What a branch-train-merge prints: arms as rows, languages as columns."""

from collections.abc import Mapping
from typing import Any

from schemas.evaluation import ALL, Evaluation, Table, languages_of
from train.branching.accounts import mean_shown
from train.evaluation.results import ABSENT, rows_of, shown
from train.telemetry.columns import laid_out, shortened

UNSAID = ("lost_characters", "masked_accuracy")  # the same of all arms, and what masked loss tells more finely


def lines(found: Evaluation, accounts: Mapping[str, Any]) -> list[str]:
    """Each arm with the tokens that it has seen, baselines at the end. Tables of UNSAID are in the files alone."""
    seeds = max((len(entry["shown"]) for entry in accounts.values()), default=1)
    over = f"by Student's t over {seeds} seeds" if seeds > 1 else "over the texts of one seed"
    printed = [f"in brackets: 95 % intervals {over}"]
    for table in found["tables"]:
        if not table["name"].startswith(UNSAID):
            printed += ["", table["title"], *laid_out(_rows(table, accounts))]
    return printed


def _rows(table: Table, accounts: Mapping[str, Any]) -> list[list[str]]:
    languages = languages_of(table)
    unit = f"{table['unit']}, {table['better']} is better" if table["better"] != "neither" else table["unit"]
    head = [unit, "tokens", *map(shortened, languages)]
    rows = [[*head, "mean" if languages else "all"]]
    arms = [name for name in accounts if name in table["figures"]]
    for name in [*arms, *table["baselines"]]:
        tokens = f"{mean_shown(accounts[name]):,}" if name in accounts else ABSENT
        figures = rows_of(table, name)
        last = table["means"].get(name) or figures.get(ALL)
        rows.append([name, tokens, *(shown(figures.get(one), table) for one in languages), shown(last, table)])
    return rows
