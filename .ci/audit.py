"""Known vulnerabilities of what constraints.txt pins, by pip-audit and the advisories of PyPI.

python .ci/audit.py

Exit status 0: none is known. 1: there are, a line each. 75: nobody could be asked, so that nothing is known; it is said
so, and whoever runs this decides (.ci/run goes on, `make audit` does not).
"""

import json
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
UNREACHED = 75  # EX_TEMPFAIL
SECONDS = 300


def audit(requirements: Path) -> int:
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(requirements), "--no-deps", "--disable-pip"]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", "20"]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return _unreached(f"no answer in {SECONDS} s")
    try:
        found = json.loads(ended.stdout)["dependencies"]
    except (json.JSONDecodeError, KeyError, TypeError):
        lines = [line for line in ended.stderr.splitlines() if line.strip()]
        return _unreached(lines[-1].strip()[:300] if lines else f"pip-audit ended with {ended.returncode}")
    skipped = [entry for entry in found if "skip_reason" in entry]
    known = [(entry["name"], entry["version"], flaw) for entry in found for flaw in entry.get("vulns", ())]
    for name, version, flaw in known:
        mended = ", ".join(flaw["fix_versions"]) or "no version yet"
        print(f"audit: {name} {version}: {flaw['id']}: mended in {mended}")
    looked_at = len(found) - len(skipped)
    if not looked_at:
        return _unreached("it knows none of the packages")
    if skipped:
        print(f"audit: not looked at, since PyPI does not know them: {', '.join(entry['name'] for entry in skipped)}")
    print(f"audit: {len(known)} known vulnerabilities in {looked_at} packages")
    return 1 if known else 0


def _unreached(why: str) -> int:
    print(
        f"audit: NOT DONE: the advisory service cannot be asked ({why}): nothing is known of {REPOSITORY.name}'s pins"
    )
    return UNREACHED


if __name__ == "__main__":
    sys.exit(audit(Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "constraints.txt"))
