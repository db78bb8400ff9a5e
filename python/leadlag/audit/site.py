"""The results of a run as one page that opens from disk: no script, font or style comes from elsewhere.

Great Expectations' own Data Docs load Bootstrap, jQuery and fonts from content delivery networks and are blank columns
of text without them, and they show the values of failing rows, which may be personal data. This page shows keys only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd

from leadlag.audit.results import Result

TEMPLATE = Path(__file__).with_name("page.html.j2")


@dataclass(frozen=True)
class Table:
    """The results of one table, for the page."""

    suite: str
    name: str
    anchor: str
    results: list[Result]

    @property
    def failed(self) -> int:
        """Expectations that are not met."""
        return sum(not result.is_passed for result in self.results)


def _tables(results: Iterable[Result]) -> list[Table]:
    grouped: dict[tuple[str, str, str], list[Result]] = {}
    for result in results:
        grouped.setdefault((result.suite, result.schema_name, result.table_name), []).append(result)
    return [
        Table(suite, f"{schema}.{name}", f"{suite}-{schema}-{name}", found)
        for (suite, schema, name), found in grouped.items()
    ]


def _percent(share: float | None) -> str:
    """A share for readers; one above zero never reads as zero."""
    if share is None:
        return "-"
    return "< 0.1 %" if 0 < share < 0.001 else f"{share:.1%}".replace("%", " %")


def write_site(folder: Path, results: list[Result], runs: pd.DataFrame) -> Path:
    """Write index.html of a run.

    Args:
        folder: made when missing.
        results: of one run.
        runs: from `results.history`: run_at, suite, checks, failures, unexpected; newest first.

    Returns:
        Path of the page.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["percent"] = _percent
    environment.filters["count"] = lambda value: "-" if value is None else f"{int(value):,}"
    # The largest run sets the length of the bars.
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        tables=_tables(results),
        results=results,
        failed=[result for result in results if not result.is_passed],
        run_at=results[0].run_at,
        runs=runs.to_dict("records"),
        most_failures=max([1, *(int(value) for value in runs["failures"])]),
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    path.write_text(page, encoding="utf-8")
    return path
