"""Play the loader: keep back what it delivered from a day on, and deliver it after a build, as the next day would.

usage: python scripts/next_day.py hold DAY     take the rows out of the raw tables of the profile's target
       python scripts/next_day.py deliver      put them back; prints how many rows they are
       python scripts/next_day.py persons      prints the persons that the last build recomputed, and all persons
"""

import json
import sys
from datetime import date

from leadlag.simulate.tables import SCHEMAS
from leadlag.warehouse import Warehouse, opened, quote

STAMPS = ("_fivetran_synced", "_loaded_at")
HOLDING = "holding"


def held(table: str) -> str:
    return f"{HOLDING}.{quote(table)}"


def count(warehouse: Warehouse, rows: str) -> int:
    return int(warehouse.query(f"select count(*) as row_count from {rows}")["row_count"][0])


def hold(warehouse: Warehouse, day: date) -> None:
    warehouse.execute(f"create schema {HOLDING}")
    for table, columns in SCHEMAS.items():
        for stamp in set(STAMPS) & set(columns.names):
            rows = f"from {table} where {stamp} >= timestamp '{day} 00:00:00'"
            warehouse.execute(f"create table {held(table)} as select * {rows}")
            warehouse.execute(f"delete {rows}")
    warehouse.finish()


def deliver(warehouse: Warehouse) -> int:
    tables = warehouse.tables(HOLDING)
    delivered = sum(count(warehouse, held(table)) for table in tables)
    for table in tables:
        warehouse.execute(f"insert into {table} select * from {held(table)}")
    warehouse.execute(f"drop schema {HOLDING} cascade")
    warehouse.finish()
    return delivered


def persons(warehouse: Warehouse) -> tuple[int, int]:
    """Persons recomputed by the last build, and all."""
    last = "build_number = (select max(build_number) from main_build.build)"
    return count(warehouse, f"main_intermediate.int_increment__person where {last}"), count(
        warehouse, "main_marts.dim_person"
    )


def main(arguments: list[str]) -> None:
    with opened() as warehouse:
        match arguments:
            case ["hold", day]:
                hold(warehouse, date.fromisoformat(day))
            case ["deliver"]:
                print(deliver(warehouse))
            case ["persons"]:
                print(json.dumps(persons(warehouse)))
            case _:
                raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
