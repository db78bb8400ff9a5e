"""The definitions of a project as its files say them now: rows of seeds, and the SQL that computes them."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leadlag.project import ProjectError


@dataclass(frozen=True)
class Seed:
    """What of a policy seed is under change control.

    Attributes:
        key: columns that name a row.
        deciding: columns that decide the number. Free are texts, owners, dates of review, units, minimum_volume (it decides
            whether a value is shown as reliable, not the value) and valid_to: a version is ended when the next one begins.
        is_whole: the rows of one version are one definition, so that a row more changes it.
    """

    key: tuple[str, ...]
    deciding: tuple[str, ...]
    is_whole: bool = False


# The second column of each key is the version.
SEEDS = {
    "conversion_definition": Seed(
        ("conversion_definition", "version", "scope_region", "scope_product_line"),
        (
            *("from_milestone", "to_milestone", "basis", "window_days", "time_basis"),
            *("recycled_policy", "skipped_policy", "maturity_days", "valid_from"),
        ),
        is_whole=True,
    ),
    "kpi": Seed(
        ("kpi", "version"), ("statistic", "numerator_measure", "denominator_measure", "weight_scheme", "valid_from")
    ),
    "kpi_component": Seed(("kpi", "version", "component_kpi"), ("exponent",), is_whole=True),
    "kpi_variant": Seed(
        ("kpi", "version", "variant"),
        ("region", "product_line", "numerator_measure", "denominator_measure", "valid_from"),
    ),
    "attribution_model": Seed(
        ("attribution_model", "version", "milestone"),
        ("method", "eligible_touches", "lookback_days", "half_life_days", "training_quarters"),
    ),
    "attribution_position": Seed(("attribution_model", "version", "position"), ("share",), is_whole=True),
    "attribution_channel_weight": Seed(("attribution_model", "version", "channel"), ("weight",), is_whole=True),
}
# What has versions, where a seed's name does not say it.
SUBJECTS = {
    "conversion_definition": "conversion_definition",
    "attribution_model": "attribution_model",
    "attribution_position": "attribution_model",
    "attribution_channel_weight": "attribution_model",
}

# Behind these, SQL does not define a number: connectors deliver the rows of the contract, policy models check the seeds,
# increments decide only which rows are computed anew.
OUTSIDE = {"staging", "input", "policy", "increment"}
OUTSIDE_MACROS = ("macros/increment/", "macros/operations/")
# Where a macro has one implementation an engine.
ENGINES = ("default", "duckdb", "postgres", "spark")
VALUES = ("int_kpi__value", "int_kpi__product")
MEASURES = "int_kpi__measure"
CONVERSIONS = ("int_conversion__entry", "fct_conversion")
CREDIT = ("fct_attribution_credit",)

_TOKEN = re.compile(
    r"""(?P<dropped>\{\#.*?\#\}|--[^\n]*|/\*.*?\*/|\s+)|(?P<text>'(?:[^']|'')*'|"[^"]*")|(?P<word>\w+|.)""", re.DOTALL
)


@dataclass(frozen=True)
class Definition:
    """One row of a seed that is in force, will be, or was.

    Attributes:
        seed: its seed.
        row: the values of its key, as text.
        values: deciding column -> text; empty for an empty cell.
        path: file of the seed, for messages.
        is_active: new periods or entries are computed with it: neither retired nor ended.
    """

    seed: str
    row: tuple[str, ...]
    values: Mapping[str, str]
    path: str
    is_active: bool = True

    @property
    def name(self) -> str:
        """As the lock file has it: seed and key."""
        return f"{self.seed} {', '.join(self.row)}"

    @property
    def digest(self) -> str:
        """Of key and deciding values."""
        return digest(json.dumps([self.row, sorted(self.values.items())]))

    @property
    def subject(self) -> tuple[str, str]:
        """What has versions: the KPI, the conversion definition or the attribution model."""
        return (SUBJECTS.get(self.seed, "kpi"), self.row[0])

    @property
    def version(self) -> int:
        """Its version; 0 where the cell holds no number, which the build refuses."""
        return int(self.row[1]) if self.row[1].isdigit() else 0


@dataclass(frozen=True)
class State:
    """What the files of a project define.

    Attributes:
        definitions: by name.
        drafts: names of KPI rows that are drafts.
        sql: 'model NAME' or 'macro NAME' -> digest of its text without comments and blank space.
        paths: the same names -> file.
        computed: the same names -> subjects that are computed with it and in use.
    """

    definitions: Mapping[str, Definition]
    drafts: frozenset[str]
    sql: Mapping[str, str]
    paths: Mapping[str, str]
    computed: Mapping[str, frozenset[tuple[str, str]]]


def digest(text: str) -> str:
    """Sixteen hexadecimal digits of SHA-256: enough for changes that nobody makes to deceive."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def normalised(sql: str) -> str:
    """SQL with Jinja as its words and signs: without comments, and with one blank between them.

    What stands in quotes is kept as it is: blank space there may be part of a value.
    """
    return " ".join(match.group() for match in _TOKEN.finditer(sql) if match.group("dropped") is None)


def _by_name(manifest: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Name -> node; what the project itself has comes before what its packages have."""
    root = manifest["metadata"]["project_name"]
    nodes = [node for node in manifest["nodes"].values() if node["resource_type"] == kind]
    return {node["name"]: node for node in sorted(nodes, key=lambda node: node["package_name"] == root)}


def _read(node: Mapping[str, Any], seed: Seed) -> list[dict[str, str]]:
    path = Path(node["root_path"]) / node["original_file_path"]
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file))
    except OSError as error:
        raise ProjectError(f"cannot read seed {node['name']}: {error}") from None
    missing = [name for name in (*seed.key, *seed.deciding) if lines and name not in lines[0]]
    if missing:
        raise ProjectError(f"{path} has no column {', '.join(missing)}")
    return [{name: (value or "").strip() for name, value in line.items() if name is not None} for line in lines]


def _shown(node: Mapping[str, Any], folder: Path) -> str:
    """The path of a node's file, from the project's folder where it lies in there."""
    path = Path(node.get("root_path") or folder) / node["original_file_path"]
    return os.path.relpath(path, folder) if path.is_relative_to(folder) else str(node["original_file_path"])


def _definitions(manifest: Mapping[str, Any], folder: Path) -> tuple[dict[str, Definition], set[str]]:
    """All definitions, and the names of the drafts among them."""
    nodes = _by_name(manifest, "seed")
    missing = sorted(name for name in (*SEEDS, "kpi_measure") if name not in nodes)
    if missing:
        raise ProjectError(
            f"the project has no seed {', '.join(missing)}: neither does it use leadlag nor is it leadlag"
        )
    rows = {name: _read(nodes[name], seed) for name, seed in SEEDS.items()}
    statuses = {
        (name, row[name], row["version"]): row.get("status", "active")
        for name in ("kpi", "attribution_model")
        for row in rows[name]
    }
    definitions, drafts = {}, set()
    for name, seed in SEEDS.items():
        for row in rows[name]:
            key = tuple(row[column] for column in seed.key)
            status = statuses.get((SUBJECTS.get(name, "kpi"), key[0], key[1]), "active")
            active = status == "active" and not row.get("valid_to")
            values = {column: row[column] for column in seed.deciding}
            one = Definition(name, key, values, _shown(nodes[name], folder), active)
            definitions[one.name] = one
            if status == "draft":
                drafts.add(one.name)
    return definitions, drafts


def _upstream(models: Mapping[str, dict[str, Any]], roots: Iterable[str], stop: Iterable[str] = ()) -> set[str]:
    """Names of models that the roots are made of, themselves included, up to the input contract; `stop` is not entered."""
    by_id = {node["unique_id"]: name for name, node in models.items()}
    found: set[str] = set()
    todo = [name for name in roots if name in models]
    while todo:
        name = todo.pop()
        if name in found or name in stop or OUTSIDE & set(models[name]["fqn"]):
            continue
        found.add(name)
        todo += [by_id[parent] for parent in models[name]["depends_on"]["nodes"] if parent in by_id]
    return found


def _macros(manifest: Mapping[str, Any], ids: Iterable[str]) -> set[str]:
    """Ids of leadlag's macros that are called, directly or not, in the implementations of all engines."""
    macros = manifest["macros"]
    found: set[str] = set()
    todo = list(ids)
    while todo:
        one = todo.pop()
        macro = macros.get(one)
        outside = macro is None or str(macro["original_file_path"]).startswith(OUTSIDE_MACROS)
        if one in found or outside or macro["package_name"] != "leadlag":
            continue
        found.add(one)
        todo += macro["depends_on"]["macros"]
        todo += [f"macro.leadlag.{engine}__{macro['name']}" for engine in ENGINES]
    return found


def _made_of(
    manifest: Mapping[str, Any],
    models: Mapping[str, dict[str, Any]],
    with_measures: Iterable[str],
    definitions: Iterable[Definition],
) -> dict[tuple[str, str], set[str]]:
    """Subject -> names of the models that compute it."""
    measures = _read(_by_name(manifest, "seed")["kpi_measure"], Seed(("measure", "subject"), ()))
    kinds = {row["measure"]: row["subject"] for row in measures}
    summing = _upstream(models, VALUES, stop=with_measures)
    conversions, credit = _upstream(models, CONVERSIONS), _upstream(models, CREDIT)
    found: dict[tuple[str, str], set[str]] = {}
    parts: list[tuple[tuple[str, str], tuple[str, str]]] = []
    for one in definitions:
        made_of = found.setdefault(one.subject, set())
        if one.subject[0] == "attribution_model":
            made_of |= credit
        elif one.seed == "conversion_definition":
            made_of |= conversions
        elif one.seed == "kpi_component":
            parts.append((one.subject, ("kpi", one.row[2])))
        else:
            named = [one.values["numerator_measure"], one.values["denominator_measure"]]
            roots = {"conversion" if "." in measure else kinds.get(measure, "") for measure in named if measure}
            made_of |= summing | _upstream(models, {f"int_kpi__{kind}_measure" for kind in roots})
    for product, component in parts:
        found[product] |= found.get(component, set())
    return found


def read_state(manifest: Mapping[str, Any], folder: Path) -> State:
    """What the files of a project define.

    Args:
        manifest: of the project, as `dbt parse` wrote it.
        folder: of the project; paths in messages begin there.

    Raises:
        ProjectError: seeds are missing or cannot be read.
    """
    folder = folder.resolve()
    definitions, drafts = _definitions(manifest, folder)
    models = _by_name(manifest, "model")
    with_measures = {name for name in models if name.startswith("int_kpi__") and name.endswith("_measure")}
    active = {one.subject for one in definitions.values() if one.is_active}
    made_of = _made_of(manifest, models, with_measures, definitions.values())
    sql, paths, computed = {}, {}, {}
    for name in sorted(_upstream(models, {*VALUES, *with_measures, *CONVERSIONS, *CREDIT})):
        node = models[name]
        entry = f"model {name}"
        sql[entry], paths[entry] = digest(normalised(node["raw_code"])), node["original_file_path"]
        computed[entry] = frozenset(one for one in active if name in made_of[one])
        for macro_id in _macros(manifest, node["depends_on"]["macros"]):
            macro = manifest["macros"][macro_id]
            entry_of_macro = f"macro {macro['name']}"
            sql[entry_of_macro] = digest(normalised(macro["macro_sql"]))
            paths[entry_of_macro] = macro["original_file_path"]
            computed[entry_of_macro] = computed.get(entry_of_macro, frozenset()) | computed[entry]
    return State(definitions, frozenset(drafts), dict(sorted(sql.items())), paths, computed)
