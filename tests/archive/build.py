"""Builds the sample archives and `expected.jsonl` from the articles, planted pages and templates beside this file.

    python tests/archive/build.py [FOLDER]

The same bytes every time: dates are counted from a fixed moment, ids are uuid5 of archive, address and record type.
Each article that `pages.toml` does not mention becomes one plain page.

A line of `expected.jsonl` is a record, in the order of the archive:
`extract` is `document` or the reason for which the record gives no page; `clean` is `kept` or the rule that drops the
page, null where the rules do not settle it; `dedup` is null for what clean drops. Exactly one page of each `cluster`
survives; `kept` names the one that was crawled first, a pipeline may prefer another. `contains` are phrases of the text
as clean writes it (after repair and masking), `must_not_contain` phrases of menus and comments, or masked addresses.
"""

import base64
import gzip
import hashlib
import io
import json
import sys
import tomllib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import brotli
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from warcio.recordloader import ArcWarcRecord
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

HERE = Path(__file__).resolve().parent
EXPECTED = "expected.jsonl"
COLUMNS = ("encoding", "language", "script", "extract", "clean", "dedup", "cluster", "contains", "must_not_contain")
MAIN, TRUNCATED, WET = "sample.warc.gz", "sample-truncated.warc.gz", "sample.warc.wet.gz"
START = datetime(2026, 10, 5, 4, 0, tzinfo=UTC)
HOSTS = {
    "news": "{}-news.example.com",
    "blog": "{}.blog.example.org",
    "wiki": "{}.wiki.test",
    "table": "office.{}.test",
    "forum": "{}.forum.example.net",
    "bare": "app.{}.example.com",
}
ROTATION = ("news", "blog", "wiki", "table", "forum")  # templates of the plain pages
RIGHT_TO_LEFT = ("ara", "heb", "fas")

# File stem of the articles -> language and script as the pipeline writes them: the one place to change a convention.
LATIN = ("eng", "deu", "fra", "spa", "por", "pol", "fin", "hun", "ind", "tur", "vie", "lat")
LABELS: dict[str, tuple[str | None, str | None]] = {
    **{lang: (lang, "Latn") for lang in LATIN},
    "ara": ("arb", "Arab"),
    "fas": ("fas", "Arab"),
    "swa": ("swh", "Latn"),
    **{lang: (lang, "Cyrl") for lang in ("rus", "ukr")},
    "zho": ("cmn", "Hani"),
    "zho-Hant": ("cmn", "Hani"),
    "jpn": ("jpn", "Jpan"),
    "kor": ("kor", "Hang"),
    "tha": ("tha", "Thai"),
    "khm": ("khm", "Khmr"),
    "heb": ("heb", "Hebr"),
    "hin": ("hin", "Deva"),
    "ben": ("ben", "Beng"),
    "tam": ("tam", "Taml"),
    "amh": ("amh", "Ethi"),
    "kat": ("kat", "Geor"),
    "ell": ("ell", "Grek"),
    "und": (None, "Latn"),
}


@dataclass
class Text:
    """A title and its paragraphs; `lang` is a key of LABELS."""

    lang: str
    title: str
    paragraphs: list[str]

    def phrase(self) -> str:
        """The beginning of the second paragraph, up to a zero-width character, which some extractors remove."""
        middle = self.paragraphs[min(1, len(self.paragraphs) - 1)].split("\u200c")[0]
        return middle[:48].rsplit(" ", 1)[0] if " " in middle[:48] else middle[:20]


@dataclass
class Page:
    """A record with a payload, as a table of pages.toml states it. An empty string stands for none."""

    kind: str
    archive: str = MAIN
    article: str = ""  # eng/1
    planted: str = ""  # table of planted.toml
    lang: str = "eng"  # of the menu, where there is no text
    swaps: list[list[str]] = field(default_factory=list)  # [old, new], each old occurring once
    last: str = ""  # one more paragraph
    shared: str = ""  # planted text put before the page's own
    template: str = "news"
    url: str = ""
    slug: str = ""
    codec: str = "utf-8"  # Python's name
    http_charset: str = "utf-8"
    meta_charset: str = "utf-8"
    encoding: str = "utf-8"  # expected: a WHATWG name in lower case
    content_type: str = "text/html"
    identified: str = "text/html"  # WARC-Identified-Payload-Type
    status: str = "200 OK"
    body: str = ""  # name of a function of BODIES, in place of the rendered text
    coding: str = ""  # gzip, br, chunked, or one of the broken ones
    http: dict[str, str] = field(default_factory=dict)
    warc: dict[str, str] = field(default_factory=dict)
    record_type: str = "response"
    extract: str = "document"
    clean: str = "kept"
    cluster: str = ""
    contains: list[str] | None = None  # null: a phrase of the text
    must_not_contain: list[str] | None = None  # null: the cookie sentence

    @property
    def text(self) -> Text | None:
        """The article or planted text with this page's changes."""
        found = ARTICLES[self.article] if self.article else PLANTED[self.planted] if self.planted else None
        if found is None:
            return None
        paragraphs = list(PLANTED[self.shared].paragraphs if self.shared else []) + found.paragraphs
        for old, new in self.swaps:
            if sum(p.count(old) for p in paragraphs) != 1:
                raise ValueError(f"{self.url}: {old!r} must occur once in {found.title!r}")
            paragraphs = [p.replace(old, new) for p in paragraphs]
        return Text(found.lang, found.title, paragraphs + ([self.last] if self.last else []))

    @property
    def paragraphs(self) -> list[str]:
        return self.text.paragraphs if self.text else []


def load_articles() -> dict[str, Text]:
    """`eng/1` -> the first English article. In a file: separated by `---`, first line the title, a paragraph a line."""
    texts = {}
    for path in sorted((HERE / "articles").glob("*.txt")):
        for n, part in enumerate(path.read_text(encoding="utf-8").split("\n---\n"), 1):
            title, *paragraphs = [line.strip() for line in part.splitlines() if line.strip()]
            texts[f"{path.stem}/{n}"] = Text(path.stem, title, paragraphs)
    return texts


def load_toml(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / name).read_text(encoding="utf-8"))


def load_planted() -> dict[str, Text]:
    raw = load_toml("planted.toml")
    return {k: Text(t["lang"], t["title"], t["text"].strip().splitlines() * t.get("repeat", 1)) for k, t in raw.items()}


def load_words() -> dict[str, dict[str, Any]]:
    names = ("cookie", "accept", "related", "comments", "comment", "rights", "search")
    return {k: {"menu": w[:5], **dict(zip(names, w[5:], strict=True))} for k, w in load_toml("words.toml").items()}


ARTICLES, PLANTED, WORDS = load_articles(), load_planted(), load_words()
JINJA = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, keep_trailing_newline=True)


def load_pages() -> list[Page]:
    """Every page in crawl order: the planted ones and one plain page for each article that they leave over."""
    pages = [Page(**table) for table in load_toml("pages.toml")["page"]]
    used = {p.article for p in pages}
    for n, name in enumerate(a for a in ARTICLES if a not in used):
        pages.append(Page("article", article=name, template=ROTATION[n % len(ROTATION)]))
    for n, page in enumerate(pages):
        lang = page.text.lang if page.text else page.lang
        if not page.url and page.kind != "no_url":
            slug = page.slug or page.article.partition("/")[2] or page.planted or page.kind
            if page.template == "wiki" and page.text:
                slug = "wiki/" + quote(page.text.title.replace(" ", "_")) + ("" if not page.slug else f"?{page.slug}")
            page.url = f"https://{HOSTS[page.template].format(lang.lower())}/{slug}"
        # Common Crawl tells the type it found in the payload; older crawls do not.
        if page.kind == "article" and n % 5 == 0:
            page.identified = ""
    # Mixed by a hash, so that the broken records lie between the others; the cut one has to be the last of its archive.
    return sorted(pages, key=lambda p: (p.kind == "cut_record", hashlib.sha256(p.url.encode()).digest()))


def moment(number: int) -> str:
    return (START + timedelta(seconds=37 * number)).strftime("%Y-%m-%dT%H:%M:%SZ")


def render(page: Page, number: int) -> bytes:
    """The HTML of a page in its encoding; without a text, menus and banners only."""
    text = page.text or Text(page.lang, WORDS[page.lang]["menu"][0], [])
    meta = f'<meta charset="{page.meta_charset}">' if page.meta_charset else ""
    if meta and page.template == "table":
        meta = f'<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset={page.meta_charset}">'
    label = LABELS[text.lang][0] or "en"
    html = JINJA.get_template(f"{page.template}.html.j2").render(
        lang=text.lang.replace("zho", "zh") if text.lang.startswith("zho") else label,
        dir="rtl" if label in RIGHT_TO_LEFT else "ltr",
        meta=Markup(meta),
        title=text.title,
        paragraphs=text.paragraphs,
        w=WORDS.get(text.lang, WORDS["eng"]),
        site=urlsplit(page.url).hostname,
        url=page.url,
        related=[t.title for t in ARTICLES.values() if t.lang == text.lang and t.title != text.title][:3],
        number=number,
        date=moment(number),
    )
    bom = {"utf-8-sig": b"", "utf-16-le": b"\xff\xfe"}.get(page.codec, b"")
    return bom + html.encode(page.codec)


def noise(size: int) -> bytes:
    """Bytes without any pattern, the same ones every time."""
    return b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(size // 32))


def nested(page: Page, number: int) -> bytes:
    head, tail = render(page, number).split(b'<div class="article-body">')
    inside, rest = tail.split(b"</article>")
    return head + b"<div>" * 50_000 + inside + b"</div>" * 50_000 + b"</article>" + rest


def twice(page: Page, number: int) -> bytes:
    """UTF-8 that some program took for windows-1252 and encoded again."""
    return render(page, number).decode("utf-8").encode("utf-8").decode("windows-1252").encode("utf-8")


PDF = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n%%EOF\n"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNoAAAAggCB2kUIOwAAAABJRU5ErkJggg=="  # one grey pixel
BODIES: dict[str, Callable[[Page, int], bytes]] = {
    "nested": nested,
    "pdf": lambda page, number: PDF,
    "png": lambda page, number: base64.b64decode(PNG),
    "twice": twice,
    "noise": lambda page, number: noise(6000),
    "nothing": lambda page, number: b"",
    "half": lambda page, number: (b := render(page, number))[: b.index(page.paragraphs[-1].encode()) + 40],
    "spaces": lambda page, number: render(page, number).replace(b"<main>", b"<main>" + b" " * 6_000_000),
    "more_spaces": lambda page, number: render(page, number).replace(b"<main>", b"<main>" + b" " * 64_000_000),
    "plain": lambda page, number: "\n\n".join(page.paragraphs).encode(),
    "robots": lambda page, number: b"User-agent: *\nDisallow: /search\nAllow: /\n",
    "json": lambda page, number: json.dumps({"status": "ok", "items": [1, 2, 3]}).encode(),
    "moved": lambda page, number: b"<html><head><title>301 Moved Permanently</title></head><body>Moved</body></html>\n",
}


def encode_body(body: bytes, coding: str) -> tuple[bytes, dict[str, str]]:
    """The body as sent and the headers that say how."""
    if coding == "gzip":
        return gzip.compress(body, 9, mtime=0), {"Content-Encoding": "gzip"}
    if coding == "br":
        return brotli.compress(body), {"Content-Encoding": "br"}
    if coding == "false gzip":
        return body, {"Content-Encoding": "gzip"}
    if coding == "broken gzip":
        return gzip.compress(body, 9, mtime=0)[:10] + noise(2000), {"Content-Encoding": "gzip"}
    if coding == "chunked":
        parts = [body[i : i + 1000] for i in range(0, len(body), 1000)] + [b""]
        return b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in parts), {"Transfer-Encoding": "chunked"}
    return body, {}


class Archive:
    """One archive and its lines of expected.jsonl."""

    def __init__(self, name: str) -> None:
        self.last = 0  # where the last record begins
        self.name, self.out, self.lines = name, io.BytesIO(), list[dict[str, Any]]()
        self.writer = WARCWriter(self.out, gzip=True)
        info = {"software": "wanyu sample builder", "format": "WARC File Format 1.0", "isPartOf": "SAMPLE-2026-41"}
        block = "".join(f"{k}: {v}\r\n" for k, v in info.items()).encode()
        self.info_id = self.write("warcinfo", "", moment(0), block, "application/warc-fields", {"WARC-Filename": name})
        self.expect(self.info_id, "", "warcinfo", "warcinfo", extract="type")

    def record_id(self, record_type: str, url: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.name} {record_type} {url}"))

    def write(self, record_type: str, url: str, date: str, payload: bytes, block_type: str, headers: dict[str, str],
              http: StatusAndHeaders | None = None) -> str:  # fmt: skip
        """Write one record; its id."""
        rid = self.record_id(record_type, url)
        first = {"WARC-Type": record_type, "WARC-Date": date, "WARC-Record-ID": f"<urn:uuid:{rid}>"}
        if record_type != "warcinfo":
            first["WARC-Warcinfo-ID"] = f"<urn:uuid:{self.info_id}>"
        if url:
            first["WARC-Target-URI"] = url
        warc = StatusAndHeaders("", list({**first, **headers}.items()), protocol="WARC/1.0")
        # Built by hand, since warcio would parse the block of a record without an HTTP head.
        record = ArcWarcRecord("warc", record_type, warc, io.BytesIO(payload), http, block_type, len(payload))
        record.payload_length = len(payload)
        self.last = self.out.tell()
        self.writer.write_record(record)
        return rid

    def expect(self, rid: str, url: str, record_type: str, kind: str, **more: Any) -> None:
        line = {"archive": self.name, "record_id": rid, "url": url or None, "record_type": record_type, "kind": kind}
        self.lines.append(line | dict.fromkeys(COLUMNS) | more)

    def add(self, page: Page, number: int) -> None:
        date = moment(number)
        if page.record_type == "conversion":
            assert page.text is not None
            text = "\n".join([page.text.title, *page.text.paragraphs]).encode()
            source = {"WARC-Refers-To": f"<urn:uuid:{self.record_id('response', page.url)}>"}
            rid = self.write("conversion", page.url, date, text, "text/plain", source)
            return self.expect(rid, page.url, "conversion", page.kind, **verdict(page))
        # A third of the pages keep their request and a fifth their metadata, as the sample must stay small.
        rid = self.record_id(page.record_type, page.url)
        parts = urlsplit(page.url)
        if number % 3 == 0 and page.url and page.archive == MAIN:
            asks = [("Host", parts.netloc), ("User-Agent", "samplebot/1.0 (+https://example.org/bot)")]
            head = StatusAndHeaders(f"GET {parts.path} HTTP/1.1", asks, is_http_request=True)
            block_type = "application/http; msgtype=request"
            request = self.write("request", page.url, date, b"", block_type, concurrent(rid), head)
            self.expect(request, page.url, "request", "request", extract="type")
        self.response(page, number, date)
        if number % 5 == 0 and page.url and page.archive == MAIN:
            fields = f"fetchTimeMs: {100 + number}\r\ncharset-detected: {page.encoding.upper()}\r\n".encode()
            meta = self.write("metadata", page.url, date, fields, "application/warc-fields", concurrent(rid))
            self.expect(meta, page.url, "metadata", "metadata", extract="type")

    def response(self, page: Page, number: int, date: str) -> None:
        body, how = encode_body(BODIES[page.body](page, number) if page.body else render(page, number), page.coding)
        kind = page.content_type + (f"; charset={page.http_charset}" if page.http_charset else "")
        http = [("Date", date), ("Server", "nginx"), *how.items(), *page.http.items()]
        if page.content_type:
            http.append(("Content-Type", kind))
        if "Transfer-Encoding" not in how:
            http.append(("Content-Length", str(len(body))))
        headers = {"WARC-IP-Address": f"192.0.2.{number % 250 + 1}", **page.warc}
        if page.identified:
            headers["WARC-Identified-Payload-Type"] = page.identified
        head: StatusAndHeaders | None = StatusAndHeaders(page.status, http, protocol="HTTP/1.1")
        if page.kind == "http_malformed":
            head, body = None, b"\x00\x01 no head at all \xff\xfe" + noise(160)
            headers["WARC-Payload-Digest"] = "sha1:" + base64.b32encode(hashlib.sha1(body).digest()).decode()
        if page.record_type == "revisit":
            body = b""
        rid = self.write(page.record_type, page.url, date, body, "application/http; msgtype=response", headers, head)
        self.expect(rid, page.url, page.record_type, page.kind, **verdict(page))


def concurrent(rid: str) -> dict[str, str]:
    return {"WARC-Concurrent-To": f"<urn:uuid:{rid}>"}


def verdict(page: Page) -> dict[str, Any]:
    """What should become of a page, without the choice inside its cluster."""
    if page.extract != "document":
        return {"extract": page.extract}
    text = page.text
    assert text is not None
    language, script = LABELS[text.lang]
    words = WORDS.get(text.lang, WORDS["eng"])
    banner = [] if page.template == "table" or page.record_type == "conversion" else [words["cookie"]]
    comment = [words["comment"]] if page.template in ("blog", "forum") else []
    return {
        "encoding": page.encoding,
        "language": "und" if page.kind == "lorem_ipsum" else language,  # filler is in no language
        "script": script,
        "extract": "document",
        "clean": page.clean or None,
        "dedup": "kept" if page.clean in ("kept", "") else None,
        "cluster": page.cluster or None,
        "contains": [text.phrase()] if page.contains is None else page.contains,
        "must_not_contain": banner + comment if page.must_not_contain is None else page.must_not_contain,
    }


def build(folder: Path) -> None:
    """Write the three archives and expected.jsonl into the folder."""
    archives = {name: Archive(name) for name in (MAIN, TRUNCATED, WET)}
    for number, page in enumerate(load_pages(), 1):
        archives[page.archive].add(page, number)
    seen: set[str] = set()
    lines = [line for archive in archives.values() for line in archive.lines]
    for line in lines:
        if line["cluster"]:
            line["dedup"] = "duplicate" if line["cluster"] in seen else "kept"
            seen.add(line["cluster"])
    whole = archives[TRUNCATED].out.getvalue()
    last = archives[TRUNCATED].last
    cut = last + (len(whole) - last) * 2 // 3
    archives[TRUNCATED].out = io.BytesIO(whole[:cut])
    folder.mkdir(parents=True, exist_ok=True)
    for name, archive in archives.items():
        (folder / name).write_bytes(archive.out.getvalue())
    rows = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (folder / EXPECTED).write_text(rows, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
