"""Flags of programs, as a shell gives them."""

import sys

import pytest

from schemas.errors import UserError
from train.config.arguments import Arguments, positive


def made() -> Arguments:
    parser = Arguments("tried")
    parser.add_argument("--top-k", type=positive, default=1)
    parser.add_argument("texts", nargs="*")
    return parser


@pytest.mark.parametrize("words", [["--top_k", "3", "a_b"], ["--top-k=3", "a_b"], ["--top_k=3", "a_b"]])
def test_underscores_are_dashes_in_names_alone(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["tried", *words])
    for given in (words, None):  # None: those of the program
        found = made().parse_args(given)
        assert found.top_k == 3 and found.texts == ["a_b"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--top-l", "3"], "unknown argument --top-l: did you mean --top-k?"),
        (["--colour"], "unknown argument --colour, see --help"),
        (["--top-k", "0"], "argument --top-k: '0' should be a whole number above 0; see tried --help"),
        (["--top"], "unknown argument --top"),
    ],
)
def test_mistakes_are_one_line(words: list[str], told: str) -> None:
    with pytest.raises(UserError) as caught:
        made().parse_args(words)
    assert told in str(caught.value) and "\n" not in str(caught.value)
