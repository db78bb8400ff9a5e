"""docs/practices.md names only what exists."""

import re
from pathlib import Path

from conftest import ROOT, RunDbt


def test_practices_name_what_exists(run_dbt: RunDbt, warehouse: Path) -> None:
    run = run_dbt(["parse"], duckdb_path=warehouse)
    assert run.manifest is not None
    names = {node.name for node in run.manifest.nodes.values()} | {macro.name for macro in run.manifest.macros.values()}
    columns = {column for node in run.manifest.nodes.values() for column in node.columns} | {
        header
        for path in (ROOT / "seeds" / "policy").glob("*.csv")
        for header in path.read_text().split("\n")[0].split(",")
    }
    seeds = ROOT / "seeds" / "policy"
    definitions = "".join(
        (seeds / f"{name}.csv").read_text() for name in ("conversion_definition", "kpi", "kpi_target")
    )
    rows = [line for line in (ROOT / "docs" / "practices.md").read_text().split("\n") if re.match(r"\| L[CL]\d", line)]
    assert len(rows) >= 13
    for row in rows:
        _, identifier, _, where, how, _ = (cell.strip() for cell in row.split("|"))
        named = re.findall(r"`([a-z_0-9.]+)`", where)
        assert named, f"{identifier} names nothing"
        for name in re.findall(r"(?:models?|seed|mart|test|macro) `([a-z_0-9]+)`", where):
            assert name in names, f"{identifier}: {name} does not exist"
        for name in named + re.findall(r"`([a-z_0-9]+)`", how):
            assert name in names | columns or name in definitions, (
                f"{identifier}: {name} is neither node nor column nor definition"
            )
