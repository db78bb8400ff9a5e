"""Raw tables for the connectors: rows as a loader would leave them, and the sample files of a real loader."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

Row = Mapping[str, Any]


def sql_type(values: Iterable[Any]) -> str:
    """DuckDB type of the first value that is not null; text when there is none."""
    for value in values:
        match value:
            case None:
                continue
            case bool():
                return "boolean"
            case int():
                return "bigint"
            case float():
                return "double"
            case datetime():
                return "timestamp" if value.tzinfo is None else "timestamptz"
            case date():
                return "date"
            case _:
                return "varchar"
    return "varchar"


def load_rows(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Row]) -> None:
    """Create `schema.table` from dictionaries; a column that a row lacks is null."""
    schema, name = table.split(".")
    columns = list(dict.fromkeys(column for row in rows for column in row))
    types = {column: sql_type(row.get(column) for row in rows) for column in columns}
    connection.execute(f"create schema if not exists {schema}")
    definition = ", ".join(f'"{column}" {types[column]}' for column in columns)
    connection.execute(f'create or replace table {schema}."{name}" ({definition})')
    if rows:
        places = ", ".join("?" for _ in columns)
        connection.executemany(
            f'insert into {schema}."{name}" values ({places})',
            [[row.get(column) for column in columns] for row in rows],
        )


def load_all(path: Path, tables: Mapping[str, Sequence[Row]]) -> None:
    """A new warehouse with these tables."""
    path.unlink(missing_ok=True)
    with duckdb.connect(path) as connection:
        for table, rows in tables.items():
            load_rows(connection, table, rows)


def sample_files(samples: Path) -> dict[str, Path]:
    """`schema.table` -> file of the samples; the files are named after the tables of the loader's own tests."""
    return {
        f"{folder}.{file.name.removesuffix('_data.csv').removeprefix('sf_')}": file
        for folder in ("salesforce", "hubspot")
        for file in sorted((samples / folder).glob("*_data.csv"))
    }


def load_samples(path: Path, samples: Path, *, as_text: bool) -> None:
    """A new warehouse with all sample files, every column as text or with the types that DuckDB finds.

    Identifiers stay text either way: 001 is not 1.
    """
    path.unlink(missing_ok=True)
    with duckdb.connect(path) as connection:
        for table, file in sample_files(samples).items():
            schema, name = table.split(".")
            connection.execute(f"create schema if not exists {schema}")
            header = file.open(encoding="utf-8").readline().strip().split(",")
            identifiers = {
                column: "varchar" for column in header if column.endswith("id") or column in ("vid_to_merge",)
            }
            types = "all_varchar = true" if as_text else f"types = {identifiers}"
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
        columns = connection.execute(
            "select table_name, column_name from information_schema.columns where table_schema = ?", [schema]
        ).fetchall()
        taken = {(table, column.lower()) for table, column in columns}
        for table, column in columns:
            name = camel_case(column)
            # netsuite_id_c and net_suite_id_c cannot both be NetSuiteId__c; none of ours is among such pairs.
            if name == column or (name.lower() != column.lower() and (table, name.lower()) in taken):
                continue
            taken.add((table, name.lower()))
            # A change of case only is no change for DuckDB: it goes by another name.
            connection.execute(f'alter table {schema}."{table}" rename column "{column}" to "renamed {column}"')
            connection.execute(f'alter table {schema}."{table}" rename column "renamed {column}" to "{name}"')
