"""Lines of path lists, and names of archives in an index, become places to open: below what the operator named, or at a
public address. Lists are input, so a line leads to no other file of this machine and to no server of its network.
"""

import re
from urllib.parse import urlsplit

from pipeline.web.public import is_web, refused
from schemas.errors import UserError

STORES = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az")  # where they are, the environment says
CHAINED = re.compile(r"^[\w+.-]+::|::[\w+.-]+://")  # fsspec's addresses inside addresses
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def placed(line: str, base: str, where: str) -> str:
    """Where `line` of a list lies: itself, a URL, or what is below `base`, which stands right before it. where: the
    list, for messages.

    UserError for what leads elsewhere: to a private address, by `..` or an absolute path out of a local `base` (unless
    that is `/`), to this machine by file://, to a server that neither `base` nor the environment names, or, glued to a
    `base` without a slash, to another host.
    """
    if _CONTROL.search(line):
        raise UserError(f"{where}: {line[:80]!r} holds a control character, so it is no path")
    if CHAINED.search(line):
        raise UserError(f"{where}: {line[:80]!r} is an address inside another one: list the inner one itself")
    if "://" in line:
        return _of_url(line, base, where)
    if ".." in line.split("/") or (line.startswith("/") and "://" not in base and base != "/"):
        raise UserError(
            f"{where}: {line[:80]!r} leads out of {base or 'its folder'}: list paths below it, or say what is before "
            "them with --prefix"
        )
    location = base + line
    if "://" in base and _server(location) != _server(base):
        raise UserError(f"{where}: {line[:80]!r} leads out of {base}: end --prefix with a slash")
    if is_web(location) and (why := refused(location)):
        raise UserError(f"{where}: {line[:80]!r}: {why}")
    return location


def _of_url(line: str, base: str, where: str) -> str:
    if is_web(line):
        if why := refused(line):
            raise UserError(f"{where}: {line[:200]!r}: {why}")
    elif urlsplit(line).scheme.lower() not in STORES and ("://" not in base or _server(line) != _server(base)):
        raise UserError(
            f"{where}: {line[:80]!r}: a list leads to https://, s3://, gs:// and abfs:// only, or below --prefix: give "
            "that file with --input itself, or what is before it with --prefix"
        )
    return line


def _server(url: str) -> tuple[str, str]:
    parts = urlsplit(url.replace("\\", "/"))
    return parts.scheme.lower(), parts.netloc
