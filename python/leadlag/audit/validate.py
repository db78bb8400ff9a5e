"""Great Expectations on the prepared tables of a DuckDB or PostgreSQL target.

The library is imported when it is needed: that takes seconds which no other command should pay.
"""

from __future__ import annotations

import enum
import logging
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from leadlag.audit.results import Result
from leadlag.audit.suites import Check, Prepared, SuiteError
from leadlag.warehouse import Target, WarehouseError

KINDS = ("duckdb", "postgres")


class _Dialect(enum.StrEnum):
    DUCKDB = "duckdb"


def _library() -> Any:
    # Read when the library is imported; nothing may be sent from a company's warehouse.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import great_expectations as gx
            from great_expectations.execution_engine import sqlalchemy_execution_engine as engine
    except ImportError:
        raise WarehouseError("audits need the extra: pip install 'leadlag[audit]'") from None
    # Without this the library closes its one DuckDB connection after the first query and every expectation errs
    # (Great Expectations issue #11579). Sqlite, an embedded engine like DuckDB, is in the list already.
    if _Dialect.DUCKDB not in engine._PERSISTED_CONNECTION_DIALECTS:
        engine._PERSISTED_CONNECTION_DIALECTS = (*engine._PERSISTED_CONNECTION_DIALECTS, _Dialect.DUCKDB)
    return gx


def _connection(target: Target) -> tuple[str, dict[str, Any]]:
    """SQLAlchemy URL and arguments of a target."""
    from sqlalchemy.engine import URL

    settings = target.settings
    if target.kind == "duckdb":
        url = URL.create("duckdb", database=str(Path(str(settings["path"])).resolve()))
        return url.render_as_string(), {
            "connect_args": {"read_only": True, "config": dict(settings.get("settings") or {})}
        }
    url = URL.create(
        "postgresql+psycopg2",
        username=settings.get("user") or None,
        password=settings.get("password") or settings.get("pass") or None,
        host=settings.get("host") or None,
        port=int(settings["port"]) if settings.get("port") else None,
        database=settings.get("dbname") or settings.get("database"),
    )
    return url.render_as_string(hide_password=False), {}


@contextmanager
def _source(gx: Any, target: Target) -> Iterator[tuple[Any, Any]]:
    """A context that keeps nothing, and the target as its data source; the connection is closed at the end."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    url, arguments = _connection(target)
    try:
        if target.kind == "postgres":
            source = context.data_sources.add_postgres(name=target.name, connection_string=url)
        else:
            source = context.data_sources.add_sql(name=target.name, connection_string=url, kwargs=arguments)
    except Exception as error:
        raise WarehouseError(f"Great Expectations cannot connect to target {target.name!r}: {error}") from None
    try:
        yield context, source
    finally:
        # The source has two SQLAlchemy engines, its own and that of the execution engine.
        execution = source.get_execution_engine()
        execution.close()
        for engine in (execution.engine, source.get_engine()):
            engine.dispose()


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _observed(check: Check, details: Mapping[str, Any]) -> str | None:
    """What was found, without a value of any row."""
    if check.expectation == "expect_table_columns_to_match_set":
        missing = (details.get("details") or {}).get("mismatched", {}).get("missing") or []
        return f"missing: {', '.join(sorted(map(str, missing)))}" if missing else "all there"
    value = details.get("observed_value")
    return f"{value} rows" if check.expectation.startswith("expect_table_row_count") else _text(value)


def _result(check: Check, number: int, prepared: Prepared, run_at: datetime, outcome: Any, sample: int) -> Result:
    details: Mapping[str, Any] = outcome.result or {}
    unexpected = details.get("unexpected_count")
    checked = details.get("element_count")
    # Share of what can be judged: a null is the business of expect_column_values_to_not_be_null alone.
    if checked is not None and check.expectation != "expect_column_values_to_not_be_null":
        checked -= details.get("missing_count") or 0
    observed = _observed(check, details)
    if not details and not outcome.success:
        observed = f"not checked: {_reason(outcome.exception_info)}"
    keys: list[dict[str, str | None]] = []
    for row in details.get("unexpected_index_list") or []:
        key = {name: _text(row.get(name)) for name in prepared.listed}
        if key not in keys and len(keys) < sample:
            keys.append(key)
    return Result(
        run_at=run_at,
        suite=prepared.suite.checkpoint,
        schema_name=prepared.schema,
        table_name=prepared.table,
        check_number=number,
        column_name=check.label or None,
        expectation=check.expectation,
        rule=check.rule,
        is_passed=bool(outcome.success),
        observed=observed,
        checked_count=None if checked is None else int(checked),
        unexpected_count=None if unexpected is None else int(unexpected),
        unexpected_share=None if unexpected is None or not checked else float(unexpected) / float(checked),
        tolerated_share=round(1 - float(check.arguments.get("mostly", 1)), 6),
        failing_keys=keys,
        remedy=check.remedy,
    )


def _reason(information: Any) -> str:
    """The first message in what the library says about an exception."""
    if isinstance(information, Mapping):
        message = information.get("exception_message")
        if message:
            return str(message).splitlines()[0]
        for entry in information.values():
            if isinstance(entry, Mapping):
                return _reason(entry)
    return "the expectation could not be evaluated"


def _not_run(check: Check, number: int, prepared: Prepared, run_at: datetime, why: str) -> Result:
    return Result(
        run_at=run_at,
        suite=prepared.suite.checkpoint,
        schema_name=prepared.schema,
        table_name=prepared.table,
        check_number=number,
        column_name=check.label or None,
        expectation=check.expectation,
        rule=check.rule,
        is_passed=False,
        observed=why,
        checked_count=None,
        unexpected_count=None,
        unexpected_share=None,
        tolerated_share=round(1 - float(check.arguments.get("mostly", 1)), 6),
        failing_keys=[],
        remedy=check.remedy,
    )


def validate(
    target: Target, tables: Iterable[Prepared], run_at: datetime, sample: int, progress: Any = None
) -> list[Result]:
    """Run the suites of prepared tables.

    Args:
        target: of type duckdb or postgres; only read.
        sample: keys of failing rows to keep for each expectation, at most.
        progress: called with 1 after each table.

    Returns:
        One result for each expectation, in the order of the suites.

    Raises:
        WarehouseError: the target cannot be reached, or the extra is not installed.
        SuiteError: an expectation that Great Expectations does not know, or with wrong arguments.
    """
    if target.kind not in KINDS:
        raise WarehouseError(f"target {target.name!r} has type {target.kind!r}; audits work with {' and '.join(KINDS)}")
    gx = _library()
    results: list[Result] = []
    with _source(gx, target) as (context, source):
        for prepared in tables:
            results += _validate_table(gx, context, source, prepared, run_at, sample)
            if progress is not None:
                progress(1)
    return results


def _validate_table(
    gx: Any, context: Any, source: Any, prepared: Prepared, run_at: datetime, sample: int
) -> list[Result]:
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    suite = prepared.suite
    numbers = {id(check): number for number, check in enumerate(suite.checks, start=1)}
    results = [_not_run(check, numbers.get(id(check), 0), prepared, run_at, why) for check, why in prepared.not_run]
    if prepared.checks:
        name = f"{suite.checkpoint}.{suite.place}.{suite.table}"
        asset = source.add_query_asset(name=name, query=prepared.sql)
        declared = gx.ExpectationSuite(name=name)
        for check in prepared.checks:
            configuration = ExpectationConfiguration(
                type=check.expectation,
                kwargs=dict(check.arguments),
                meta={"number": numbers[id(check)], "rule": check.rule, "remedy": check.remedy},
            )
            try:
                declared.add_expectation_configuration(configuration)
            except Exception as error:
                raise SuiteError(f"{name}, {check.expectation} {check.label}: {error}") from None
        definition = gx.ValidationDefinition(
            name=name, data=asset.add_batch_definition("whole"), suite=context.suites.add(declared)
        )
        context.validation_definitions.add(definition)
        outcome = definition.run(
            result_format={"result_format": "COMPLETE", "unexpected_index_column_names": prepared.listed}
        )
        by_number = {number: check for check in prepared.checks for number in [numbers[id(check)]]}
        for one in outcome.results:
            number = int(one.expectation_config.meta["number"])
            results.append(_result(by_number[number], number, prepared, run_at, one, sample))
    return sorted(results, key=lambda result: result.check_number)
