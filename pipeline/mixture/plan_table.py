"""The plan as a table for people and as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.mixture.planning import LanguagePlan, Plan

MOST_SHOWN = 40  # lines on a terminal; the file has all


def as_json(plan: Plan, unit: str) -> dict[str, Any]:
    """`languages`: those that are seen first, by share. A language that is left out says why."""
    rows = sorted(plan.languages, key=lambda one: (-_share(one, plan), -one.there.bytes, one.label))
    return {
        "unit": unit,
        "budget": round(plan.budget),
        "languages": {row.label: _entry(row, plan, plan.left_out.get(row.label, {})) for row in rows},
        "shards": sum(map(len, plan.cuts.values())),
    }


def _share(language: LanguagePlan, plan: Plan) -> float:
    return sum(language.epochs) * language.weighted / plan.budget


def _entry(language: LanguagePlan, plan: Plan, left_out: Mapping[str, int]) -> dict[str, Any]:
    return {
        "documents": language.there.documents,
        "bytes": language.there.bytes,
        "share": round(_share(language, plan), 9),
        "epochs": round(sum(language.epochs), 6),
        "epochs_by_phase": [round(epochs, 6) for epochs in language.epochs],
        "capped_by": language.capped_by,
        "largest_host": language.largest_host,
        "largest_host_share": round(language.largest_host_share, 4),
        "written_documents": language.train.documents,
        "written_bytes": language.train.bytes,
        "validation_documents": language.held_out.documents,
        "validation_bytes": language.held_out.bytes,
        "left_out": dict(left_out),
    }


def as_text(planned: Mapping[str, Any]) -> str:
    """What `as_json` says, aligned; the smallest languages of many in one line."""
    head = ("language", "documents", "bytes", "share", "epochs", "validation", "capped by", "largest host")
    entries = list(planned["languages"].items())
    rows = [_cells(label, entry) for label, entry in entries[:MOST_SHOWN]]
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
    lines = [_line(row, widths) for row in [head, *rows]]
    if len(entries) > MOST_SHOWN:
        rest = entries[MOST_SHOWN:]
        share = sum(entry["share"] for _, entry in rest)
        lines.append(f"and {len(rest):,} languages more, {share:.2%} together")
    lines.append(f"{planned['budget']:,} {planned['unit']} a run, {planned['shards']:,} shards")
    return "\n".join(lines)


def _cells(label: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    host = f"{entry['largest_host']} {entry['largest_host_share']:.0%}" if entry["largest_host"] else ""
    whole_out = not entry["written_documents"] and not entry["validation_documents"]
    why = ", ".join(entry["left_out"]) if whole_out else entry["capped_by"]
    return (
        label,
        f"{entry['documents']:,}",
        f"{entry['bytes']:,}",
        f"{entry['share']:.3%}",
        f"{entry['epochs']:.3f}",
        f"{entry['validation_documents']:,}",
        why,
        host,
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    left = (0, 6, 7)
    parts = [
        c.ljust(w) if place in left else c.rjust(w) for place, (c, w) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(parts).rstrip()
