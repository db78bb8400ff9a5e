"""Made-up companies whose rates of leaving a stage are known: the truth that forecasts are tried on."""

import numpy as np
from leadlag.forecast.journeys import ENDED, STAGES, WON, Events

# Days since 1970 of 2022-01-01, a Saturday.
BEGIN = 18_993


def firm(seed: int, days: int = 1_370) -> Events:
    """Events of a company over so many days.

    New journeys come with a trend, a season of the year and quiet weekends. From each stage they go to the next one or end, each with
    a share and gamma-distributed delays of its own. Everything is recorded within a day.
    """
    rng = np.random.default_rng(seed)
    day = np.arange(days)
    level = rng.uniform(6, 30)
    growth = rng.uniform(-0.1, 0.35)
    season = 1 + rng.uniform(0.05, 0.3) * np.sin(2 * np.pi * (day / 365.25 + rng.uniform()))
    weekday = np.where((BEGIN + day + 3) % 7 < 5, 1.25, 0.35)
    arrivals = rng.poisson(level * (1 + growth) ** (day / 365.25) * season * weekday)
    count = int(arrivals.sum())
    time = BEGIN + np.repeat(day, arrivals) + rng.uniform(0.3, 0.8, count)
    journey = np.arange(count)
    stage = np.where(rng.uniform(size=count) < rng.uniform(0, 0.3), 1, 0)
    go_on, wait, wait_lost = rng.uniform(0.35, 0.75, 5), rng.uniform(3, 35, 5), rng.uniform(8, 70, 5)
    shape = rng.uniform(0.7, 2.5, 5)
    rows = []
    while len(journey):
        rows.append((journey, stage, time))
        on = rng.uniform(size=len(journey)) < go_on[stage]
        mean = np.where(on, wait[stage], wait_lost[stage])
        time = time + rng.gamma(shape[stage], mean / shape[stage])
        code = np.where(on, stage + 1, ENDED)
        over = code >= WON
        rows.append((journey[over], code[over], time[over]))
        journey, stage, time = journey[~over], code[~over], time[~over]
    number, code, moment = (np.concatenate([row[i] for row in rows]) for i in range(3))
    happened = moment < BEGIN + days
    number, code, moment = number[happened], code[happened], moment[happened]
    order = np.lexsort((code, moment, number))
    assert len(STAGES) == WON
    segment = np.zeros(len(order), dtype=np.int64)
    known = moment[order] + rng.uniform(0, 0.2, len(order))
    amount = np.where(code[order] == WON, rng.gamma(2, 5_000, len(order)), 0.0)
    return Events(
        number[order].astype(np.int64),
        segment,
        code[order].astype(np.int64),
        moment[order],
        known,
        amount,
        (("all", "all"),),
    )
