"""Serves a page on which models can be tried: words for [MASK], classes, tags, answers, nearest sentences.

    python train/serve.py --model DIR [--model NAME=DIR ...] [--vectors X.parquet] [--host 127.0.0.1] [--port 8000]

DIR is the export of a run, a checkpoint, or a model of transformers on this disk; the page shows what each can be
asked. --vectors is a file that train/predict.py embed wrote, in which nearest sentences are looked for. /openapi.json
describes the same questions for programs. Only this machine can ask, unless --host names another of its addresses.
Ctrl-C ends it.
"""

import importlib.util
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from schemas.errors import UserError, run_program
from train.config.arguments import Arguments

HOST, PORT = "127.0.0.1", 8000


def serve(words: Sequence[str] | None) -> None:
    parser = Arguments("serve", description=__doc__)
    parser.add_argument("--model", action="append", required=True, help="DIR or NAME=DIR; may be given again")
    parser.add_argument("--vectors", type=Path, help="file of vectors that nearest sentences are looked for in")
    parser.add_argument("--host", default=HOST, help=f"address to be asked at ({HOST}: by this machine alone)")
    parser.add_argument("--port", type=int, default=PORT, help=f"0: any that is free ({PORT})")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    given = parser.parse_args(words)
    for name in ("fastapi", "uvicorn"):
        if importlib.util.find_spec(name) is None:
            raise UserError(f"{name} is not installed: pip install 'wanyu[serve]'")
    from train.served.listening import listen, listening_socket

    with listening_socket(given.host, given.port) as socket:
        from train.encoders.named import open_models
        from train.served.heads import served
        from train.served.vectors import served_vectors

        models = [served(one) for one in open_models(given.model, device=given.device, precision=given.precision)]
        vectors = served_vectors(given.vectors, models) if given.vectors else None
        with suppress(KeyboardInterrupt):  # the server raises it again when all is closed
            listen(socket, given.host, models, vectors)


def main(words: Sequence[str] | None = None) -> int:
    """Status 0 after Ctrl-C; 2, with one line on stderr, for what the user can mend."""
    try:
        serve(words)
    except UserError as error:
        print("serve: " + " ".join(str(error).split()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # while models were read
        return 128 + signal.SIGINT
    return 0


if __name__ == "__main__":
    run_program(main)
