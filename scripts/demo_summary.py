"""Prints what `make demo` computed, and where everything is."""

import json
import os
from collections import Counter
from pathlib import Path

import duckdb

ROWS = """
    select
        conversion_definition || ' v' || definition_version as definition,
        denominator,
        numerator,
        rate,
        rate_low,
        rate_high,
        is_reliable
    from {relation}
    where period_grain = 'total' and cut_name = 'total'
    order by conversion_definition, definition_version
"""


def find_relation(connection: duckdb.DuckDBPyConnection, name: str) -> str | None:
    """The schema-qualified name of a table or view of the warehouse."""
    row = connection.execute(
        "select table_schema from information_schema.tables where table_name = ? order by table_schema", [name]
    ).fetchone()
    return f'"{row[0]}"."{name}"' if row else None


def percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def build_counts(target: Path) -> str:
    """How many nodes the last build made or checked, by kind."""
    results = json.loads((target / "run_results.json").read_text(encoding="utf-8"))["results"]
    counts = Counter(str(result["unique_id"]).split(".")[0] for result in results)
    for builds_nothing in ("operation", "exposure", "saved_query"):
        del counts[builds_nothing]
    return ", ".join(f"{count} {kind.replace('_', ' ')}s" for kind, count in counts.most_common())


def main() -> None:
    warehouse = Path(os.environ.get("LEADLAG_DUCKDB_PATH", "leadlag.duckdb"))
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        relation = find_relation(connection, "conversion_rate")
        if relation is None:
            raise SystemExit(f"summary: {warehouse} has no table conversion_rate; run `dbt build` first")
        rows = connection.execute(ROWS.format(relation=relation)).fetchall()

    if not rows:
        raise SystemExit(f"summary: {relation} has no totals")
    print(f"\n{'conversion definition':<44}{'mature':>8}{'converted':>11}{'rate':>9}   interval")
    for definition, denominator, numerator, rate, low, high, is_reliable in rows:
        interval = f"{percent(low)} .. {percent(high)}"
        note = "" if is_reliable else "   too few to rely on"
        print(f"{definition:<44}{denominator:>8}{numerator:>11}{percent(rate):>9}   {interval}{note}")

    print(
        f"""
built       {build_counts(Path("target"))}
warehouse   {warehouse}   (read it with any DuckDB client; marts are in {relation.split(".")[0].strip('"')})
docs site   target/static_index.html   (opens from disk)
next        source .venv/bin/activate, change a row in seeds/policy, `dbt build`, `python scripts/demo_summary.py`
"""
    )


if __name__ == "__main__":
    main()
