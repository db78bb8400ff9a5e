"""Builds the project `contract_project` on given rows of the input contract, and reads what came out.

The project is copied to a temporary folder first, so that a test may give it policies of its own.
"""

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import yaml
from oracle import Policies, Row, Settings, Tables

ROOT = Path(__file__).resolve().parents[2]
CONTRACT_PROJECT = Path(__file__).parent / "contract_project"
SHIPPED_POLICIES = ROOT / "seeds" / "policy"
OWN_POLICIES = (
    "status_map",
    "stage_authority",
    "recycle_rule",
    "qualified_opportunity_rule",
    "conversion_definition",
    "shared_mailbox",
    "sales_contact_rule",
)
DUCKDB_TYPES = {"string": "varchar"}


def contract_columns() -> dict[str, dict[str, str]]:
    """Column -> type of every entity of the input contract, as the project's YAML declares it."""
    path = ROOT / "models" / "intermediate" / "input" / "_input.yml"
    contract = {}
    for model in yaml.safe_load(path.read_text(encoding="utf-8"))["models"]:
        if model["name"].endswith("_checked"):
            contract[model["name"].removeprefix("int_input__").removesuffix("_checked")] = {
                column["name"]: DUCKDB_TYPES.get(column["data_type"], column["data_type"])
                for column in model["columns"]
                if not column.get("config", {}).get("meta", {}).get("derived")
            }
    return contract


def as_json(value: Any) -> Any:
    """A cell as JSON text can hold it."""
    if isinstance(value, (datetime, date)):
        return value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def load_raw(duckdb_path: Path, tables: Tables) -> None:
    """Create the file anew with schema raw: one table an entity, columns that a row lacks are null."""
    duckdb_path.unlink(missing_ok=True)
    with duckdb.connect(duckdb_path) as connection:
        connection.execute("create schema raw")
        for entity, columns in contract_columns().items():
            declared = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
            connection.execute(f"create table raw.{entity} ({declared})")
            rows = tables.get(entity, [])
            if not rows:
                continue
            unknown = {name for row in rows for name in row} - set(columns)
            assert not unknown, f"{entity}: {unknown} are no columns of the contract"
            lines = duckdb_path.with_suffix(".json")
            with lines.open("w", encoding="utf-8") as file:
                for row in rows:
                    file.write(json.dumps({name: as_json(row.get(name)) for name in columns}) + "\n")
            types = ", ".join(f"{name}: '{type_}'" for name, type_ in columns.items())
            connection.execute(
                f"insert into raw.{entity} by name select * from "
                f"read_json('{lines}', format = 'newline_delimited', columns = {{{types}}})"
            )
            lines.unlink()


class ContractBuild:
    """The copied project; each build gets a warehouse of its own."""

    def __init__(self, run_dbt: Callable[..., Any], folder: Path) -> None:
        self.run_dbt = run_dbt
        self.project_dir = folder / "contract_project"
        shutil.copytree(CONTRACT_PROJECT, self.project_dir, ignore=shutil.ignore_patterns("dbt_packages", "target"))
        packages = self.project_dir / "dbt_packages"
        packages.mkdir()
        (packages / "leadlag").symlink_to(ROOT, target_is_directory=True)
        (packages / "dbt_utils").symlink_to(ROOT / "dbt_packages" / "dbt_utils", target_is_directory=True)
        (self.project_dir / "packages.yml").write_text(f"packages:\n  - local: {ROOT}\n", encoding="utf-8")

    def write_policies(self, policies: Policies) -> None:
        """Make these policies the project's own."""
        seeds = self.project_dir / "seeds"
        seeds.mkdir(exist_ok=True)
        for name in OWN_POLICIES:
            with (seeds / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, fieldnames=list(policies[name][0]))
                writer.writeheader()
                writer.writerows(policies[name])

    def build(
        self,
        duckdb_path: Path,
        tables: Tables,
        settings: Settings,
        policies: Policies | None = None,
        select: Sequence[str] = (),
        flags: Sequence[str] = (),
        with_tests: bool = False,
    ) -> "Warehouse":
        """Load the rows, run the selected models with all above them (all when none is named), and open the result.

        flags: further words of the dbt command line, such as GROUND_ONLY.

        with_tests: run the project's data tests too; one that fails fails the test.
        """
        duckdb_path.parent.mkdir(parents=True, exist_ok=True)
        load_raw(duckdb_path, tables)
        if policies is not None:
            self.write_policies(policies)
        variables = {
            "own_policies": policies is not None,
            "as_of": None if settings.as_of is None else settings.as_of.isoformat(sep=" "),
            "business_timezone": settings.business_timezone,
        }
        without = ["unit_test", "snapshot", *([] if with_tests else ["test"])]
        arguments = ["build", "--exclude-resource-type", *without, *flags]
        if select:
            arguments += ["--select", *(f"+{name}" for name in select)]
        run = {"duckdb_path": duckdb_path, "project_dir": self.project_dir, "variables": variables}
        self.run_dbt(arguments, **run)
        return Warehouse(duckdb_path)


class Warehouse:
    """A built DuckDB file; relations are found by name, whatever their schema."""

    def __init__(self, duckdb_path: Path) -> None:
        self.path = duckdb_path

    def relations(self, schema_ending: str = "") -> list[str]:
        """Names of all tables and views in schemas with this ending."""
        query = "select distinct table_name from information_schema.tables where table_schema like ? order by 1"
        return [row["table_name"] for row in self.rows(query, [f"%{schema_ending}"])]

    def read(self, relation: str) -> list[dict[str, Any]]:
        """All rows of a relation outside schema raw."""
        found = self.rows(
            "select table_schema from information_schema.tables where table_name = ? and table_schema <> 'raw'",
            [relation],
        )
        assert len(found) == 1, f"{relation} is in {len(found)} schemas"
        return self.rows(f"select * from {found[0]['table_schema']}.{relation}")

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The answer to a query, a dictionary a row."""
        with duckdb.connect(self.path, read_only=True) as connection:
            cursor = connection.execute(query, list(parameters))
            names = [column[0] for column in cursor.description or []]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def truncated(tables: Tables, as_of: datetime) -> dict[str, list[Row]]:
    """The rows that had been recorded by a time."""
    return {
        entity: [row for row in rows if (known := row["recorded_at"] or row["occurred_at"]) is None or known <= as_of]
        for entity, rows in tables.items()
    }
