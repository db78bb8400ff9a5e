"""Writes docs/kpi_glossary.md from the KPI seeds.

usage: python scripts/kpi_glossary.py [--check]     --check: writes nothing; exit code 1 when the page is not up to date
"""

import csv
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "kpi_glossary.md"
PERSPECTIVES = {
    "financial": "Financial",
    "customer": "Customer",
    "internal_process": "Internal process",
    "learning_and_growth": "Learning and growth",
}
RESPONSIBILITIES = ["accountable", "responsible", "consulted", "informed"]


def seed(name: str) -> list[dict[str, str]]:
    with (ROOT / "seeds" / "policy" / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def page() -> str:
    kpis, raci = seed("kpi"), seed("kpi_raci")
    lines = [
        "{% docs kpi_glossary %}",
        "",
        "# KPIs",
        "",
        "Made from seeds `kpi` and `kpi_raci` by `make glossary`. Values: `fct_kpi`. Better is higher unless an arrow says otherwise (↓).",
    ]
    for perspective, title in PERSPECTIVES.items():
        lines += ["", f"## {title}", "", "| KPI | question | formula | unit | indicator |", "|---|---|---|---|---|"]
        for row in kpis:
            if row["perspective"] == perspective:
                arrow = " ↓" if row["direction"] == "lower" else ""
                note = "" if row["status"] == "active" else f" ({row['status']})"
                name = f"**{row['kpi_name']}**{arrow}{note} `{row['kpi']}` v{row['version']}"
                lines.append(
                    f"| {name} | {row['question']} | {row['formula']} | {row['unit']} | {row['indicator_type']} |"
                )
    lines += ["", "## RACI", "", f"| KPI | {' | '.join(RESPONSIBILITIES)} |", "|---|---|---|---|---|"]
    for kpi in dict.fromkeys(row["kpi"] for row in kpis):
        roles = [
            ", ".join(sorted(r["role"] for r in raci if r["kpi"] in ("*", kpi) and r["responsibility"] == duty))
            for duty in RESPONSIBILITIES
        ]
        lines.append(f"| `{kpi}` | {' | '.join(roles)} |")
    return "\n".join([*lines, "", "{% enddocs %}", ""])


def main() -> None:
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
            raise SystemExit("glossary: docs/kpi_glossary.md is not what the seeds say; run `make glossary`")
    else:
        PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
