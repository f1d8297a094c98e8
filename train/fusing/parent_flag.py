"""Models that a command takes as --parent, where the modules that open them say --model."""

from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import UserError


@contextmanager
def called_parents() -> Iterator[None]:
    """A context in which a UserError names the flag that the user gave."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error).replace("--model ", "--parent ")) from None
