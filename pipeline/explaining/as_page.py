"""Stories as one HTML page that needs nothing but itself and has no script. What the web says is shown as text."""

from collections.abc import Sequence
from itertools import groupby

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from pipeline.explaining.story import Block, HostTold, Told
from pipeline.report import words
from pipeline.report.words import meaning, number, printable, tag

TEMPLATE = "explained.html.j2"
FEW_BLOCKS = 3  # that were not chosen are shown at once, longer runs folded


def page_of(asked: str, told: Sequence[Told], hosts: Sequence[HostTold] = ()) -> str:
    """asked: the question, the page's title. The same stories give the same page."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("pipeline.explaining", ""), PackageLoader("pipeline.report", "")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": words.count, "number": number, "language_tag": tag, "runs": _runs}
    page = environment.get_template(TEMPLATE).render(
        asked=asked, told=told, hosts=hosts, meaning=meaning, shades=0, few=FEW_BLOCKS
    )
    return printable(page)


def _runs(blocks: Sequence[Block]) -> list[list[Block]]:
    """Blocks that follow each other and were chosen or not."""
    return [list(run) for _, run in groupby(blocks, lambda block: block.chosen)]
