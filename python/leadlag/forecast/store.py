"""Prediction tables: what the companion writes and dbt reads. A run replaces what an earlier run of the same as_of and version wrote,
and nothing else, so the history of forecasts is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import pandas as pd
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
            "unit": pa.string(),
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
            "scale": pa.float64(),
            **_INTERVALS,
        }.items()
    ),
    "prediction_stage_probability": pa.schema(
        {
            **_RUN,
            "cut_name": pa.string(),
            "cut_value": pa.string(),
            "stage": pa.string(),
            "outcome": pa.string(),
            "within_days": pa.int64(),
            "entry_count": pa.int64(),
            "outcome_count": pa.int64(),
            "effective_count": pa.float64(),
            "observed_rate": pa.float64(),
            "probability": pa.float64(),
            "total_share": pa.float64(),
            **_INTERVALS,
            "reason": pa.string(),
        }.items()
    ),
    "prediction_journey_probability": pa.schema(
        {
            **_RUN,
            "journey_key": pa.int64(),
            "person_key": pa.int64(),
            "region": pa.string(),
            "product_line": pa.string(),
            "stage": pa.string(),
            "days_in_stage": pa.int64(),
            "raw_probability": pa.float64(),
            "probability": pa.float64(),
            "raw_probability_90d": pa.float64(),
            "probability_90d": pa.float64(),
            "reason": pa.string(),
        }.items()
    ),
    "prediction_calibration": pa.schema(
        {
            **_RUN,
            "model": pa.string(),
            "scope": pa.string(),
            "bin_number": pa.int64(),
            "case_count": pa.int64(),
            "journey_count": pa.int64(),
            "lowest_probability": pa.float64(),
            "highest_probability": pa.float64(),
            "mean_probability": pa.float64(),
            "observed_rate": pa.float64(),
            "observed_low": pa.float64(),
            "observed_high": pa.float64(),
        }.items()
    ),
    "prediction_deviation": pa.schema(
        {
            **_RUN,
            "measure": pa.string(),
            "cut_name": pa.string(),
            "cut_value": pa.string(),
            "period_grain": pa.string(),
            "period_start": pa.date32(),
            "elapsed_days": pa.int64(),
            "expected": pa.float64(),
            "actual": pa.float64(),
            **_INTERVALS,
            "completed_forecasts": pa.int64(),
            "reason": pa.string(),
        }.items()
    ),
    "prediction_recalibration": pa.schema(
        {
            **_RUN,
            "measure": pa.string(),
            "signal": pa.string(),
            "changed_on": pa.date32(),
            "centre_factor": pa.float64(),
            "spread_factor": pa.float64(),
            "independent_forecasts": pa.int64(),
            "covered_before": pa.int64(),
            "covered_after": pa.int64(),
            "band_low": pa.int64(),
            "band_high": pa.int64(),
            "error_before": pa.float64(),
            "error_after": pa.float64(),
        }.items()
    ),
    "prediction_accuracy": pa.schema(
        {
            **_RUN,
            "measure": pa.string(),
            "month_start": pa.date32(),
            "horizon_months": pa.int64(),
            "expected": pa.float64(),
            "actual": pa.float64(),
            "arrivals_effect": pa.float64(),
            "rate_effect": pa.float64(),
            "timing_effect": pa.float64(),
            "amount_effect": pa.float64(),
            "follow_up_days": pa.int64(),
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
    "prediction_lead_score": pa.schema(
        {
            **_RUN,
            "conversion_definition": pa.string(),
            "score": pa.string(),
            "journey_key": pa.int64(),
            "predicted_at": pa.timestamp("us"),
            "usage": pa.string(),
            "probability": pa.float64(),
            "reason": pa.string(),
        }.items()
    ),
    "prediction_score_feature": pa.schema(
        {
            **_RUN,
            "feature": pa.string(),
            "usage": pa.string(),
            "reason": pa.string(),
            "quarter_start": pa.date32(),
            "case_count": pa.int64(),
            "known_share": pa.float64(),
            "psi": pa.float64(),
            "psi_noise": pa.float64(),
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
            **dict.fromkeys(("auc_gain", "auc_gain_low", "auc_gain_high"), pa.float64()),
            "is_vanity": pa.bool_(),
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


def _run(as_of: datetime, version: str, only: Mapping[str, date | str]) -> str:
    """Condition on the rows of a run."""
    given = "".join(
        f" and {quote(name)} = " + (f"'{value}'" if isinstance(value, str) else f"date '{value.isoformat()}'")
        for name, value in only.items()
    )
    return f"as_of = timestamp '{as_of.isoformat(sep=' ')}' and model_version = '{version}'{given}"


def stored(warehouse: Warehouse, schema: str, table: str, as_of: datetime, version: str) -> list[dict[str, Any]]:
    """Rows that a run has written, null as None; none when there is no such table, or one of an earlier version of it."""
    if table not in warehouse.tables(schema):
        return []
    where = f"from {quote(schema)}.{quote(table)} where {_run(as_of, version, {})}"
    found = warehouse.query(f"select * {where}")
    if set(TABLES[table].names) - set(found.columns):
        return []
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in found.astype(object).to_dict("records")
    ]


def store(
    warehouse: Warehouse,
    schema: str,
    table: str,
    as_of: datetime,
    version: str,
    rows: Sequence[Mapping[str, Any]] | Mapping[str, Any],
    only: Mapping[str, date | str] | None = None,
) -> None:
    """Put rows of a run in the place of those that the same as_of and version had; all or nothing.

    Args:
        rows: one by one, or arrays by column where there are many; without the columns of the run.
        only: column -> value of a part of the run, of which alone rows are replaced.

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
    place = f"{quote(schema)}.{quote(table)}"
    there = set(warehouse.query(f"select * from {place} where 1 = 0").columns)
    lacking = [name for name in columns.names if name not in there]
    if lacking:
        raise WarehouseError(
            f"{schema}.{table} has no column {', '.join(lacking)}: an earlier version made it; run `dbt build`, which adds it"
        )
    is_duckdb = warehouse.target.kind == "duckdb"
    if is_duckdb:
        warehouse.execute("begin transaction")
    warehouse.execute(f"delete from {place} where {_run(as_of, version, only or {})}")
    if isinstance(rows, Mapping):
        size = len(next(iter(rows.values())))
        repeated = {name: pa.repeat(pa.scalar(value, columns.field(name).type), size) for name, value in run.items()}
        written = pa.table({**repeated, **rows}, schema=columns)
    else:
        written = pa.Table.from_pylist([{**run, **row} for row in rows], schema=columns)
    warehouse.append(schema, table, written)
    if is_duckdb:
        warehouse.execute("commit")
    warehouse.finish()
