"""Flags of the programs that take few: argparse, with one line for a mistake, and `--top-k` also as `--top_k`."""

import argparse
import difflib
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

from schemas.errors import UserError


class Arguments(argparse.ArgumentParser):
    """UserError, one line, where argparse would print its usage and end."""

    def __init__(self, *positional: Any, **settings: Any) -> None:
        shape: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
        super().__init__(*positional, **(shape | settings))

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Underscores in the names of flags are dashes."""
        return super().parse_known_args([_dashed(word) for word in (sys.argv[1:] if args is None else args)], namespace)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            flags = [flag for action in self._all_actions() for flag in action.option_strings]
            near = difflib.get_close_matches(unknown[0].partition("=")[0], flags, 1)
            raise UserError(f"unknown argument {unknown[0]}{f': did you mean {near[0]}?' if near else ', see --help'}")
        return found

    def _all_actions(self) -> Iterator[argparse.Action]:
        """Those of commands too."""
        for action in self._actions:
            yield action
            if isinstance(action, argparse._SubParsersAction):
                for command in action.choices.values():
                    yield from command._actions

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


def _dashed(word: str) -> str:
    if not word.startswith("--"):
        return word
    name, sign, value = word.partition("=")
    return name.replace("_", "-") + sign + value


def positive(text: str) -> int:
    """The type of a flag that counts something."""
    try:
        number = int(text.replace("_", ""))
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} should be a whole number above 0")
    return number
