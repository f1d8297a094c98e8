"""What happened to a page, stage by stage, or to all pages of a host.

python jobs/explain.py --root ROOT --url URL [--votes] [--blocks --archives FOLDER_OR_PREFIX] [--html FILE] [--json]
python jobs/explain.py --root ROOT --id ID
python jobs/explain.py --root ROOT --host HOST [--most 20]

An address is compared as in takedowns: scheme, case, `www.` and a trailing slash do not count. Where the page lies is
told by indexes of keys; a root of an older version has none, and its columns of addresses and ids are read, as they are
for --host. --blocks fetches the page's record from its archive once more. Several --root: each is told, and pages of
earlier crawls get their addresses. No engine is started, and nothing but --html is written.
"""

import dataclasses
import json
from collections.abc import Iterable, Sequence

from pipeline.exit_status import run_to_exit_status
from pipeline.explaining.as_lines import host_lines, told_lines
from pipeline.explaining.as_page import page_of
from pipeline.explaining.corpus import opened
from pipeline.explaining.story import HostTold, Told
from pipeline.explaining.telling import Wish, tell_host, tell_id, tell_url
from pipeline.flags import Parser, parse
from pipeline.store import run_records, storage
from schemas.errors import UserError, run_program


def body(argv: Sequence[str] | None) -> None:
    parser = Parser(prog="jobs/explain.py", allow_abbrev=False)
    parser.add_argument("--root", required=True, action="append", help="folder of a corpus; again: of an earlier crawl")
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--url", help="the page's address")
    asked.add_argument("--id", help="the document's id, with or without <urn:uuid: >")
    asked.add_argument("--host", help="all pages of a host, and of the hosts below it")
    parser.add_argument("--votes", action="store_true", help="take the votes for the language again, over the text")
    parser.add_argument("--blocks", action="store_true", help="fetch the record again, and tell its blocks' scores")
    parser.add_argument("--archives", default="", metavar="PLACE", help="folder or prefix of the archives, as --input")
    parser.add_argument("--most", type=int, default=20, help="records, members of a cluster, pages of a host [20]")
    parser.add_argument("--html", metavar="FILE", help="write a page with the story, and the blocks coloured")
    parser.add_argument("--json", action="store_true", help="print the story as JSON")
    args = parse(parser, argv)
    if args.most < 1:
        raise UserError(f"--most {args.most}: give 1 or more")
    corpora = [opened(root) for root in dict.fromkeys(args.root)]
    for corpus in corpora:
        run_records.require(storage.join(corpus.root, "extract"), "extract")
    wish = Wish(args.blocks, args.votes, args.archives, args.most)
    told: list[Told] = []
    hosts: list[HostTold] = []
    if args.host is not None:
        hosts = tell_host(corpora, args.host, wish)
    elif args.id is not None:
        told = tell_id(corpora, args.id, wish)
    else:
        told = tell_url(corpora, args.url, wish)
    if args.html:
        path = storage.absolute(args.html)
        storage.write_bytes(path, page_of(args.url or args.id or args.host, told, hosts).encode())
    answers: list[Told | HostTold] = [*told, *hosts]
    if args.json:
        print(json.dumps([dataclasses.asdict(one) for one in answers], ensure_ascii=False, indent=1))
    elif args.html:
        print(path)
    else:
        for line in _lines(answers):
            print(line, flush=True)


def _lines(answers: Sequence[Told | HostTold]) -> Iterable[str]:
    for one in answers:
        if len(answers) > 1:
            yield f"in {one.root}"
        yield from told_lines(one) if isinstance(one, Told) else host_lines(one)


def main(argv: Sequence[str] | None = None) -> int:
    return run_to_exit_status(body, argv)


if __name__ == "__main__":
    run_program(main)
