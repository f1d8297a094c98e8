"""Which blocks of a page were chosen as main text, and how each scored: its record is fetched once more.

Their texts are masked as clean masks documents, since a page of them may be passed on.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.archive.asked.ranges import range_reader
from pipeline.archive.asked.reading import read_record
from pipeline.archive.fetch import FetchError
from pipeline.archive.limits import ArchiveLimits
from pipeline.archive.records import Broken, Page
from pipeline.explaining.story import Block, Blocks, Extracted
from pipeline.page.charset import decode
from pipeline.page.documents import in_utf8
from pipeline.page.main_text.engine import scored_blocks
from pipeline.privacy.masks import mask
from pipeline.store import storage
from schemas.errors import UserError

OURS = "blocks"
RETRIES = 2


def blocks_of(record_id: str, extracted: Extracted, archives: str, config: Mapping[str, Any]) -> Blocks:
    """archives: the folder or prefix that extract was given; empty: the archive's name has to be an address. config:
    extract's. What cannot be had is told in one line."""
    try:
        page = _page(record_id, extracted, archives, config)
    except (FetchError, UserError) as error:
        return Blocks(untold=f"{error}")
    if isinstance(page, str):
        return Blocks(untold=page)
    if page.is_text:
        return Blocks(untold="the record holds plain text (WET): all of it is the main text, without an engine")
    decoded = decode(page.body, page.http_charset)
    if decoded is None:
        return Blocks(untold="the payload's bytes are no text in any encoding")
    found = scored_blocks(in_utf8(page.body, decoded))
    other = extracted.engine if extracted.engine != OURS else ""
    note = f"extract ran with {other}, which scores no blocks: these are those of the engine {OURS}" if other else ""
    blocks = tuple(Block(**{**block._asdict(), "text": mask(block.text).text}) for block in found.blocks)
    return Blocks(blocks, found.least, note=note)


def _page(record_id: str, extracted: Extracted, archives: str, config: Mapping[str, Any]) -> Page | str:
    """The record's page, or why there is none."""
    location = _location(extracted.archive, archives)
    if not location:
        return (
            f"where {extracted.archive} lies is not recorded: name the folder or prefix that extract was given, "
            "--archives FOLDER or --archives https://data.commoncrawl.org/"
        )
    limits = ArchiveLimits(
        **{name: config[name] for name in ("max_page_bytes", "max_decompression_ratio") if name in config}
    )
    reader = range_reader(location, RETRIES)
    for item in read_record(reader, extracted.offset, name=extracted.archive, limits=limits):
        if isinstance(item, Page) and item.record_id == record_id:
            return item
        if not isinstance(item, Page) and (isinstance(item, Broken) or item.record_id == record_id):
            return f"the record gives no page: {item.reason}" + (f" ({item.detail})" if item.detail else "")
    return f"{location} has no record {record_id} at {extracted.offset}: it is another archive than extract has read"


def _location(file_path: str, archives: str) -> str:
    """Where an archive is opened; empty where nobody said. `archives` may be the file itself, or the folder whose name
    an archive's begins with, as extract's --input was."""
    if not archives:
        return file_path if "://" in file_path else ""
    given = storage.absolute(archives).rstrip("/")
    above, _, name = given.rpartition("/")
    if file_path == name:
        return given
    first = file_path.partition("/")[0]
    if storage.is_local(given) and first == name and not storage.exists(storage.join(given, file_path)):
        return storage.join(above, file_path)
    return file_path if "://" in file_path else storage.join(given, file_path)
