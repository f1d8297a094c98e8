"""Stories as one HTML page that needs nothing but itself and has no script. What the web says is shown as text."""

from collections.abc import Sequence

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from pipeline.explaining.story import HostTold, Told
from pipeline.report import words
from pipeline.report.words import meaning, number, printable, tag

TEMPLATE = "explained.html.j2"


def page_of(asked: str, told: Sequence[Told], hosts: Sequence[HostTold] = ()) -> str:
    """asked: the question, the page's title. The same stories give the same page."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("pipeline.explaining", ""), PackageLoader("pipeline.report", "")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": words.count, "number": number, "language_tag": tag}
    page = environment.get_template(TEMPLATE).render(asked=asked, told=told, hosts=hosts, meaning=meaning, shades=0)
    return printable(page)
