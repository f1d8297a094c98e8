"""The largest clusters of copies: which were kept, and how the others differ. Values in, rows of text out."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.report.differences import Piece, differences
from pipeline.report.words import CUT, meaning, ratio, shown, tag
from schemas import dedup
from schemas.distributions import LARGEST_CLUSTERS, MEMBERS_SHOWN, LargeCluster, Member

CLUSTER_CHARACTERS = 400  # of a member's text


class MemberShown(NamedTuple):
    """why: in words. pieces: its text with what it has more and less than the kept copy; a kept copy is one piece."""

    url: str
    label: str
    tag: str
    kept: bool
    why: str
    similarity: str
    pieces: list[Piece]
    equal: bool


class ClusterShown(NamedTuple):
    """left: members that are not shown. label, tag, url: of the first, kept unless that is of an earlier crawl."""

    size: int
    url: str
    label: str
    tag: str
    members: list[MemberShown]
    left: int


def clusters(largest: Sequence[LargeCluster]) -> list[ClusterShown]:
    """The largest first. A copy is compared with the kept one that it is like; where that is not shown, with the one it
    shares most with."""
    ordered = sorted(largest, key=lambda one: (-one["size"], one["cluster_id"]))[:LARGEST_CLUSTERS]
    return [_cluster(one) for one in ordered if one["members"]]


def _cluster(one: LargeCluster) -> ClusterShown:
    members = one["members"][:MEMBERS_SHOWN]
    kept = {member["id"]: _text(member) for member in members if member["reason"] is None}
    first = members[0]
    return ClusterShown(
        one["size"],
        shown(first["url"]),
        first["language"],
        tag(first["language"]),
        [_member(member, kept) for member in members],
        one["size"] - len(members),
    )


def _text(member: Member) -> str:
    return shown(member["text"], CLUSTER_CHARACTERS)


def _member(member: Member, kept: Mapping[str, str]) -> MemberShown:
    text, reason = _text(member), member["reason"]
    others = [kept[member["kept_id"]]] if member["kept_id"] in kept else list(kept.values())
    choices = [differences(one, text) for one in others] if reason is not None else []
    pieces = max(choices, key=_common) if choices else [Piece("same", text)]
    equal = bool(choices) and all(piece.kind == "same" for piece in pieces)
    similarity = "" if member["similarity"] is None else ratio(member["similarity"])
    return MemberShown(
        shown(member["url"]),
        member["language"],
        tag(member["language"]),
        reason is None,
        meaning(dedup.STAGE, reason) if reason else "",
        similarity,
        [Piece("same", text)] if equal else pieces,
        equal,
    )


def _common(pieces: Sequence[Piece]) -> int:
    return sum(len(piece.text.removesuffix(CUT)) for piece in pieces if piece.kind == "same")
