"""A program of several commands, each a module of its own.

Such a module has `flags(Arguments)` and `run(Namespace, say)`, and imports torch late, so that flags are told at once.
"""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

from schemas.errors import UserError
from train.config.arguments import Arguments

Commands = Mapping[str, tuple[str, str]]
"""By name: the module, and what it does."""


def run_command(program: str, about: str, commands: Commands, arguments: Sequence[str] | None = None) -> int:
    """Status 0; 130 after Ctrl-C; 2, with one line on stderr, for what the user can mend."""
    try:
        given = parser(program, about, commands).parse_args(sys.argv[1:] if arguments is None else arguments)
        import_module(commands[given.command][0]).run(given, say)
    except KeyboardInterrupt:
        print(f"{program}: stopped; the same command goes on with what is finished", file=sys.stderr)
        return 130
    except UserError as error:
        print(f"{program}: " + " ".join(str(error).split()), file=sys.stderr)
        return 2
    return 0


def parser(program: str, about: str, commands: Commands) -> Arguments:
    found = Arguments(program, description=about)
    named = found.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Arguments)
    for name, (module, what) in commands.items():
        import_module(module).flags(named.add_parser(name, help=what, description=what))
    return found


def say(line: str) -> None:
    print(line, flush=True)
