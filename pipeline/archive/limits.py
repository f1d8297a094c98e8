"""What one page may cost, and the exception for a payload that gives none."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """Guards against what breaks a job. A page beyond one of them is skipped with the reason of that name.

    max_page_bytes: payload, decoded. Common Crawl cuts at 5 MiB (1 MiB until 2025), so 8 MiB loses none of its pages.
    max_decompression_ratio: decoded to encoded payload, from 1 MiB on. HTML shrinks 4 to 20 times, zlib at most 1,032.
    max_tree_depth: nested elements; see `content.html_depth`.
    page_seconds: CPU time of the extraction of one page, so that a loaded machine changes no result.
    page_memory_bytes: address space that the extraction of one page may add to an idle worker.
    """

    max_page_bytes: int = 8 << 20
    max_decompression_ratio: float = 200.0
    max_tree_depth: int = 500
    page_seconds: float = 10.0
    page_memory_bytes: int = 1 << 30


class RefusedPayload(Exception):
    """A payload that gives no page: `reason` out of schemas.extract.RECORD_REASONS."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail
