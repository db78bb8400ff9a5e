"""Raw tables as a loader would leave them, and the connectors built on them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
from conftest import RunDbt

Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]

CRM = ("salesforce", "hubspot")
ALL = (*CRM, "web", "ads", "product", "offline")
# The least that a connector needs.
REQUIRED: Tables = {
    "salesforce.lead": [{"id": "00Q0"}],
    "hubspot.contact": [{"id": 0}],
    "web.page_view": [{"page_view_id": "p0"}],
    "ads.spend_daily": [{"platform": "x"}],
    "product.event": [{"event_id": "e0"}],
    "offline.touch": [{"touch_id": "o0"}],
}
T0 = datetime.fromisoformat("2024-03-01 09:00:00")


def at(days: float = 0, hours: float = 0) -> datetime:
    """T0 and so much later; UTC without a zone, as DuckDB returns it."""
    return T0 + timedelta(days=days, hours=hours)


def day(text: str) -> datetime:
    """Midnight of a day."""
    return datetime.fromisoformat(text)


def rows(columns: str, *values: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Rows of a table from its column names, separated by blanks, and one tuple a row."""
    return [dict(zip(columns.split(), row, strict=True)) for row in values]


def sql_type(values: Iterable[Any]) -> str:
    """DuckDB type of the first value that is not null; text when there is none."""
    types = {bool: "boolean", int: "bigint", float: "double", date: "date", datetime: "timestamp", UUID: "uuid"}
    for value in values:
        if isinstance(value, datetime) and value.tzinfo:
            return "timestamptz"
        if value is not None:
            return types.get(type(value), "varchar")
    return "varchar"


def load(path: Path, tables: Tables, *, replace: bool = True) -> None:
    """A warehouse with these tables; a column that a row lacks is null. replace=False keeps what else is there."""
    if replace:
        path.unlink(missing_ok=True)
    with duckdb.connect(path) as connection:
        for table, content in tables.items():
            schema, name = table.split(".")
            columns = list(dict.fromkeys(column for row in content for column in row))
            typed = ", ".join(f'"{column}" {sql_type(row.get(column) for row in content)}' for column in columns)
            connection.execute(f"create schema if not exists {schema}")
            connection.execute(f'create or replace table {schema}."{name}" ({typed})')
            connection.executemany(
                f'insert into {schema}."{name}" values ({", ".join("?" for _ in columns)})',
                [[row.get(column) for column in columns] for row in content],
            )


class Built:
    """A warehouse that dbt has built, open for reading."""

    def __init__(self, path: Path) -> None:
        self.connection = duckdb.connect(path, read_only=True)
        schemas = self.rows(
            "select schema_name from information_schema.schemata where schema_name like 'main\\_%' escape '\\'"
        )
        self.connection.execute(f"set search_path = '{','.join(sorted({row[0] for row in schemas}))}'")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(query).fetchall()

    def value(self, query: str) -> Any:
        return self.rows(query)[0][0]

    def columns(self, name: str) -> dict[str, str]:
        """Column -> type of a relation; nothing when there is no such relation."""
        found = self.rows(f"select 1 from information_schema.tables where table_name = '{name}'")
        return {row[0]: row[1] for row in self.rows(f"describe {name}")} if found else {}

    def close(self) -> None:
        self.connection.close()


def build(
    run_dbt: RunDbt,
    path: Path,
    models: Sequence[str] = (),
    connectors: Sequence[str] = CRM,
    enabling: Mapping[str, Any] | None = None,
    **variables: Any,
) -> Built:
    """Build models with all that they need, or every staging model and emitter when none is named.

    enabling: variables that decide which models are enabled.
    """
    fixed = {"connectors": list(connectors), "unmapped_status": "quarantine", **(enabling or {})}
    everything = [
        "field_map",
        "path:models/staging",
        *(f"path:models/intermediate/input/{name}" for name in connectors),
    ]
    run_dbt(
        ["build", "--exclude-resource-type", "test", "--select", *([f"+{name}" for name in models] or everything)],
        duckdb_path=path,
        variables={**fixed, **variables},
    )
    return Built(path)


def builder(run_dbt: RunDbt, path: Path, connectors: Sequence[str]) -> Callable[..., Built]:
    """`build` on given tables, besides the least that the connectors need."""

    def build_tables(tables: Tables, *models: str, **variables: Any) -> Built:
        least = {table: content for table, content in REQUIRED.items() if table.split(".")[0] in connectors}
        load(path, {**least, **tables})
        return build(run_dbt, path, models, connectors, **variables)

    return build_tables


# --- the sample files of a real loader --------------------------------------------------------------------------------
def sample_files(samples: Path) -> dict[str, Path]:
    """`schema.table` -> file."""
    return {
        f"{folder}.{file.name.removesuffix('_data.csv').removeprefix('sf_')}": file
        for folder in CRM
        for file in sorted((samples / folder).glob("*_data.csv"))
    }


def load_samples(path: Path, samples: Path, *, as_text: bool = True) -> None:
    """A new warehouse with all sample files, every column as text or with the types that DuckDB finds in it.

    Identifiers stay text either way: 001 is not 1.
    """
    path.unlink(missing_ok=True)
    with duckdb.connect(path) as connection:
        for table, file in sample_files(samples).items():
            header = file.read_text(encoding="utf-8").splitlines()[0].split(",")
            identifiers = {column: "varchar" for column in header if column.endswith("id") or column == "vid_to_merge"}
            types = "all_varchar = true" if as_text else f"types = {identifiers}"
            schema, name = table.split(".")
            connection.execute(f"create schema if not exists {schema}")
            connection.execute(f"create table {schema}.\"{name}\" as from read_csv('{file}', header = true, {types})")


def camel_case(column: str) -> str:
    """The API name behind a column of Fivetran: created_date -> CreatedDate, region_c -> Region__c."""
    if column.startswith("_fivetran"):
        return column
    words = column.removesuffix("_c").split("_")
    return "".join(word.capitalize() for word in words) + ("__c" if column.endswith("_c") else "")


def rename_to_camel_case(path: Path, schema: str) -> None:
    """Rename all columns of a schema to the spelling of the CRM's own API."""
    with duckdb.connect(path) as connection:
        tables = connection.execute(
            "select table_name, list(column_name) from information_schema.columns where table_schema = ? group by 1",
            [schema],
        ).fetchall()
        for table, columns in tables:
            names = [camel_case(column) for column in columns]
            # netsuite_id_c and net_suite_id_c cannot both be NetSuiteId__c; none of ours is among such pairs.
            kept = {name.lower(): f'"{column}" as "{name}"' for column, name in zip(columns, names, strict=True)}
            connection.execute(
                f'create or replace table {schema}."{table}" as select {", ".join(kept.values())} from {schema}."{table}"'
            )
