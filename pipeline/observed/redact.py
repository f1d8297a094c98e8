"""Texts without secrets, for all that is logged or recorded: user and password of an address, signatures and tokens in
its query, credentials that a message quotes."""

import re
from typing import Any

HIDDEN = "***"
# A container stands there, not a user: abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/
_WITH_CONTAINERS = r"(?!abfss?:|wasbs?:)"
_USER = re.compile(rf"\b{_WITH_CONTAINERS}([a-z][a-z0-9+.-]*://)[^\s/?#@'\"<>]+@", re.I)
# Parameters of presigned addresses (AWS, Google, Azure's SAS), and what services call their keys.
_SECRET = (
    r"(?:x-(?:amz|goog|oss)-(?:signature|credential|security-token)|signature|sig|awsaccesskeyid|googleaccessid"
    r"|(?:access|auth|id|refresh|session|security)?[_-]?token|(?:api|access|account)?[_-]?key(?:[_-]?id)?|auth"
    r"|authorization|client[_-]?secret|secret|passw(?:or)?d|pwd)"
)
_PARAMETER = re.compile(rf"([?&;]{_SECRET}=)[^\s&;#'\"<>]+", re.I)
_QUOTED = re.compile(
    r"\b((?:aws_)?(?:secret_access_key|session_token|secret_key)|account_key|client_secret|password"
    r"|authorization)\b(['\"]?\s*[=:]\s*['\"]?(?:(?:bearer|basic)\s+)?)[^\s'\",;&]+",
    re.I,
)


def redacted(text: str) -> str:
    """For people and logs: the text with what is secret in it as `***`. What names a thing stays: host, path, other
    parameters."""
    return _QUOTED.sub(rf"\1\2{HIDDEN}", redacted_address(text))


def redacted_address(text: str) -> str:
    """For records: likewise, in addresses alone."""
    if "://" not in text:
        return text
    return _PARAMETER.sub(rf"\1{HIDDEN}", _USER.sub(rf"\1{HIDDEN}@", text))


def redacted_values(value: Any) -> Any:
    """Of a value as JSON has it, addresses in all texts."""
    if isinstance(value, str):
        return redacted_address(value)
    if isinstance(value, dict):
        return {redacted_values(name): redacted_values(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redacted_values(inner) for inner in value]
    return value
