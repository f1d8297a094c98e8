"""Pages that name files and servers, and pages that swell: no parser follows, and none waits or grows."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import Answer, Server, web_server

from pipeline.page.engines import ENGINES, extract_text
from pipeline.page.metadata import read_metadata
from pipeline.quality.profiles import load
from schemas.errors import UserError

SECRET = "what no page may read of this machine"
TEXT = "한국어 ไทย አማርኛ ქართული: a paragraph that is long enough to be the main text of a page of the web. " * 8


@pytest.fixture
def server() -> Iterator[Server]:
    with web_server() as running:
        running.answers = [Answer(body=SECRET.encode())]
        yield running


def hostile(server: Server, file: Path) -> dict[str, bytes]:
    url = server.url
    body = f"<body><article><h1>Title</h1><p>&x;&y;{TEXT}</p><p>{TEXT}</p></article></body></html>"
    entities = f'<!ENTITY x SYSTEM "file://{file}"><!ENTITY y SYSTEM "{url("entity")}">'
    parameter = f'<!ENTITY % p SYSTEM "{url("parameter.dtd")}"> %p;'
    laughs = '<!ENTITY l0 "ha">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    links = (
        f'<html><head><base href="{url("base/")}"><link rel="stylesheet" href="a.css"><link rel=canonical href="c">'
        f'<link rel="amphtml" href="{url("amp")}"><script src="{url("a.js")}"></script>'
        f'<meta http-equiv="refresh" content="0; url={url("refresh")}"><meta property="og:image" content="{url("i")}">'
    )
    inner = (
        f'<iframe src="{url("frame")}"></iframe><img src="{url("img")}"><object data="{url("object")}"></object>'
        f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file://{file}" parse="text"/>'
    )
    return {
        "entities": f"<?xml version='1.0'?><!DOCTYPE html [{entities}]><html>{body}".encode(),
        "parameters": f"<?xml version='1.0'?><!DOCTYPE html [{parameter}]><html>{body}".encode(),
        "doctype": f'<?xml version="1.0"?><!DOCTYPE html SYSTEM "{url("html.dtd")}"><html>{body}'.encode(),
        "laughs": f"<?xml version='1.0'?><!DOCTYPE html [{laughs}]><html>{body.replace('&x;', '&l11;')}".encode(),
        "links": f"{links}</head>{body.replace('</article>', inner + '</article>')}".encode(),
        "stylesheet": f'<?xml-stylesheet href="{url("a.xsl")}" type="text/xsl"?><html>{body}'.encode(),
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_no_engine_reads_what_a_page_names(server: Server, tmp_path: Path, engine: str) -> None:
    (tmp_path / "secret.txt").write_text(SECRET)
    for name, page in hostile(server, tmp_path / "secret.txt").items():
        began = time.process_time()
        text = extract_text(page, engine=engine)  # type: ignore[arg-type]
        assert "ქართული" in text, name
        assert SECRET not in text and "ha" * 20 not in text, name
        assert len(text) < 4 * len(page) and time.process_time() - began < 20, name
    assert server.paths == []


def test_metadata_are_what_the_page_says_and_no_more(server: Server, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text(SECRET)
    for page in hostile(server, tmp_path / "secret.txt").values():
        assert SECRET not in str(read_metadata(page))
    assert server.paths == []


def test_a_yaml_of_thresholds_that_swells_is_one_line(tmp_path: Path) -> None:
    laughs = "a0: &a0 [ha, ha]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    (tmp_path / "laughs.yml").write_text(laughs + "kept: !!python/object/apply:os.system ['touch /tmp/wanyu-owned']\n")
    began = time.process_time()
    with pytest.raises(UserError) as caught:
        load(str(tmp_path / "laughs.yml"), set())
    assert "\n" not in str(caught.value) and time.process_time() - began < 5
    assert not Path("/tmp/wanyu-owned").exists()
