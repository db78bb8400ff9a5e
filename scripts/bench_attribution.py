"""Costs of the attribution models on made-up paths, in CPU seconds and peak memory.

usage: python scripts/bench_attribution.py TOUCHES

The paths are made in DuckDB; then dbt runs the project's own models for wins on them: on no models, which is dbt's own
share; all heuristic models of the seeds in one pass; Shapley alone; Markov alone, with its 20 samples for intervals; and
all marts of attribution with all models. Beside it, in a virtual environment of its own and never a dependency, the PyPI
package ChannelAttribution on the same paths: first, last and linear touch, and Markov order 1 simulated until its error is
below 1 % as it judges that itself; then how far from the exact shares it is, and what coming within 1 % of them costs. It gives
sums a channel; the project's steps give those too when nothing is opened or written: row "sums a channel" is their compiled SQL
without dbt, and one exact chain; row "touches numbered" is what bringing the touches into order costs alone. Every row is a
process of its own, measured by what the operating system charges it, with LEADLAG_DUCKDB_MEMORY_LIMIT at 1GB unless it is set,
and 1.7 GB where DuckDB runs without dbt. Files go to .cache/bench/attribution.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
from bench import BENCH, Cost, measure

FOLDER = BENCH / "attribution"
CREDIT = ["leadlag.intermediate.attribution,+fct_attribution_credit", "fct_attribution_credit"]
ALL = [
    "leadlag.intermediate.attribution",
    "leadlag.marts.attribution",
    "--exclude",
    *("int_attribution__conversion_value", "channel_day", "int_attribution__channel_sum", "channel_return"),
    *("int_attribution__spend_month+", "int_attribution__channel_response+", "channel_lift"),
]
RUNS = {
    "dbt on no models": ("false", CREDIT),
    "heuristic models": ("method not in ('markov', 'shapley')", CREDIT),
    "Shapley": ("method = 'shapley'", CREDIT),
    "Markov": ("method = 'markov'", CREDIT),
    "all marts": ("true", ALL),
}
SEEDS = ["attribution_model", "attribution_position", "attribution_channel_weight", "channel_rule"]
CHANNELS = 12

# Two years of journeys with 1 to 15 touches, of which one in five converts; some channels are met more often than others.
PATHS = f"""
create schema if not exists main_marts;
create schema if not exists main_intermediate;
create or replace table main_marts.fct_journey as
    select
        range as journey_key, range as person_key,
        timestamp '2024-01-01' + to_hours(cast(hash(range, 1) % 17000 as integer)) + interval 60 day as ended_at,
        case when hash(range, 2) % 5 = 0 then ended_at end as won_at,
        ended_at - interval 50 day as inquiry_at, ended_at - interval 45 day as mql_at, null::timestamp as sal_at,
        ended_at - interval 30 day as sql_at, ended_at - interval 20 day as opportunity_at,
        1 + hash(range, 3) % 15 as touch_count
    from range({{journeys}});
create or replace table main_marts.fct_touchpoint as
    select
        journey_key * 16 + number as touchpoint_key, journey_key,
        ended_at - to_minutes(cast(hash(journey_key, number, 4) % 86400 as integer)) as occurred_at, 'email' as touchpoint_type,
        'channel ' || cast(floor({CHANNELS} * power(hash(journey_key, number, 5) % 100000 / 100000.0, 2)) as integer) as channel,
        hash(journey_key, number, 6) % 4 = 0 as is_paid, null::bigint as campaign_key,
        'person' as traffic
    from (select *, unnest(range(cast(touch_count as bigint))) as number from main_marts.fct_journey);
create or replace table main_marts.fct_opportunity as
    select journey_key, true as is_counted, won_at, 100.00::decimal(18, 2) as amount, 'EUR' as currency_code,
        100.00::decimal(18, 2) as amount_base from main_marts.fct_journey where won_at is not null;
create or replace table main_marts.dim_date as
    select day::date as date_day, date_trunc('quarter', day)::date as quarter_start
    from generate_series(date '2023-01-01', date '2026-12-31', interval 1 day) as days (day);
create or replace table main_intermediate.int_input__clock as
    select timestamp '2026-06-30' as as_of, date '2026-06-30' as as_of_date;
create or replace table main_intermediate.int_kpi__opportunity as
    select journey_key, won_at::date as won_date, 50.0::double as gross_margin from main_marts.fct_opportunity;
create or replace table main_policy.shipped_model as from main_policy.attribution_model where milestone = 'won';
"""

# What no way through SQL can do without: the touches in the order of their journeys.
NUMBERED = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
connection.execute("set memory_limit = '1700MB'; set enable_progress_bar = false")
order = "partition by journey_key order by occurred_at, touchpoint_key"
connection.execute(f"select max(n) from (select row_number() over ({order}) as n from main_marts.fct_touchpoint)").fetchall()
"""

# Runs with the warehouse, the folder of the compiled models and a file for the exact shares as arguments; its tables are in memory.
SUMS = """
import json, pathlib, sys, time
import duckdb
import numpy as np

started = time.process_time()
connection = duckdb.connect(sys.argv[1], read_only=True)
connection.execute("set memory_limit = '1700MB'; set enable_progress_bar = false")

def make(name):
    sql = pathlib.Path(sys.argv[2], name + ".sql").read_text().replace('"leadlag"."main_intermediate"."int_attribution', '"int_attribution')
    connection.execute(f"create temp table {name} as {sql}")

for name in ("model", "outcome", "touch"):
    make("int_attribution__" + name)
touched = time.process_time()
make("int_attribution__path")
connection.execute('''
    with place as (
        select journey_key, min(touch_number) as first, max(touch_number) as last, count(*) as touches
        from int_attribution__path group by journey_key
    )
    select channel, sum(case when touch_number = first then 1 end), sum(case when touch_number = last then 1 end), sum(1 / touches)
    from int_attribution__path inner join place using (journey_key) group by channel
''').fetchall()
heuristic = time.process_time()
make("int_attribution__transition")
steps = connection.execute(
    "select from_channel, to_channel, sum(step_count)::double from int_attribution__transition group by all"
).fetchall()
names = ["(start)", *sorted({name for step in steps for name in step[:2] if name[0] != "("}), "(converted)", "(lost)"]
counts = np.zeros((len(names), len(names)))
for one, other, count in steps:
    counts[names.index(one), names.index(other)] = count
chain = counts[:-2] / counts[:-2].sum(axis=1, keepdims=True)
rates = []
for removed in [None, *range(1, len(names) - 2)]:
    kept = chain.copy()
    if removed is not None:
        kept[:, removed] = kept[removed] = 0
    rates.append(np.linalg.solve(np.eye(len(names) - 2) - kept[:, :-2], kept[:, -2])[0])
effect = 1 - np.array(rates[1:]) / rates[0]
markov = time.process_time()
pathlib.Path(sys.argv[3]).write_text(json.dumps(dict(zip(names[1:-2], effect / effect.sum()))))
print(f"  of that: touches {touched - started:.1f}, first, last, linear {heuristic - touched:.1f}, Markov {markov - heuristic:.1f} s CPU")
"""

# Runs with the warehouse and the file of the exact shares as arguments, in the environment of the package. By itself it walks no
# further than the longest path, which takes from channels that lie far from the end.
PACKAGE = """
import json, pathlib, sys, time, duckdb
import ChannelAttribution as ca

started = time.process_time()
paths = duckdb.connect(sys.argv[1], read_only=True).execute('''
    select path, sum(won) as conversions, sum(1 - won) as nulls
    from (
        select string_agg(channel, ' > ' order by occurred_at, touchpoint_key) as path,
            cast(any_value(won_at) is not null as integer) as won
        from main_marts.fct_touchpoint inner join main_marts.fct_journey using (journey_key)
        group by journey_key
    ) group by path
''').df()
made = time.process_time()
ca.heuristic_models(paths, "path", "conversions", flg_pro=False)
heuristic = time.process_time()
print(f"  of that: paths {made - started:.1f}, first, last, linear {heuristic - made:.1f} s CPU")
exact = json.loads(pathlib.Path(sys.argv[2]).read_text())
judged = sys.argv[3] == "judged"
for accuracy, steps in ((0.01, None), *(((again, 1000) for again in (0.01, 0.005, 0.0025, 0.00125)) if judged else ())):
    begun = time.process_time()
    found = ca.markov_model(
        paths, "path", "conversions", var_null="nulls", order=1, conv_par=accuracy, max_step=steps, verbose=False, flg_pro=False
    )
    spent = time.process_time() - begun
    share = dict(zip(found["channel_name"], found["total_conversions"] / found["total_conversions"].sum()))
    error = max(abs(share[name] / exact[name] - 1) for name in exact)
    print(f"  Markov until {accuracy:.2%} as it judges, steps {steps}: {spent:.1f} s CPU, a share is up to {error:.1%} off", flush=True)
    if error < 0.01:
        break
"""


def package_python() -> Path | None:
    """A Python with the package ChannelAttribution; none where it cannot be installed."""
    folder = FOLDER / "package"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    # It imports matplotlib without naming it.
    install = [str(python), "-m", "pip", "install", "--quiet", "ChannelAttribution", "duckdb", "matplotlib", "pandas"]
    done = subprocess.run(install, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"ChannelAttribution cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
        return None
    return python


def told(name: str, cost: Cost) -> None:
    print(f"  {name:<20}{cost.wall:8.1f} s wall{cost.cpu:8.1f} s CPU{cost.peak_mb:8.0f} MB peak", flush=True)


def main() -> None:
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        raise SystemExit(__doc__)
    os.environ.setdefault("LEADLAG_DUCKDB_MEMORY_LIMIT", "1GB")
    journeys = max(int(sys.argv[1]) // 8, 1)
    warehouse = FOLDER / "leadlag.duckdb"
    shutil.rmtree(FOLDER / "target", ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    warehouse.unlink(missing_ok=True)
    # No dbt command of this project runs without raw tables.
    measure([sys.executable, "-m", "leadlag", "simulate", "--leads", "10", "--quiet"], warehouse)
    measure(["dbt", "--quiet", "seed", "--select", *SEEDS], warehouse)
    with duckdb.connect(str(warehouse)) as connection:
        for statement in PATHS.format(journeys=journeys).split(";"):
            connection.execute(statement)
        touches, paths = connection.execute(
            "select count(*), count(distinct journey_key) from main_marts.fct_touchpoint"
        ).fetchall()[0]
    print(f"{touches} touches on {paths} paths, {CHANNELS} channels")
    costs = {}
    for name, (models, selected) in RUNS.items():
        with duckdb.connect(str(warehouse)) as connection:
            connection.execute("delete from main_policy.attribution_model")
            connection.execute(
                f"insert into main_policy.attribution_model from main_policy.shipped_model where {models}"
            )
        costs[name] = measure(["dbt", "--quiet", "run", "--select", *selected], warehouse)
        told(name, costs[name])
    own = costs["dbt on no models"].cpu
    heuristic = costs["heuristic models"].cpu - own
    print(
        f"  heuristic models without dbt's share: {heuristic:.1f} s CPU, {touches / heuristic / 1e6:.1f}M touches a CPU second"
    )
    compiled = FOLDER / "target" / "compiled" / "leadlag" / "models" / "intermediate" / "attribution"
    four = "method = 'markov' or attribution_model in ('first_touch', 'last_touch', 'linear')"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("delete from main_policy.attribution_model")
        connection.execute(f"insert into main_policy.attribution_model from main_policy.shipped_model where {four}")
    told("touches numbered", measure([sys.executable, "-c", NUMBERED, str(warehouse)], warehouse))
    exact = FOLDER / "exact.json"
    told("sums a channel", measure([sys.executable, "-c", SUMS, str(warehouse), str(compiled), str(exact)], warehouse))
    python = package_python()
    if python is not None:
        package = [str(python), "-c", PACKAGE, str(warehouse), str(exact)]
        told("ChannelAttribution", measure([*package, "alone"], warehouse))
        measure([*package, "judged"], warehouse)


if __name__ == "__main__":
    main()
