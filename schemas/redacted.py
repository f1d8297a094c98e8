"""What may be said of an address or a text that may hold a secret: the one place that decides, for records, logs and
pages alike.

Secrets are a URL's user and password, the parameters that sign it or carry a key, what stands behind `Bearer` and
`Basic`, and the values of the environment's own variables that are named like secrets.
"""

import logging
import os
import re
import sys
import traceback
from collections.abc import Mapping
from functools import lru_cache
from types import TracebackType
from urllib.parse import unquote_plus

HIDDEN = "***"
SHORTEST = 8  # characters of a value of the environment that is looked for
SECRET_WORDS = frozenset((
    "accesskey", "accesskeyid", "apikey", "auth", "authorization", "credential", "credentials", "jwt", "key",
    "passphrase", "passwd", "password", "pwd", "sas", "secret", "secretkey", "session", "sessionid", "sig",
    "signature", "sign", "token",
))  # fmt: skip
OF_NO_VARIABLE = frozenset(["session", "sessionid", "sign"])  # a desktop's have these words
# What signs an address together with its signature: dates and users that change with each signing.
SIGNING = re.compile(r"x-amz-.*|x-goog-.*|x-oss-.*|expires|policy|awsaccesskeyid|googleaccessid|ossaccesskeyid", re.I)
AZURE = frozenset((
    "se", "sig", "ske", "skoid", "sks", "skt", "sktid", "skv", "sip", "sp", "spr", "sr", "ss", "srt", "st",
    "sv", "si", "sdd", "saoid", "suoid", "scid",
))  # fmt: skip
CONTAINERS = ("abfs", "abfss", "wasb", "wasbs")  # what stands before their @ is a folder's name

_URL = re.compile(r"[a-z][a-z0-9+.-]*:(?:/|\\/){1,3}[^\s\"'<>`|]+", re.I)
_AUTHORITY = re.compile(r"([a-z][a-z0-9+.-]*):((?:/|\\/){1,3})([^/?#\\]*)@", re.I)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SCHEMES = re.compile(r"\b(Bearer|Basic)(\s+)[\w.~+/=-]{8,}", re.I)
_QUERY = re.compile(r"([?#])([^?#]*)")


def without_secrets(url: str) -> str:
    """The address without user, password and the parameters that sign it or carry a key: the same for each signing,
    so it names what lies there. What holds none stays to the letter."""
    return _QUERY.sub(_asked, _AUTHORITY.sub(_unnamed, url, count=1))


def redacted(text: str) -> str:
    """A text for people, each URL in it `without_secrets`, and other secrets as ***."""
    if "://" in text or ":/" in text:
        text = _URL.sub(lambda match: without_secrets(match.group()), text)
    text = _SCHEMES.sub(rf"\1\2{HIDDEN}", text)
    if (known := _known(tuple(os.environ.items()))) is not None:
        text = known.sub(HIDDEN, text)
    return text


def is_secret(name: str, secret_words: frozenset[str] = SECRET_WORDS) -> bool:
    """Whether a parameter or variable of this name holds what nobody else may know."""
    words = [word.lower() for word in _WORDS.findall(name)]
    return bool(secret_words & {*words, "".join(words)})


class RedactedFormatter(logging.Formatter):
    """Of log records, traces included."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def redact_traces() -> None:
    """The trace of a bug that ends this process is redacted too."""

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        print(redacted("".join(traceback.format_exception(kind, error, trace))), end="", file=sys.stderr, flush=True)

    sys.excepthook = tell


def _unnamed(match: re.Match[str]) -> str:
    scheme, slashes, _ = match.groups()
    return match.group() if scheme.lower() in CONTAINERS else f"{scheme}:{slashes}"


def _asked(match: re.Match[str]) -> str:
    mark, query = match.groups()
    parts = re.split(r"[&;]", query)
    names = [unquote_plus(part.partition("=")[0]) for part in parts]
    of_azure = "sig" in names
    signed = of_azure or any(is_secret(name) for name in names)
    kept = [
        part
        for part, name in zip(parts, names, strict=True)
        if not (is_secret(name) or (signed and SIGNING.fullmatch(name)) or (of_azure and name.lower() in AZURE))
    ]
    if len(kept) == len(parts):
        return match.group()
    return f"{mark}{'&'.join(kept)}" if kept else ""


@lru_cache(4)
def _known(environment: tuple[tuple[str, str], ...]) -> re.Pattern[str] | None:
    values = secrets_of(dict(environment))
    return re.compile("|".join(map(re.escape, sorted(values, key=len, reverse=True)))) if values else None


def secrets_of(environment: Mapping[str, str]) -> set[str]:
    """Values of the variables that are named like secrets; a path of a file that holds one is none."""
    return {
        value
        for name, value in environment.items()
        if len(value) >= SHORTEST and is_secret(name, SECRET_WORDS - OF_NO_VARIABLE) and not os.path.exists(value)
    }
