"""Results of audits as rows of the table data_quality_result, which the mart data_quality_trend reads."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import pandas as pd
import pyarrow as pa

from leadlag.warehouse import Warehouse, quote

TABLE = "data_quality_result"
# The source data_quality_result (models/staging/audit) declares the same columns.
COLUMNS = pa.schema(
    [
        ("run_at", pa.timestamp("us")),
        ("suite", pa.string()),
        ("schema_name", pa.string()),
        ("table_name", pa.string()),
        ("check_number", pa.int64()),
        ("column_name", pa.string()),
        ("expectation", pa.string()),
        ("rule", pa.string()),
        ("is_passed", pa.bool_()),
        ("observed", pa.string()),
        ("checked_count", pa.int64()),
        ("unexpected_count", pa.int64()),
        ("unexpected_share", pa.float64()),
        ("tolerated_share", pa.float64()),
        ("failing_keys", pa.string()),
        ("remedy", pa.string()),
    ]
)


@dataclass(frozen=True)
class Result:
    """One expectation of one run; a row of data_quality_result, where its columns are explained.

    Attributes:
        failing_keys: keys of some of the failing rows, column -> value as text.
    """

    run_at: datetime
    suite: str
    schema_name: str
    table_name: str
    check_number: int
    column_name: str | None
    expectation: str
    rule: str
    is_passed: bool
    observed: str | None
    checked_count: int | None
    unexpected_count: int | None
    unexpected_share: float | None
    tolerated_share: float
    failing_keys: list[dict[str, str | None]]
    remedy: str

    def row(self) -> dict[str, Any]:
        """Values by column of data_quality_result."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {**values, "failing_keys": json.dumps(self.failing_keys) if self.failing_keys else None}


def append(warehouse: Warehouse, schema: str, results: list[Result]) -> None:
    """Add one run's results to SCHEMA.data_quality_result; the table is created when missing."""
    if TABLE not in warehouse.tables(schema):
        warehouse.create(schema, TABLE, COLUMNS)
    warehouse.append(schema, TABLE, pa.Table.from_pylist([result.row() for result in results], schema=COLUMNS))
    warehouse.finish()


def history(warehouse: Warehouse, schema: str, runs: int = 30) -> pd.DataFrame:
    """The latest runs, newest first: run_at, suite, checks, failures, unexpected (rows that broke a rule)."""
    return warehouse.query(
        f"""
        select
            run_at,
            suite,
            count(*) as checks,
            sum(case when is_passed then 0 else 1 end) as failures,
            coalesce(sum(unexpected_count), 0) as unexpected
        from {quote(schema)}.{quote(TABLE)}
        group by run_at, suite
        order by run_at desc, suite
        limit {int(runs)}
        """
    )
