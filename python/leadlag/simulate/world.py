"""The fictional company: markets, sources, sales force, campaigns. Everything that does not depend on single leads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from leadlag.simulate.arrays import DAY, HOUR, Floats, Ints, stream, uniform_hash
from leadlag.simulate.clock import BERLIN, NEW_YORK, SINGAPORE
from leadlag.simulate.settings import Settings

EMEA, NA, APAC = 0, 1, 2
REGIONS = ("EMEA", "NA", "APAC")
REGION_WEIGHT = (0.44, 0.41, 0.15)
REGION_ZONE = np.array([BERLIN, NEW_YORK, SINGAPORE], dtype=np.int64)
REGION_EFFECT = np.array([0.0, 0.12, -0.25])

EUR, USD, GBP = 0, 1, 2
CURRENCIES = ("EUR", "USD", "GBP")


class Country(NamedTuple):
    """A market: where its people sit and in which money they are quoted."""

    name: str
    code: str
    region: int
    currency: int
    domain: str
    city: str
    weight: float


COUNTRIES = (
    Country("Germany", "DE", EMEA, EUR, "de", "Hamburg", 0.34),
    Country("United Kingdom", "GB", EMEA, GBP, "co.uk", "Leeds", 0.26),
    Country("France", "FR", EMEA, EUR, "fr", "Lyon", 0.16),
    Country("Netherlands", "NL", EMEA, EUR, "nl", "Utrecht", 0.13),
    Country("Spain", "ES", EMEA, EUR, "es", "Valencia", 0.11),
    Country("United States", "US", NA, USD, "com", "Columbus", 0.88),
    Country("Canada", "CA", NA, USD, "ca", "Ottawa", 0.12),
    Country("Australia", "AU", APAC, USD, "com.au", "Brisbane", 0.42),
    Country("Singapore", "SG", APAC, USD, "sg", "Singapore", 0.33),
    Country("India", "IN", APAC, USD, "in", "Pune", 0.25),
)


class ProductLine(NamedTuple):
    """What is sold: typical amount (in the deal's currency), relative cycle length, effect on conversion (log-odds)."""

    name: str
    amount: float
    cycle: float
    effect: float
    weight: float


PRODUCTS = (
    ProductLine("Core", 24_000.0, 1.0, 0.0, 0.48),
    ProductLine("Insights", 52_000.0, 1.6, -0.18, 0.27),
    ProductLine("Connect", 6_500.0, 0.55, 0.22, 0.25),
)


class Source(NamedTuple):
    """Where an inquiry comes from, as each system spells it; effect is on every step's log-odds."""

    name: str
    hubspot: str
    salesforce: str
    effect: float
    weight: float


MARKETING_SOURCES = (
    Source("organic_search", "ORGANIC_SEARCH", "Organic Search", 0.22, 0.27),
    Source("paid_search", "PAID_SEARCH", "Paid Search", 0.10, 0.22),
    Source("paid_social", "PAID_SOCIAL", "Paid Social", -0.35, 0.16),
    Source("social", "SOCIAL_MEDIA", "Social", -0.20, 0.08),
    Source("email", "EMAIL_MARKETING", "Email", 0.05, 0.09),
    Source("referral", "REFERRALS", "Referral", 0.45, 0.08),
    Source("direct", "DIRECT_TRAFFIC", "Direct", 0.15, 0.10),
)
SALES_SOURCES = (
    Source("event", "OFFLINE", "Trade Show", 0.00, 0.42),
    Source("outbound", "OFFLINE", "Outbound", -0.30, 0.30),
    Source("partner", "OFFLINE", "Partner Referral", 0.50, 0.16),
    Source("purchased_list", "OFFLINE", "Purchased List", -0.70, 0.12),
)
SOURCES = MARKETING_SOURCES + SALES_SOURCES
FIRST_SALES_SOURCE = len(MARKETING_SOURCES)
TRADE_SHOW = FIRST_SALES_SOURCE
PAID_SEARCH, PAID_SOCIAL, SOCIAL, EMAIL, REFERRAL = 1, 2, 3, 4, 5

INDUSTRIES = ("Manufacturing", "Logistics", "Software", "Retail", "Healthcare", "Financial Services", "Energy", "Media")
INDUSTRY_EFFECT = np.array([0.10, 0.20, 0.15, -0.10, 0.0, 0.05, -0.05, -0.25])
TITLES = (
    "Head of Operations",
    "Chief Operating Officer",
    "Operations Manager",
    "Data Analyst",
    "IT Manager",
    "Purchasing Manager",
    "Student",
    "VP Supply Chain",
    "Consultant",
)
TITLE_EFFECT = np.array([0.35, 0.45, 0.15, -0.10, 0.10, 0.05, -1.40, 0.40, -0.45])
TITLE_WEIGHT = (0.14, 0.06, 0.22, 0.16, 0.15, 0.11, 0.04, 0.06, 0.06)

FIRST_NAMES = (
    "Maria Anna Laura Sofia Emma Julia Lena Clara Ines Nora Eva Alice Chloe Zoe Hannah Grace Olivia Megan Ruth Priya "
    "Ananya Mei Yuki Aisha Fatima Carmen Lucia Elena Irene Paula James Peter Thomas Lukas Jonas Felix Paul Max Oliver "
    "Harry George Jack Noah Liam Ethan Daniel David Samuel Adam Hugo Louis Jules Pablo Diego Marco Ravi Arjun Wei Kenji "
    "Omar"
).split()
LAST_NAMES = (
    "Schmidt Weber Fischer Becker Hoffmann Koch Richter Wolf Neumann Braun Smith Jones Taylor Brown Wilson Evans Walker "
    "Wright Hughes Green Martin Bernard Dubois Moreau Laurent Garcia Lopez Sanchez Perez Torres Jansen Visser Bakker Smit "
    "Mulder Johnson Miller Davis Moore Clark Lewis Young King Hill Scott Adams Nelson Carter Mitchell Roberts Tremblay "
    "Nguyen Tan Lim Lee Chen Patel Sharma Gupta Rao Iyer Murphy Kelly Ryan Campbell Stewart Morgan Cooper Reed Bailey"
).split()
COMPANY_FIRST = (
    "Nord Alpen Rhein Hanse Elbe Blue Bright Clear Silver Summit River Harbour Oak Maple Cedar Stone Iron Copper Swift "
    "Prime Vertex Quantum Delta Omega Lumen Aero Terra Solar Polar Atlas Orion Nova Zenith Apex Crest Beacon Anchor Falcon "
    "Heron Lynx Sable Amber Coral Indigo Scarlet Ivory Granite Marble Juniper Willow"
).split()
COMPANY_SECOND = (
    "werk haus line path gate field bridge forge mill yard works point ridge view port land stream light wave craft"
).split()
COMPANY_THIRD = (
    "Logistics Systems Foods Textiles Tools Energy Health Media Retail Finance Software Mobility Packaging Chemicals "
    "Instruments Materials Robotics Freight Pharma Partners"
).split()


@dataclass(frozen=True)
class Rep:
    """A user of the CRM: `speed` multiplies response times, `skill` adds to log-odds of qualifying or winning."""

    name: str
    email: str
    role: int
    manager: int
    region: int
    active: bool
    speed: float
    skill: float


ROLES = (
    ("Chief Revenue Officer", -1),
    ("VP Sales EMEA", 0),
    ("VP Sales NA", 0),
    ("VP Sales APAC", 0),
    ("SDR EMEA", 1),
    ("SDR NA", 2),
    ("SDR APAC", 3),
    ("AE EMEA", 1),
    ("AE NA", 2),
    ("AE APAC", 3),
)


class AdCampaign(NamedTuple):
    """A campaign of an ad platform; `name` is also its utm_campaign."""

    platform: str
    account: int
    identifier: int
    name: str
    source: int
    region: int
    product: int
    first_day: int
    last_day: int


class CrmCampaign(NamedTuple):
    """A campaign of the CRM with members: trade shows and webinars."""

    name: str
    kind: str
    parent: int
    first_day: int
    last_day: int
    cost: float
    currency: int
    region: int


class Mailing(NamedTuple):
    """A marketing e-mail (HubSpot e-mail campaign)."""

    name: str
    subject: str
    kind: str
    region: int
    sent: int


class Account(NamedTuple):
    """An advertising account: money and calendar it reports in."""

    platform: str
    identifier: str
    currency: int
    zone: int
    region: int


AD_ACCOUNTS = (
    Account("google_ads", "412-555-0101", EUR, BERLIN, EMEA),
    Account("google_ads", "412-555-0102", USD, NEW_YORK, NA),
    Account("google_ads", "412-555-0103", USD, SINGAPORE, APAC),
    Account("linkedin_ads", "509100001", EUR, BERLIN, EMEA),
    Account("linkedin_ads", "509100002", USD, NEW_YORK, NA),
    Account("linkedin_ads", "509100003", USD, SINGAPORE, APAC),
    Account("meta_ads", "act_78120001", EUR, BERLIN, EMEA),
    Account("meta_ads", "act_78120002", USD, NEW_YORK, NA),
)


@dataclass(frozen=True)
class World:
    """All that the chunks share. Arrays are indexed by the position of the thing in its tuple."""

    reps: tuple[Rep, ...]
    rep_speed: Floats
    rep_skill: Floats
    sdr_of_region: tuple[Ints, ...]
    ae_of_region: tuple[Ints, ...]
    ads: tuple[AdCampaign, ...]
    campaigns: tuple[CrmCampaign, ...]
    mailings: tuple[Mailing, ...]


def _sales_force(settings: Settings) -> tuple[Rep, ...]:
    rng = stream(settings.seed, "sales force")
    size = int(np.clip(3 + settings.leads / 6_000, 4, 30))
    reps: list[Rep] = []

    def hire(role: int, manager: int, region: int) -> None:
        number = len(reps)
        first = FIRST_NAMES[int(rng.integers(len(FIRST_NAMES)))]
        last = LAST_NAMES[(number * 7 + 3) % len(LAST_NAMES)]
        # The third of a team left the company and still owns leads.
        active = not (role >= 4 and number % 11 == 5)
        speed = float(np.exp(rng.normal(0.0, 0.45)))
        email = f"{first}.{last}{number}@leadlag-demo.io".lower()
        reps.append(Rep(f"{first} {last}", email, role, manager, region, active, speed, float(rng.normal(0.0, 0.22))))

    hire(0, -1, EMEA)
    for region in range(len(REGIONS)):
        hire(1 + region, 0, region)
    for region in range(len(REGIONS)):
        for role in (4 + region, 7 + region):
            for _ in range(size):
                hire(role, 1 + region, region)
    return tuple(reps)


def _ad_campaigns(settings: Settings) -> tuple[AdCampaign, ...]:
    rows: list[AdCampaign] = []
    themes = {
        "google_ads": ("brand_search", "category_search"),
        "linkedin_ads": ("leadgen",),
        "meta_ads": ("retargeting",),
    }
    last = settings.start + settings.days - 1
    for number, account in enumerate(AD_ACCOUNTS):
        source = PAID_SEARCH if account.platform == "google_ads" else PAID_SOCIAL
        for product, line in enumerate(PRODUCTS):
            for theme in themes[account.platform]:
                name = f"{REGIONS[account.region]}_{line.name}_{theme}".lower()
                identifier = 23_841_000_000 + number * 1_000 + len(rows)
                rows.append(
                    AdCampaign(
                        account.platform,
                        number,
                        identifier,
                        name,
                        source,
                        account.region,
                        product,
                        settings.start,
                        last,
                    )
                )
    return tuple(rows)


def _crm_campaigns(settings: Settings) -> tuple[CrmCampaign, ...]:
    last = settings.start + settings.days - 1
    rows = [
        CrmCampaign("Events", "Trade Show", -1, settings.start, last, 0.0, EUR, EMEA),
        CrmCampaign("Webinars", "Webinar", -1, settings.start, last, 0.0, EUR, EMEA),
    ]
    shows = ("Logistics Forum", "Operations Summit", "Data Days")
    for quarter in range(settings.days // 91 + 1):
        for region, show in enumerate(shows):
            first = settings.start + quarter * 91 + 20 + region * 17
            if first + 2 <= last:
                name = f"{show} {REGIONS[region]} {quarter // 4 + 1}.{quarter % 4 + 1}"
                cost = 18_000.0 + 4_000.0 * ((quarter + region) % 3)
                rows.append(CrmCampaign(name, "Trade Show", 0, first, first + 2, cost, (EUR, USD, USD)[region], region))
    for month in range(settings.days // 30):
        first = settings.start + month * 30 + 9
        if first <= last:
            rows.append(CrmCampaign(f"Webinar {month + 1:02d}", "Webinar", 1, first, first, 1_500.0, EUR, month % 3))
    return tuple(rows)


def _mailings(settings: Settings) -> tuple[Mailing, ...]:
    rows = [
        Mailing(f"Nurture step {step}", subject, "AUTOMATED_EMAIL", -1, -1)
        for step, subject in enumerate(
            (
                "Welcome aboard",
                "Three ways to shorten lead times",
                "What teams like yours measure",
                "Ready for a demo?",
            ),
            1,
        )
    ]
    for month in range(settings.days // 30):
        for region, name in enumerate(REGIONS):
            day = settings.start + month * 30 + 3 + region
            rows.append(
                Mailing(
                    f"Newsletter {name} {month + 1:02d}",
                    f"News from leadlag, issue {month + 1}",
                    "BATCH_EMAIL",
                    region,
                    day * DAY + 9 * HOUR,
                )
            )
    return tuple(rows)


def make_world(settings: Settings) -> World:
    """Sales force and campaigns of a run."""
    reps = _sales_force(settings)
    region = np.array([rep.region for rep in reps])
    role = np.array([rep.role for rep in reps])
    return World(
        reps=reps,
        rep_speed=np.array([rep.speed for rep in reps]),
        rep_skill=np.array([rep.skill for rep in reps]),
        sdr_of_region=tuple(np.flatnonzero((region == r) & (role == 4 + r)) for r in range(len(REGIONS))),
        ae_of_region=tuple(np.flatnonzero((region == r) & (role == 7 + r)) for r in range(len(REGIONS))),
        ads=_ad_campaigns(settings),
        campaigns=_crm_campaigns(settings),
        mailings=_mailings(settings),
    )


def assign(teams: tuple[Ints, ...], region: Ints, key: Ints, salt: int) -> Ints:
    """A member of the region's team for each row, by a hash of the row's key."""
    member = np.empty(len(region), dtype=np.int64)
    draw = uniform_hash(key, salt)
    for code, team in enumerate(teams):
        rows = region == code
        member[rows] = team[(draw[rows] * len(team)).astype(np.int64)]
    return member
