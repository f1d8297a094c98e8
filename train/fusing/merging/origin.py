"""What parents have in common before they went apart: known by lineage, or told by the user."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import UserError
from train.fusing.merging.parents import Parent, check_shapes, check_tokens, open_parent, read_digests
from train.model_folders.ancestry import Common, ancestors, beginning, common_ancestor, scratch_seed

FLAG = "--ancestor"


@dataclass(frozen=True)
class Origin:
    """model: the ancestor opened, None where its weights are not at hand. known_by: "weights", "run" or "folder" of
    lineages, "word" of the user's; None where there is none, and the merge was forced. told: for lineage.json."""

    model: Parent | None
    known_by: str | None
    told: dict[str, Any]


def find_origin(
    parents: Sequence[Parent],
    given: Path | None,
    say: Callable[[str], None],
    *,
    force: bool,
    needed: bool,
    wanted: bool,
) -> Origin:
    """given: the user's --ancestor. needed: whether its weights are; wanted: whether they help. The digests of the
    parents are read already, so is the ancestor's then. UserError where there is none, and where its weights are needed
    and not there."""
    common = common_ancestor([(one.node, one.lineage) for one in parents])
    if given is not None:
        return _given(parents, given, common, force, say)
    if common is None:
        if not force:
            raise UserError(_unrelated(parents))
        if needed:
            raise UserError(f"{_unrelated(parents)}; with --force this rule still needs {FLAG} DIR")
        say(f"forced: {_unrelated(parents).partition(': name')[0]}")
        return Origin(None, None, {})
    where = Path(common.ancestor.folder)
    if common.known_by != "weights":
        by = "the run that made it and its step" if common.known_by == "run" else "the name of its folder alone"
        say(f"ancestor: {where}, known by {by}, not by a digest of its weights")
    told = {"folder": str(where), "weights": common.ancestor.weights, "known_by": common.known_by}
    found = _own(parents, common) or (_open(where, parents, common) if needed or wanted else None)
    if needed and found is None:
        raise UserError(f"the parents' common ancestor is not at {where}, or was changed: name its place, {FLAG} DIR")
    return Origin(found, common.known_by, told)


def _given(
    parents: Sequence[Parent], given: Path, common: Common | None, force: bool, say: Callable[[str], None]
) -> Origin:
    found = next((one for one in parents if one.given == given), None) or open_parent("ancestor", given)
    _check(found, parents)
    nodes = [[one.node, *ancestors(one.lineage)] for one in parents]
    shared = all(any(found.node.known_by(node) == "weights" for node in chain) for chain in nodes)
    told = {"folder": str(given), "weights": found.digest, "known_by": "weights" if shared else "word"}
    if not shared and common is None and not force and all(scratch_seed(one.lineage) is not None for one in parents):
        raise UserError(_unrelated(parents))  # lineages that tell all are believed before a word is
    if not shared and common is not None and common.known_by == "weights" and not force:
        raise UserError(
            f"{FLAG} {given} is no common ancestor by lineage: the parents share {common.ancestor.folder}; name "
            "that, or --force"
        )
    if not shared:
        say(f"ancestor: {given}, at your word: the parents' lineages do not tell")
    return Origin(found, "weights" if shared else "word", told)


def _own(parents: Sequence[Parent], common: Common) -> Parent | None:
    """A parent that the others come from."""
    return next((one for one in parents if common.ancestor.weights and one.digest == common.ancestor.weights), None)


def _open(where: Path, parents: Sequence[Parent], common: Common) -> Parent | None:
    """None where it is not there, or no longer what it was."""
    try:
        found = open_parent("ancestor", where)
    except UserError:
        return None
    _check(found, parents)
    return found if common.ancestor.weights in (None, found.digest) else None


def _check(found: Parent, parents: Sequence[Parent]) -> None:
    if found not in parents:
        check_shapes([parents[0], found])
        check_tokens([parents[0], found])
        read_digests([found])


def _unrelated(parents: Sequence[Parent]) -> str:
    untold = [one for one in parents if not one.lineage]
    if untold:
        return (
            f"no common ancestor is known: --parent {untold[0].given} has no lineage.json, so nobody can tell whether "
            f"its weights and the others' have one beginning: name it, {FLAG} DIR, or --force to see what comes of it"
        )
    began = ", ".join(f"{one.name} was begun {beginning(one.lineage)}" for one in parents)
    return (
        f"no common ancestor: {began}; averaging has no meaning: name models that branch from one, or --force "
        "to see it fail"
    )
