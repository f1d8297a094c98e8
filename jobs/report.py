"""Build one HTML page over what finished stages, training runs and evaluations say of themselves: ROOT/report.html.

python jobs/report.py --root ROOT [--run runs/NAME] [--evaluation FILE.json]
spark-submit jobs/report.py --root ROOT [--run runs/NAME]
spark-submit jobs/report.py --run runs/A --run runs/B [--output FILE.html]
python jobs/report.py --evaluation A.json --evaluation B.json

Needs no Spark session. --run is the --output of train/pretrain.py; several are compared. --evaluation is the JSON of
train/evaluate.py; several stand side by side. ROOT/evaluation/*.json and evaluation.json in the folder of a run are
shown unasked. Without --root the page has the rest alone and lies in the folder of the first run, or of the first
evaluation. jobs/remove.py makes ROOT/report.html anew, and no page elsewhere.
"""

import sys
from collections.abc import Sequence

from pipeline.exit_status import run_to_exit_status
from pipeline.flags import Parser, parse
from pipeline.report.page import write_report


def body(argv: Sequence[str] | None) -> None:
    parser = Parser(prog="jobs/report.py", allow_abbrev=False)
    parser.add_argument("--root", help="folder of a corpus; the page is ROOT/report.html")
    parser.add_argument("--run", action="append", default=[], help="folder of a training run; several are compared")
    parser.add_argument("--evaluation", action="append", default=[], metavar="FILE", help="JSON of train/evaluate.py")
    parser.add_argument(
        "--output", metavar="FILE", help="where the page is to be, in place of ROOT or beside the first run"
    )
    args = parse(parser, argv)
    print(f"report   {write_report(args.root, args.run, args.output, args.evaluation)}", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    return run_to_exit_status(body, argv)


if __name__ == "__main__":
    sys.exit(main())
