import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.mixture.card import card
from pipeline.mixture.sources import sources


def test_what_the_stages_before_have_counted(tmp_path: Path) -> None:
    ledgers = {
        "extract": (9, 7, {"not_html": 2}),
        "clean": (7, 4, {"opt_out:noai": 2, "language:mixed": 1}),
        "dedup": (4, 4, {}),
    }
    for stage, (rows_in, rows_out, dropped) in ledgers.items():
        (tmp_path / stage).mkdir()
        account = {"rows_in": rows_in, "rows_out": rows_out, "dropped": dropped}
        (tmp_path / stage / "_ledger.json").write_text(json.dumps(account))
        (tmp_path / stage / "_run.json").write_text("{}")
    (tmp_path / "extract" / "documents").mkdir()
    pq.write_table(pa.table({"licence": ["by", None, "by", "cc0", ""]}), tmp_path / "extract/documents/a.parquet")
    found = sources(str(tmp_path), [{"CC-MAIN-2026-43": 3}, {"CC-MAIN-2026-43": 1, "": 2}])
    assert found == {
        "crawls": [("CC-MAIN-2026-43", 4), ("", 2)],
        "licences": [("by", 2), ("cc0", 1)],
        "opt_outs": [("opt_out:noai", 2)],
        "funnel": [
            ["extract", 9, 7, [("not_html", 2)]],
            ["clean", 7, 4, [("opt_out:noai", 2), ("language:mixed", 1)]],
            ["dedup", 4, 4, []],
        ],
    }
    assert sources(None, [{"a": 1}]) == {"crawls": [("a", 1)]}
    mixed = {
        "method": "unimax", "unit": "bytes", "max_epochs": 4, "upsampling": "none", "schedule": [{}], "corpus": found,
        "languages": {"eng_Latn": {"documents": 4, "validation_documents": 0, "bytes": 100, "validation_bytes": 0,
                                   "epochs": 1.0, "weight": 1.0, "largest_host": "", "capped_by": ""}},
    }  # fmt: skip
    text = card(mixed)
    for said in (
        "| by | 2 |",
        "| opt_out:noai | 2 |",
        "| clean | 7 | 4 | opt_out:noai 2, language:mixed 1 |",
        "| not said | 2 |",
    ):
        assert said in text
