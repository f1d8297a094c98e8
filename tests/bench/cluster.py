"""What a cluster costs beside a local run, and whether few connections leave cores idle.

python tests/bench/cluster.py WEB --work DIR [--parts pipeline connections] [--pages 20000] [--archives 16]
    [--executor-memory 2g] [--max-connections 2] [-- any flags of jobs/corpus.py]

WEB is a folder of .warc.gz, whose pages are written again and again under new addresses until there are --pages. DIR
is new or of an earlier run. Pipeline: jobs/corpus.py on local[2] and on a standalone cluster on loopback with two
workers of one core each, the seconds of the whole of spark-submit, and whether the bytes are the same; wanted is a
ratio of at most 1.3. Connections: jobs/extract.py on local[2] from a web server on loopback, with --max-connections and
with one, beside files: equal times say that no core waits for a connection.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as a program it has its neighbours to find
import faulty
from bench import watched
from bench.extract import claim, write_copies
from programs import job_environment, submit_command
from standalone import standalone_cluster

from pipeline.exit_status import run_to_exit_status
from schemas.errors import UserError

PARTS = ("pipeline", "connections")
WANTED = 1.3  # times the local run


def timed(job: str, work: Path, name: str, *flags: object, master: str = "local[2]",
          conf: dict[str, str] | None = None) -> watched.Cost:  # fmt: skip
    """The job's cost. UserError when it fails."""
    shutil.rmtree(work / name, ignore_errors=True)
    command = submit_command(job, "--root", work / name, *flags, master=master, conf=conf)
    cost = watched.run(command, job_environment(), work / f"{name}.log")
    if cost.status:
        raise UserError(f"{job} ended with status {cost.status}: see {work / name}.log")
    return cost


def pipeline(args: argparse.Namespace, work: Path, flags: Sequence[str]) -> None:
    given = ["--input", work / "archives", *flags]
    near = timed("corpus", work, "near", *given)
    with standalone_cluster(work / "cluster", memory=args.executor_memory) as cluster:
        conf = {"spark.executor.memory": args.executor_memory}
        far = timed("corpus", work, "far", *given, master=cluster.master, conf=conf)
    differs = faulty.difference(str(work / "far"), faulty.result(str(work / "near")))
    ratio = far.seconds / near.seconds
    print(f"local[2] {near.seconds:.1f} s, {near.peak / 2**20:,.0f} MiB; two workers of one core {far.seconds:.1f} s; "
          f"ratio {ratio:.2f}: {'at most' if ratio <= WANTED else 'MORE THAN'} {WANTED}")  # fmt: skip
    print(f"bytes: {differs or 'the same'}")


@contextmanager
def files_served(folder: Path) -> Iterator[str]:
    """A web server in a process of its own; answers its address."""
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout
        port = process.stdout.readline().split("port ")[1].split()[0]
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.kill()
        process.wait()


def connections(args: argparse.Namespace, work: Path) -> None:
    names = sorted(file.name for file in (work / "archives").glob("*.warc.gz"))
    (work / "warc.paths").write_text("".join(f"{name}\n" for name in names))
    listed = ["--input", work / "warc.paths", "--prefix"]
    cost = timed("extract", work, "files", *listed, f"{work / 'archives'}/")
    print(f"files: {cost.seconds:.1f} s")
    with files_served(work / "archives") as address:
        for most in sorted({1, args.max_connections}):
            cost = timed("extract", work, f"http-{most}", *listed, address, "--max-connections", most)
            print(f"http, --max-connections {most}: {cost.seconds:.1f} s")


def body(argv: Sequence[str] | None) -> None:
    given = list(sys.argv[1:] if argv is None else argv)
    own, flags = (given[: given.index("--")], given[given.index("--") + 1 :]) if "--" in given else (given, [])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("web", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--pages", type=int, default=20_000)
    parser.add_argument("--archives", type=int, default=16)
    parser.add_argument("--executor-memory", default="2g")
    parser.add_argument("--max-connections", type=int, default=2)
    args = parser.parse_args(own)
    work = args.work.resolve()
    claim(work)
    shutil.rmtree(work / "cluster", ignore_errors=True)
    made = write_copies(args.web, work / "archives", args.pages, args.archives)
    print(f"{args.pages:,} pages in {made} archives", flush=True)
    if "pipeline" in args.parts:
        pipeline(args, work, flags)
    if "connections" in args.parts:
        connections(args, work)


if __name__ == "__main__":
    sys.exit(run_to_exit_status(body, None))
