"""Build one HTML page over what finished stages, training runs and evaluations say of themselves: ROOT/report.html.

python jobs/report.py --root ROOT [--run runs/NAME] [--evaluation FILE.json]
spark-submit jobs/report.py --root ROOT [--run runs/NAME]
spark-submit jobs/report.py --run runs/A --run runs/B [--output FILE.html]
python jobs/report.py --evaluation A.json --evaluation B.json
python jobs/report.py --root ROOT --compare OTHER_ROOT [--drift [FILE.toml]]

Needs no Spark session. --run is the --output of train/pretrain.py; several are compared. --evaluation is the JSON of
train/evaluate.py; several stand side by side. ROOT/evaluation/*.json and evaluation.json in the folder of a run are
shown unasked. Without --root the page has the rest alone and lies in the folder of the first run, or of the first
evaluation. jobs/remove.py makes ROOT/report.html anew, and no page elsewhere.

--compare shows on the page and on the terminal what has changed since another root, such as last month's. With --drift
a figure that has drifted ends it with exit status 3 and a line a figure, after the page has been written. FILE.toml has
thresholds in the place of those of pipeline/drift/thresholds.toml.
"""

import sys
from collections.abc import Sequence

from pipeline.drift import thresholds
from pipeline.drift.roots import compare_roots
from pipeline.exit_status import run_to_exit_status
from pipeline.flags import Parser, parse
from pipeline.report.page import write_report
from schemas.errors import UserError


def body(argv: Sequence[str] | None) -> None:
    parser = Parser(prog="jobs/report.py", allow_abbrev=False)
    parser.add_argument("--root", help="folder of a corpus; the page is ROOT/report.html")
    parser.add_argument("--run", action="append", default=[], help="folder of a training run; several are compared")
    parser.add_argument("--evaluation", action="append", default=[], metavar="FILE", help="JSON of train/evaluate.py")
    parser.add_argument(
        "--output", metavar="FILE", help="where the page is to be, in place of ROOT or beside the first run"
    )
    parser.add_argument("--compare", metavar="OTHER_ROOT", help="another corpus: what has changed since it")
    parser.add_argument(
        "--drift",
        nargs="?",
        const="",
        metavar="FILE.toml",
        help="with --compare: exit status 3 where a figure differs by more than its threshold and by more than chance",
    )
    args = parse(parser, argv)
    if args.compare is None and args.drift is not None:
        raise UserError("--drift judges what --compare shows: name the other corpus, --compare OTHER_ROOT")
    if args.compare is not None and args.root is None:
        raise UserError("--compare holds a corpus against another: name it, --root ROOT")
    found = compare_roots(args.root, args.compare, thresholds.load(args.drift or "")) if args.compare else None
    page = write_report(args.root, args.run, args.output, args.evaluation, found)
    print(f"report   {page}", flush=True)
    if found:
        for line in found.lines():
            print(f"report   {line}", flush=True)
        if args.drift is not None:
            found.require_no_drift(page)


def main(argv: Sequence[str] | None = None) -> int:
    return run_to_exit_status(body, argv)


if __name__ == "__main__":
    sys.exit(main())
