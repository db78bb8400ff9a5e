"""The true persons and their employers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from leadlag.simulate.arrays import DAY, HOUR, NEVER, SECOND, Bools, Floats, Ints, choose, pick, stream, uniform_hash
from leadlag.simulate.clock import arrivals, office_time
from leadlag.simulate.settings import Settings
from leadlag.simulate.world import (
    COUNTRIES,
    FIRST_NAMES,
    FIRST_SALES_SOURCE,
    INDUSTRIES,
    INDUSTRY_EFFECT,
    LAST_NAMES,
    MARKETING_SOURCES,
    PRODUCTS,
    REGION_EFFECT,
    REGION_WEIGHT,
    REGION_ZONE,
    REGIONS,
    SALES_SOURCES,
    SOURCES,
    TITLE_EFFECT,
    TITLE_WEIGHT,
    TITLES,
    TRADE_SHOW,
    World,
    assign,
)

# Where a person is known. SYNCED: in HubSpot first, in Salesforce once marketing-qualified.
SYNCED, SALES_ONLY, MARKETING_ONLY = 0, 1, 2

YEARLY_GROWTH = 0.28
LATENT_WEIGHT = 0.55
NURTURE_EFFECT = 0.18


@dataclass
class People:
    """Persons of one chunk; every array has one value a person.

    Attributes:
        number: number of the person in the whole run.
        company: position in the chunk's companies.
        kind: SYNCED, SALES_ONLY or MARKETING_ONLY.
        entered: first inquiry; NEVER for newsletter readers who never ask for anything.
        subscribed: when the person became a newsletter subscriber before that; NEVER if not.
        sync_delay: how long the systems take to tell each other about this person (1 to 9 minutes).
        score: log-odds shift of every step, from attributes and the latent interest.
        interest: latent interest, standard normal; it also drives web visits, so behaviour predicts conversion.
        duplicate_name: 2, 3 ... for the second, third ... bearer of a name within the company, else 1.
    """

    number: Ints
    company: Ints
    region: Ints
    country: Ints
    product: Ints
    source: Ints
    kind: Ints
    entered: Ints
    subscribed: Ints
    sync_delay: Ints
    first_name: Ints
    last_name: Ints
    title: Ints
    nurtured: Bools
    trial: Bools
    score: Floats
    interest: Floats
    sdr: Ints
    ae: Ints
    freemail: Bools
    duplicate_name: Ints

    def __len__(self) -> int:
        return len(self.number)

    @property
    def zone(self) -> Ints:
        """Time zone code of each person."""
        return np.asarray(REGION_ZONE[self.region], dtype=np.int64)


@dataclass
class Companies:
    """Employers of one chunk; `number` is the company's number in the whole run."""

    number: Ints
    region: Ints
    country: Ints
    industry: Ints
    employees: Ints


def _companies(settings: Settings, chunk: int, first: int, persons: int) -> Companies:
    rng = stream(settings.seed, "companies", chunk)
    size = max(1, int(persons * 0.38))
    region = choose(rng, REGION_WEIGHT, size)
    country = np.empty(size, dtype=np.int64)
    for code in range(len(REGIONS)):
        rows = np.flatnonzero(region == code)
        members = [number for number, entry in enumerate(COUNTRIES) if entry.region == code]
        country[rows] = np.array(members)[choose(rng, [COUNTRIES[m].weight for m in members], len(rows))]
    employees = np.clip(np.exp(rng.normal(4.6, 1.4, size)), 2, 90_000).astype(np.int64)
    industry = choose(rng, [1.0] * len(INDUSTRIES), size)
    # Persons of a chunk number `first` onwards; companies are fewer, so these numbers never meet the next chunk's.
    return Companies(first + np.arange(size, dtype=np.int64), region, country, industry, employees)


def _name_ranks(company: Ints, first: Ints, last: Ints) -> Ints:
    """1 for the first bearer of a name in a company, 2 for the second ..."""
    key = (company * len(FIRST_NAMES) + first) * len(LAST_NAMES) + last
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    position = np.arange(len(key))
    start = np.maximum.accumulate(np.where(np.r_[True, ordered[1:] != ordered[:-1]], position, 0))
    rank = np.empty(len(key), dtype=np.int64)
    rank[order] = position - start + 1
    return rank


def _after_shows(world: World, region: Ints, source: Ints, entered: Ints, rng: np.random.Generator) -> Ints:
    """Visitors of trade shows are entered in the days after the show, when the list is uploaded."""
    result = entered.copy()
    delay = 8 * HOUR + (rng.random(len(entered)) * 8 * DAY).astype(np.int64)
    jitter = rng.random(len(entered))
    for code in range(len(REGIONS)):
        shows = [
            show for show in world.campaigns if show.kind == "Trade Show" and show.parent >= 0 and show.region == code
        ]
        if not shows:
            continue
        over = np.array([show.last_day + 1 for show in shows], dtype=np.int64) * DAY
        rows = np.flatnonzero((region == code) & (source == TRADE_SHOW))
        last = np.searchsorted(over, entered[rows], side="right") - 1
        moment = over[np.maximum(last, 0)] + delay[rows]
        zone = np.full(len(rows), REGION_ZONE[code], dtype=np.int64)
        moment = office_time(zone, moment, jitter[rows]) // SECOND * SECOND
        result[rows] = np.where((last >= 0) & (moment < over[-1] + 12 * DAY), moment, entered[rows])
    return result


def make_people(settings: Settings, world: World, chunk: int, first: int, count: int) -> tuple[People, Companies]:
    """Draw the persons numbered `first` to `first + count - 1` and their employers."""
    companies = _companies(settings, chunk, first, count)
    rng = stream(settings.seed, "people", chunk)
    size = len(companies.number)
    # A few employers send many people: the density falls like the square root.
    company = (size * rng.random(count) ** 1.6).astype(np.int64)
    region = companies.region[company]
    country = companies.country[company]
    product = choose(rng, [line.weight for line in PRODUCTS], count)
    zone = np.asarray(REGION_ZONE[region], dtype=np.int64)
    entered = arrivals(rng, zone, settings.start, settings.days, YEARLY_GROWTH)

    # The small product is sold without sales people more often.
    draw = rng.random(count)
    marketing_only = np.where(product == 2, 0.30, 0.09)
    kind = np.where(draw < marketing_only, MARKETING_ONLY, np.where(draw > 0.83, SALES_ONLY, SYNCED)).astype(np.int64)
    source = np.where(
        kind == SALES_ONLY,
        FIRST_SALES_SOURCE + choose(rng, [entry.weight for entry in SALES_SOURCES], count),
        choose(rng, [entry.weight for entry in MARKETING_SOURCES], count),
    )
    entered = _after_shows(world, region, source, entered, rng)
    title = choose(rng, TITLE_WEIGHT, count)
    interest = rng.normal(0.0, 1.0, count)
    nurtured = rng.random(count) < 0.5
    trial = (kind != SALES_ONLY) & (rng.random(count) < np.where(product == 2, 0.45, 0.10))
    score = (
        np.array([entry.effect for entry in SOURCES])[source]
        + REGION_EFFECT[region]
        + np.array([line.effect for line in PRODUCTS])[product]
        + INDUSTRY_EFFECT[companies.industry[company]]
        + TITLE_EFFECT[title]
        + LATENT_WEIGHT * interest
    )

    reader = (kind != SALES_ONLY) & (rng.random(count) < 0.14)
    lead_time = rng.gamma(1.5, 40.0, count) * DAY + 3 * HOUR
    subscribed = np.where(reader, entered - lead_time.astype(np.int64) // SECOND * SECOND, NEVER)
    subscribed = np.where(subscribed < settings.begin, NEVER, subscribed)
    silent = reader & (subscribed != NEVER) & (rng.random(count) < 0.12)
    number = first + np.arange(count, dtype=np.int64)
    first_name = rng.integers(0, len(FIRST_NAMES), count)
    last_name = rng.integers(0, len(LAST_NAMES), count)
    people = People(
        number=number,
        company=company,
        region=region,
        country=country,
        product=product,
        source=source,
        kind=kind,
        entered=np.where(silent, NEVER, entered),
        subscribed=subscribed,
        sync_delay=rng.integers(60, 540, count) * SECOND,
        first_name=first_name,
        last_name=last_name,
        title=title,
        nurtured=nurtured,
        trial=trial,
        score=score,
        interest=interest,
        sdr=assign(world.sdr_of_region, region, number, 101),
        ae=assign(world.ae_of_region, region, number, 102),
        freemail=rng.random(count) < 0.07,
        duplicate_name=_name_ranks(company, first_name, last_name),
    )
    assert len(TITLE_EFFECT) == len(TITLES)
    return people, companies


def ad_consent(number: Ints) -> pa.Array:
    """What each person of these numbers said about sharing conversions with ad platforms; null: never asked."""
    said = uniform_hash(number, 111)
    return pick(["granted", "denied"], np.where(said < 0.6, 0, np.where(said < 0.75, 1, -1)))
