"""A folder of a store on this machine, for the trainer, which reads local files: python fetch.py URL FOLDER

What is there with the same size is not fetched again; what the store has no more goes.
"""

import os
import sys
from pathlib import Path

from pipeline.store import storage


def fetch(url: str, folder: Path) -> None:
    there = storage.listing(url, hidden=True)
    if not there:
        raise SystemExit(f"error: nothing lies at {url}")
    here = storage.listing(str(folder), hidden=True)
    store, inside = storage.filesystem(url)
    for name in here.keys() - there.keys():
        (folder / name).unlink()
    for name, size in there.items():
        if here.get(name) != size:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            store.get_file(f"{inside.rstrip('/')}/{name}", f"{folder / name}.part")
            os.replace(f"{folder / name}.part", folder / name)


if __name__ == "__main__":
    fetch(sys.argv[1], Path(sys.argv[2]))
