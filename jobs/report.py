"""Build ROOT/report.html, one page over what the finished stages and a training run say of themselves.

python jobs/report.py --root ROOT [--run runs/NAME]
spark-submit jobs/report.py --root ROOT [--run runs/NAME]

Needs no Spark session. --run is the --output of train/pretrain.py.
"""

import sys
from collections.abc import Sequence

from pipeline.exit_status import run_to_exit_status
from pipeline.flags import Parser, parse
from pipeline.report.page import write_report


def body(argv: Sequence[str] | None) -> None:
    parser = Parser(prog="jobs/report.py", allow_abbrev=False)
    parser.add_argument("--root", required=True, help="folder of a corpus; the page is ROOT/report.html")
    parser.add_argument("--run", help="folder of a training run, to be shown too")
    args = parse(parser, argv)
    print(f"report   {write_report(args.root, args.run)}", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    return run_to_exit_status(body, argv)


if __name__ == "__main__":
    sys.exit(main())
