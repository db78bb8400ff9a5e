"""Costs of forecasts on made-up journeys, in CPU seconds and peak memory, as a Markdown table.

usage: python scripts/bench_forecast.py JOURNEYS

Journeys of three years with known rates are made in memory, in 200 segments (20 regions, 10 product lines) or in one. Then the
companion's own functions run on them: a forecast of all segments, two quarters ahead, with its 78 earlier origins; a full back-test
of 104 weekly origins with all horizons and methods, and the variance of its months; and the probabilities of a million journeys more,
which are open. Every step is a process of its own, measured by what
the operating system charges it, numpy and pandas included; the making of the journeys alone stands beside.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import subprocess
import sys
import time

import numpy as np
from leadlag.calibrate.chances import open_journeys
from leadlag.forecast.accuracy import month_starts, variances
from leadlag.forecast.backtest import Backtest, records
from leadlag.forecast.journeys import ENDED, WON, Events
from leadlag.forecast.periods import Outlook

BEGIN, DAYS = 19_000, 1_096
REGIONS, LINES = 20, 10
STEPS = {
    "journeys alone": ("nothing", REGIONS * LINES),
    "forecast of 200 segments": ("forecast", REGIONS * LINES),
    "forecast of one segment": ("forecast", 1),
    "back-test: 104 origins, 5 measures, 3 horizons, 7 methods": ("backtest", REGIONS * LINES),
    "back-test of one segment": ("backtest", 1),
    "probabilities of 1,000,000 open journeys": ("open", REGIONS * LINES),
}
OPEN = 1_000_000


def company(journeys: int, segments: int) -> Events:
    """Journeys that begin evenly over three years: each passes a stage with chance 0.55 after a mean of 12 days, or ends after 25."""
    rng = np.random.default_rng(1)
    segment = rng.integers(0, segments, journeys)
    number, stage = np.arange(journeys), np.zeros(journeys, dtype=np.int64)
    moment = BEGIN + rng.uniform(0, DAYS, journeys)
    rows = []
    while len(number):
        rows.append((number, stage, moment))
        on = (rng.uniform(size=len(number)) < 0.55) & (stage < WON)
        moment = moment + rng.gamma(1.5, np.where(on, 12, 25) / 1.5)
        stage = np.where(on, stage + 1, ENDED)
        over = stage >= WON
        rows.append((number[over], stage[over], moment[over]))
        number, stage, moment = number[~over], stage[~over], moment[~over]
    journey, code, when = (np.concatenate([row[i] for row in rows]) for i in range(3))
    kept = when < BEGIN + DAYS
    journey, code, when = journey[kept], code[kept], when[kept]
    order = np.lexsort((code, when, journey))
    amount = np.where(code[order] == WON, rng.gamma(2, 5_000, len(order)), 0.0)
    names = tuple((f"region {n // LINES}", f"line {n % LINES}") for n in range(segments))
    return Events(journey[order], segment[journey[order]], code[order], when[order], when[order], amount, names)


def with_open(events: Events) -> Events:
    """The same and journeys of the last year that have been in one stage ever since."""
    rng = np.random.default_rng(2)
    when = BEGIN + DAYS - rng.uniform(0, 365, OPEN)
    return dataclasses.replace(
        events,
        journey=np.r_[events.journey, events.journey.max() + 1 + np.arange(OPEN)],
        segment=np.r_[events.segment, rng.integers(0, len(events.segments), OPEN)],
        code=np.r_[events.code, rng.integers(0, WON, OPEN)],
        time=np.r_[events.time, when],
        known=np.r_[events.known, when],
        amount=np.r_[events.amount, np.zeros(OPEN)],
    )


def step(name: str, journeys: int) -> None:
    """Run one step in this process and print what it cost."""
    what, segments = STEPS[name]
    events, end = company(journeys, segments), float(BEGIN + DAYS)
    if what == "forecast":
        rows = sum(1 for _ in Outlook(events, end).predictions())
    elif what == "backtest":
        plan = Backtest(events, end)
        judged = plan.run()
        rows = len(judged) + len(records(judged))
        rows += sum(1 for start in month_starts(plan.origins[0], end) for _ in variances(events, start, end))
    elif what == "open":
        rows = len(open_journeys(with_open(events), end).journey)
    else:
        rows = len(events)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"rows": rows, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / 1024}))


def main() -> None:
    """Measure all steps and print the table."""
    journeys = int(sys.argv[1])
    if len(sys.argv) == 3:
        step(sys.argv[2], journeys)
        return
    print(f"{journeys:,} journeys\n")
    print("| | rows | wall s | CPU s | peak MB |\n|---|---|---|---|---|")
    for name in STEPS:
        began = time.perf_counter()
        command = [sys.executable, __file__, str(journeys), name]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        wall = time.perf_counter() - began
        print(f"| {name} | {found['rows']:,} | {wall:.0f} | {found['cpu']:.0f} | {found['peak']:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
