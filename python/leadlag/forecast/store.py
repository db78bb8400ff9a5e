"""Prediction tables: what the companion writes and dbt reads. A run replaces what an earlier run of the same as_of and version wrote,
and nothing else, so the history of forecasts is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from leadlag.warehouse import Warehouse, WarehouseError, quote

_INTERVALS = dict.fromkeys(("low_80", "high_80", "low_95", "high_95"), pa.float64())
_RUN = {"as_of": pa.timestamp("us"), "model_version": pa.string()}
TABLES = {
    "prediction_forecast": pa.schema(
        {
            **_RUN,
            "measure": pa.string(),
            "cut_name": pa.string(),
            "cut_value": pa.string(),
            "period_grain": pa.string(),
            "period_start": pa.date32(),
            "period_end": pa.date32(),
            "expected": pa.float64(),
            "actual_to_date": pa.float64(),
            "from_open": pa.float64(),
            "from_arrivals": pa.float64(),
            **_INTERVALS,
            "completed_forecasts": pa.int64(),
            "reason": pa.string(),
        }.items()
    ),
    "prediction_backtest": pa.schema(
        {
            **_RUN,
            "measure": pa.string(),
            "origin_date": pa.date32(),
            "horizon_days": pa.int64(),
            "method": pa.string(),
            "expected": pa.float64(),
            "actual": pa.float64(),
            **_INTERVALS,
        }.items()
    ),
    "prediction_model_quality": pa.schema(
        {
            **_RUN,
            "model": pa.string(),
            "scope": pa.string(),
            "metric": pa.string(),
            "value": pa.float64(),
            "value_low": pa.float64(),
            "value_high": pa.float64(),
            "case_count": pa.int64(),
            "window_start": pa.date32(),
            "window_end": pa.date32(),
        }.items()
    ),
    "prediction_channel_lift": pa.schema(
        {
            **_RUN,
            "lift_rule": pa.string(),
            "lift_rule_version": pa.int64(),
            "treatment": pa.string(),
            "treatment_value": pa.string(),
            "milestone": pa.string(),
            "landmark_days": pa.int64(),
            "window_days": pa.int64(),
            "first_entered_on": pa.date32(),
            "last_entered_on": pa.date32(),
            **dict.fromkeys(
                ("case_count", "treated_count", "conversion_count", "treated_conversion_count"), pa.int64()
            ),
            **dict.fromkeys(
                ("naive_difference", "lift", "lift_low", "lift_high", "p_value", "p_value_holm"), pa.float64()
            ),
            "is_within_noise": pa.bool_(),
            "overlap": pa.float64(),
            "imbalance": pa.float64(),
            "reason": pa.string(),
        }.items()
    ),
}


def intervals(ends: Mapping[float, tuple[float, float]]) -> dict[str, float | None]:
    """Columns of the intervals; null where there is none."""
    found: dict[str, float | None] = dict.fromkeys(_INTERVALS)
    for level, (low, high) in ends.items():
        found[f"low_{level * 100:.0f}"], found[f"high_{level * 100:.0f}"] = low, high
    return found


def store(
    warehouse: Warehouse, schema: str, table: str, as_of: datetime, version: str, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Put rows of a run in the place of those that the same as_of and version had; all or nothing.

    Raises:
        WarehouseError: the engine cannot replace rows.
    """
    if warehouse.target.kind not in ("duckdb", "postgres"):
        raise WarehouseError(
            f"target {warehouse.target.name!r} has type {warehouse.target.kind!r}, which cannot replace rows; "
            "predictions are written to duckdb and postgres (--dry-run prints them)"
        )
    columns = TABLES[table]
    run = {"as_of": as_of, "model_version": version}
    if table not in warehouse.tables(schema):
        warehouse.create(schema, table, columns)
        warehouse.finish()
    is_duckdb = warehouse.target.kind == "duckdb"
    if is_duckdb:
        warehouse.execute("begin transaction")
    warehouse.execute(
        f"delete from {quote(schema)}.{quote(table)} "
        f"where as_of = timestamp '{as_of.isoformat(sep=' ')}' and model_version = '{version}'"
    )
    warehouse.append(schema, table, pa.Table.from_pylist([{**run, **row} for row in rows], schema=columns))
    if is_duckdb:
        warehouse.execute("commit")
    warehouse.finish()
