"""Costs of several runs as one."""

from collections.abc import Sequence

from schemas.costs import Cost


def together(costs: Sequence[Cost]) -> Cost:
    """Of attempts at one thing, or of the runs that have made a table: sums, but for the largest process and the cores.
    What one of them cannot say, all cannot. One cost at least."""
    first = costs[0]

    def total(name: str) -> int | None:
        values: list[int | None] = [cost[name] for cost in costs]  # type: ignore[literal-required]
        return None if None in values else sum(value or 0 for value in values)

    cpu, peaks = [cost["cpu_seconds"] for cost in costs], [cost["peak_bytes"] for cost in costs]
    return Cost(
        stage=first["stage"],
        began=first["began"],
        attempts=sum(cost["attempts"] for cost in costs),
        seconds=round(sum(cost["seconds"] for cost in costs), 3),
        cores=max(cost["cores"] for cost in costs),
        cpu_seconds=None if None in cpu else round(sum(one or 0.0 for one in cpu), 3),
        peak_bytes=None if None in peaks else max(one or 0 for one in peaks),
        shuffle_bytes=total("shuffle_bytes"),
        bytes_read=total("bytes_read"),
        bytes_written=total("bytes_written"),
        requests=total("requests"),
    )
