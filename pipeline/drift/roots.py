"""Two roots, read and compared."""

from pipeline.drift.comparison import Comparison, compare
from pipeline.drift.figures import figures
from pipeline.drift.looked_at import correlations
from pipeline.drift.thresholds import Thresholds
from pipeline.store import storage
from schemas.errors import UserError


def compare_roots(root: str, other: str, thresholds: Thresholds) -> Comparison:
    """UserError where one of them is no root, or both are the same."""
    paths = [storage.absolute(path) for path in (root, other)]
    if paths[0] == paths[1]:
        raise UserError(f"--compare {other}: that is --root itself; name another corpus")
    both = [figures(path) for path in paths]
    return compare(both[0], both[1], [correlations(found) for found in both], thresholds)
