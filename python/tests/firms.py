"""Made-up companies whose rates of leaving a stage are known: the truth that forecasts and probabilities are tried on."""

from dataclasses import dataclass

import numpy as np
from leadlag.forecast.journeys import ENDED, STAGES, WON, Events, Floats, Ints

# Days since 1970 of 2022-01-01, a Saturday.
BEGIN = 18_993


@dataclass(frozen=True)
class Funnel:
    """What becomes of journeys: the share that goes on by region and stage, mean days until they do and until they end, shape of both."""

    go_on: Floats
    wait: Floats
    wait_lost: Floats
    shape: Floats

    def walk(self, rng: np.random.Generator, region: Ints, stage: Ints, time: Floats) -> tuple[Ints, Ints, Floats]:
        """Events of journeys that begin in a stage at a time: number of the journey, code and time."""
        journey = np.arange(len(time))
        rows = []
        while len(journey):
            rows.append((journey, stage, time))
            on = rng.uniform(size=len(journey)) < self.go_on[region[journey], stage]
            mean = np.where(on, self.wait[stage], self.wait_lost[stage])
            time = time + rng.gamma(self.shape[stage], mean / self.shape[stage])
            code = np.where(on, stage + 1, ENDED)
            over = code >= WON
            rows.append((journey[over], code[over], time[over]))
            journey, stage, time = journey[~over], code[~over], time[~over]
        number, code, moment = (np.concatenate([row[i] for row in rows]) for i in range(3))
        return number, code, moment


def _company(seed: int, days: int, regions: int) -> tuple[np.random.Generator, Funnel, Ints, Ints, Floats]:
    """The generator, the funnel, and of each journey its region, first stage and beginning."""
    rng = np.random.default_rng(seed)
    day = np.arange(days)
    level = rng.uniform(6, 30)
    growth = rng.uniform(-0.1, 0.35)
    season = 1 + rng.uniform(0.05, 0.3) * np.sin(2 * np.pi * (day / 365.25 + rng.uniform()))
    weekday = np.where((BEGIN + day + 3) % 7 < 5, 1.25, 0.35)
    arrivals = rng.poisson(level * (1 + growth) ** (day / 365.25) * season * weekday)
    count = int(arrivals.sum())
    time = BEGIN + np.repeat(day, arrivals) + rng.uniform(0.3, 0.8, count)
    stage = np.where(rng.uniform(size=count) < rng.uniform(0, 0.3), 1, 0)
    shares, wait, wait_lost = rng.uniform(0.35, 0.75, 5), rng.uniform(3, 35, 5), rng.uniform(8, 70, 5)
    shape = rng.uniform(0.7, 2.5, 5)
    # A generator of its own: a company's funnel does not depend on its number of regions.
    other = np.random.default_rng([seed, regions])
    odds = np.exp(other.normal(0, 0.25, regions)) if regions > 1 else np.ones(1)
    region = other.choice(regions, count, p=other.dirichlet(np.full(regions, 2.0)))
    go_on = shares * odds[:, None] / (1 - shares + shares * odds[:, None])
    return rng, Funnel(go_on, wait, wait_lost, shape), region, stage, time


def firm(seed: int, days: int = 1_370, regions: int = 1) -> Events:
    """Events of a company over so many days.

    New journeys come with a trend, a season of the year and quiet weekends. From each stage they go to the next one or end, each with
    a share and gamma-distributed delays of its own. Everything is recorded within a day. Regions, of unlike size, differ in the shares.
    """
    rng, funnel, region, stage, time = _company(seed, days, regions)
    number, code, moment = funnel.walk(rng, region, stage, time)
    happened = moment < BEGIN + days
    number, code, moment = number[happened], code[happened], moment[happened]
    order = np.lexsort((code, moment, number))
    assert len(STAGES) == WON
    known = moment[order] + rng.uniform(0, 0.2, len(order))
    amount = np.where(code[order] == WON, rng.gamma(2, 5_000, len(order)), 0.0)
    return Events(
        number[order].astype(np.int64),
        region[number[order]].astype(np.int64),
        code[order].astype(np.int64),
        moment[order],
        known,
        amount,
        tuple((f"region {one}" if regions > 1 else "all", "all") for one in range(regions)),
    )


def true_rates(seed: int, regions: int, within: int, days: int = 1_370, draws: int = 40_000) -> Floats:
    """Of the entries into a stage the share that is won within so many days, (region, stage), of the company of `firm`."""
    _, funnel, _, _, _ = _company(seed, days, regions)
    rng = np.random.default_rng(seed + 1_000)
    found = np.zeros((regions, len(STAGES)))
    for region in range(regions):
        for stage in range(len(STAGES)):
            _, code, moment = funnel.walk(rng, np.full(draws, region), np.full(draws, stage), np.zeros(draws))
            found[region, stage] = np.count_nonzero((code == WON) & (moment < within)) / draws
    return found
