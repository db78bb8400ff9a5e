"""Web site: page views of known and anonymous visitors, and the moments at which a visitor becomes known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leadlag.simulate.arrays import (
    DAY,
    MINUTE,
    NEVER,
    SECOND,
    Bools,
    Floats,
    Ints,
    choose,
    integers,
    join,
    offset_text,
    pick,
    spread,
    synced,
    times,
    token,
    uniform_hash,
    uuid,
)
from leadlag.simulate.clock import BERLIN, NEW_YORK, utc_offset
from leadlag.simulate.hubspot.emails import Clicks
from leadlag.simulate.hubspot.forms import FORM_PATHS, Submissions
from leadlag.simulate.hubspot.ids import contact_number, site_of
from leadlag.simulate.plan import Chunk
from leadlag.simulate.salesforce.leads import Origin
from leadlag.simulate.tables import build
from leadlag.simulate.world import (
    EMAIL,
    FIRST_SALES_SOURCE,
    MARKETING_SOURCES,
    PAID_SEARCH,
    PAID_SOCIAL,
    PRODUCTS,
    REFERRAL,
    REGIONS,
    SOCIAL,
    World,
)

SITES = ("https://www.leadlag-demo.eu", "https://www.leadlag-demo.io")
SITE_NAMES = ("eu", "us")
SITE_ZONE = np.array([BERLIN, NEW_YORK], dtype=np.int64)
PATHS = (
    "/",
    "/pricing",
    "/product/core",
    "/product/insights",
    "/product/connect",
    "/customers",
    "/blog/lead-time-basics",
    "/blog/what-is-an-mql",
    "/webinars",
    *FORM_PATHS,
)
_FIRST_FORM = len(PATHS) - len(FORM_PATHS)
PATH_WEIGHT = (5, 3, 3, 2, 2, 2, 3, 2, 1, 1, 1, 0.3)
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_4) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0",
)
DIRECT = len(MARKETING_SOURCES) - 1
DEVICES = 4

NO_ID, GCLID, LINKEDIN_ID, FACEBOOK_ID = range(4)
_ID_NAMES = ("", "&gclid=", "&li_fat_id=", "&fbclid=")
_ID_WIDTH = 32


class Entrance(NamedTuple):
    """How a visit can begin: query string, referrer and the click id the platform adds."""

    query: str
    referrer: str | None
    click_id: int


@dataclass(frozen=True)
class Entrances:
    """All ways in, and for each (channel, region, product) the ones that apply."""

    ways: tuple[Entrance, ...]
    first: Ints
    count: Ints

    def draw(self, channel: Ints, region: Ints, product: Ints, share: Floats) -> Ints:
        """Way of each visit, for shares in [0, 1)."""
        cell = (channel * len(REGIONS) + region) * len(PRODUCTS) + product
        return np.asarray(self.first[cell] + (self.count[cell] * share).astype(np.int64), dtype=np.int64)


def _ad_entrances(name: str, platform: str) -> list[Entrance]:
    """An ad's links: most are tagged as agreed, some in another case, encoded or spelled."""
    title = name.replace("_", " ").title().replace(" ", "_")
    if platform == "google_ads":
        referrer = "https://www.google.com/"
        term = "lead%20management" if "category" in name else "leadlag+software"
        good = Entrance(
            f"?utm_source=google&utm_medium=cpc&utm_campaign={name}&utm_term={term}&utm_content=ad_a", referrer, 1
        )
        other = Entrance(
            f"?utm_source=google&utm_medium=cpc&utm_campaign={name}&utm_term={term}&utm_content=ad_b", referrer, 1
        )
        loud = Entrance(f"?utm_source=Google&utm_medium=CPC&utm_campaign={title}&utm_term={term}", referrer, 1)
        plain = Entrance(f"?utm_source=google&utm_medium=cpc&utm_campaign={name}", referrer, NO_ID)
        return [good] * 5 + [other] * 4 + [loud, plain]
    if platform == "linkedin_ads":
        referrer = "https://www.linkedin.com/"
        good = Entrance(
            f"?utm_source=linkedin&utm_medium=paid_social&utm_campaign={name}&utm_content=carousel", referrer, 2
        )
        odd = Entrance(f"?utm_source=LinkedIn&utm_medium=Paid%20Social&utm_campaign={title}", referrer, 2)
        return [good] * 9 + [odd, Entrance(good.query, referrer, NO_ID)]
    referrer = "https://www.facebook.com/"
    good = Entrance(f"?utm_source=facebook&utm_medium=paid-social&utm_campaign={name}", referrer, 3)
    return [good] * 9 + [Entrance(f"?utm_source=FB&utm_medium=paidsocial&utm_campaign={title}", referrer, 3)]


def make_entrances(world: World) -> Entrances:
    """Collect the ways into the site of every channel."""
    google = Entrance("", "https://www.google.com/", NO_ID)
    fixed: dict[int, list[Entrance]] = {
        0: [google] * 7
        + [Entrance("", "https://www.bing.com/search?q=lead+times", NO_ID)] * 2
        + [Entrance("", "https://duckduckgo.com/", NO_ID)],
        SOCIAL: [
            Entrance("", "https://www.linkedin.com/feed/", NO_ID),
            Entrance("", "https://t.co/x7Fh2k", NO_ID),
            Entrance("?utm_source=linkedin&utm_medium=social&utm_campaign=company_page", "https://lnkd.in/", NO_ID),
        ],
        EMAIL: [Entrance("?utm_source=newsletter&utm_medium=email&utm_campaign=monthly_news", None, NO_ID)] * 6
        + [Entrance("?utm_source=Newsletter&utm_medium=E-Mail&utm_campaign=Monthly%20News", None, NO_ID)],
        REFERRAL: [
            Entrance("", "https://www.supplychain-review.org/tools", NO_ID),
            Entrance(
                "?utm_source=partner-northwind&utm_medium=referral&utm_campaign=partner",
                "https://northwind.dev/",
                NO_ID,
            ),
            Entrance("", "https://www.capterra.com/p/110/leadlag/", NO_ID),
        ],
        DIRECT: [Entrance("", None, NO_ID)],
    }
    ways: list[Entrance] = []
    first, count = [], []
    for channel in range(len(MARKETING_SOURCES)):
        for region in range(len(REGIONS)):
            for product in range(len(PRODUCTS)):
                if channel in (PAID_SEARCH, PAID_SOCIAL):
                    options = [
                        way
                        for ad in world.ads
                        if (ad.source, ad.region, ad.product) == (channel, region, product)
                        for way in _ad_entrances(ad.name, ad.platform)
                    ]
                else:
                    options = fixed[channel]
                first.append(len(ways))
                count.append(len(options))
                ways += options
    for mailing in world.mailings:
        slug = mailing.name.lower().replace(" ", "_")
        ways.append(Entrance(f"?utm_source=hs_email&utm_medium=email&utm_campaign={slug}", None, NO_ID))
    return Entrances(tuple(ways), np.array(first, dtype=np.int64), np.array(count, dtype=np.int64))


@dataclass
class Visits:
    """Sessions on the site.

    Attributes:
        device: 3 for visitors who never say who they are; they borrow the region and interests of `person`.
        form: form sent at the end, -1 without one.
        first: the session in which the person sent the first form that asks for something.
    """

    person: Ints
    time: Ints
    channel: Ints
    way: Ints
    device: Ints
    form: Ints
    first: Bools


def visitor_keys(chunk: Chunk, person: Ints, device: Ints) -> Ints:
    """Number of the browser; two persons of a shared device have one number."""
    owner = np.arange(len(chunk.people), dtype=np.int64)
    sharing = np.flatnonzero(chunk.picked["shared_device"])
    pairs = len(sharing) // 2
    owner[sharing[1 : 2 * pairs : 2]] = sharing[0 : 2 * pairs : 2]
    return np.asarray(chunk.people.number[owner[person]] * DEVICES + device, dtype=np.int64)


def plan_visits(chunk: Chunk, entrances: Entrances, forms: Submissions, clicks: Clicks) -> Visits:
    """Sessions around forms, before and after them, from e-mails, and of strangers."""
    rng = chunk.rng("visits")
    people, passes = chunk.people, chunk.passes
    parts: list[tuple[Ints, Ints, Ints, Ints, Ints, Ints]] = []

    def add(
        person: Ints, moment: Ints, channel: Ints, device: Ints, way: Ints | None = None, form: Ints | None = None
    ) -> None:
        count = len(person)
        drawn = entrances.draw(channel, people.region[person], people.product[person], rng.random(count))
        ways = drawn if way is None else way
        shown = np.full(count, -1, dtype=np.int64) if form is None else form
        parts.append((person, moment, channel, ways, device, shown))

    def mixed(person: Ints, loyal: float) -> Ints:
        """The person's own source, or any channel."""
        own = np.minimum(people.source[person], DIRECT)
        own = np.where(people.source[person] >= FIRST_SALES_SOURCE, DIRECT, own)
        any_channel = choose(rng, (0.24, 0.12, 0.09, 0.06, 0.05, 0.06, 0.38), len(person))
        return np.where(rng.random(len(person)) < loyal, own, any_channel)

    two_devices = uniform_hash(people.number, 91) < 0.35
    zero = np.zeros(len(forms.person), dtype=np.int64)
    start = forms.time - SECOND // 2 - rng.integers(200, 700, len(forms.person)) * SECOND
    add(forms.person, start, mixed(forms.person, 0.8), zero, form=forms.form)

    known = np.flatnonzero(passes.marketing & ((passes.inquiry != NEVER) | (passes.mql != NEVER)))
    who = passes.person[known]
    begin = np.minimum(passes.inquiry[known], passes.mql[known])
    before = rng.poisson(np.exp(-0.1 + 0.35 * people.interest[who])).clip(0, 8).astype(np.int64)
    row, _ = spread(before)
    moment = begin[row] - (rng.exponential(11.0, len(row)) * DAY).astype(np.int64) - 20 * MINUTE
    person = who[row]
    add(person, moment, mixed(person, 0.45), np.where(two_devices[person], rng.integers(0, 2, len(row)), 0))
    warmth = 0.55 + 0.6 * (passes.mql[known] != NEVER) + 0.5 * (passes.sql[known] != NEVER)
    after = rng.poisson(warmth * np.exp(0.25 * people.interest[who])).clip(0, 12).astype(np.int64)
    row, _ = spread(after)
    moment = begin[row] + 30 * MINUTE + (rng.exponential(20.0, len(row)) * DAY).astype(np.int64)
    person = who[row]
    add(person, moment, mixed(person, 0.2), np.where(two_devices[person], rng.integers(0, 2, len(row)), 0))

    email = np.full(len(clicks.person), EMAIL, dtype=np.int64)
    first_mailing = len(entrances.ways) - len(chunk.world.mailings)
    add(
        clicks.person,
        clicks.time + 2 * SECOND,
        email,
        np.where(two_devices[clicks.person], 1, 0),
        way=first_mailing + clicks.mailing,
    )
    strangers = np.flatnonzero(rng.random(len(people)) < 0.5)
    day = chunk.settings.start + (rng.random(len(strangers)) * chunk.settings.days).astype(np.int64)
    moment = day * DAY + (rng.random(len(strangers)) * DAY).astype(np.int64)
    add(
        strangers,
        moment,
        choose(rng, (0.4, 0.1, 0.1, 0.1, 0.02, 0.08, 0.2), len(strangers)),
        np.full(len(strangers), 3),
    )
    columns = [np.concatenate([part[i] for part in parts]) for i in range(6)]
    person, moment, channel, way, device, form = columns
    visits = Visits(person, moment, channel, way, device, form, first=np.zeros(len(person), dtype=np.bool_))
    # Forms come first and in the order of passes, newsletters after them.
    asking = np.flatnonzero(forms.form < 2)
    _, position = np.unique(forms.person[asking], return_index=True)
    visits.first[asking[position]] = True
    inside = visits.time >= chunk.settings.begin
    return Visits(*(getattr(visits, name)[inside] for name in Visits.__dataclass_fields__))


def origin(chunk: Chunk, entrances: Entrances, visits: Visits) -> Origin:
    """What the CRM and HubSpot keep of the first form's visit."""
    rows = np.flatnonzero(visits.first)
    way = np.full(len(chunk.people), -1, dtype=np.int64)
    way[visits.person[rows]] = visits.way[rows]
    queries = [parse_qs(entry.query.lstrip("?")) for entry in entrances.ways]
    bought = np.array([entry.click_id == GCLID for entry in entrances.ways])
    with_id = (way >= 0) & bought[np.maximum(way, 0)]
    clicks = token(_first_click(chunk.people.number), 341, _ID_WIDTH)
    source, medium, campaign = (
        pick([query.get(f"utm_{part}", [None])[0] for query in queries], way)
        for part in ("source", "medium", "campaign")
    )
    return Origin(source, medium, campaign, pc.if_else(pa.array(with_id), clicks, None))


def _first_click(person_number: Ints) -> Ints:
    """Key of the click id with which a person first came: the same in the page's URL and in the CRM."""
    return person_number + (np.int64(1) << np.int64(60))


@dataclass
class Rendered:
    """A table with what the planting of row defects needs.

    Attributes:
        person: number of the person of each row, -1 for nobody.
        recorded: when each row became known.
        keys: numbers of the rows that do not depend on `until`.
        total: rows before those after `until` were left out.
    """

    table: Any
    person: Ints
    recorded: Ints
    keys: Ints
    total: int


def _addresses(entrances: Entrances) -> list[str]:
    return [
        site + path + way.query for site in SITES for path in PATHS for way in (*entrances.ways, Entrance("", None, 0))
    ]


def render_page_views(chunk: Chunk, entrances: Entrances, visits: Visits) -> Rendered:
    """Table page_view: the first view of a visit carries the campaign, the others the site as referrer."""
    rng = chunk.rng("page views")
    extra = rng.poisson(0.75, len(visits.person)).astype(np.int64)
    visit, position = spread(1 + extra)
    total = len(visit)
    # The last view of a form visit is the form, seconds before it is sent.
    form_visit = visits.form[visit] >= 0
    is_form = form_visit & (position == extra[visit])
    moment = visits.time[visit] + position * 40 * SECOND + (rng.random(total) * 30 * SECOND).astype(np.int64)
    landing = position == 0
    person = visits.person[visit]
    stranger = visits.device[visit] == 3
    number = chunk.people.number[person]
    path = choose(rng, PATH_WEIGHT, total)
    path = np.where(landing & (rng.random(total) < 0.5), 2 + chunk.people.product[person], path)
    path = np.where(is_form, _FIRST_FORM + visits.form[visit], path)
    site = site_of(chunk, person)
    none = len(entrances.ways)
    way = np.where(landing, visits.way[visit], none)
    keys = chunk.row_keys(total)

    tagged = np.array([bool(entry.query) for entry in entrances.ways] + [False])
    paid = tagged[way] & (uniform_hash(keys, 92) < 0.02) & chunk.settings.plants("missing_utm")
    kind = np.where(paid, NO_ID, np.array([entry.click_id for entry in entrances.ways] + [NO_ID])[way])
    referrers = sorted({entry.referrer for entry in entrances.ways if entry.referrer})
    referrer_of = np.array([referrers.index(e.referrer) if e.referrer else -1 for e in entrances.ways] + [-1])
    referrer = np.where(landing, referrer_of[way], len(referrers) + site)
    address_way = np.where(paid, none, way)
    delay = (800 + rng.random(total) * 3_000).astype(np.int64)
    slow = (uniform_hash(keys, 93) < 0.004) & chunk.settings.plants("late_arrival")
    received = moment + delay + np.where(slow, (DAY * (1 + 5 * uniform_hash(keys, 94))).astype(np.int64), 0)

    rows = np.flatnonzero(chunk.known(received))
    address = pick(_addresses(entrances), ((site * len(PATHS) + path) * (none + 1) + address_way)[rows])
    came_first = landing & visits.first[visit]
    click_keys = np.where(came_first, _first_click(number), keys)
    address = join(address, _click_ids(click_keys[rows], kind[rows]))
    offset = utc_offset(SITE_ZONE[site[rows]], moment[rows])
    session = visits.person[visit] * 64 + visits.device[visit]
    table = build(
        "web.page_view",
        len(rows),
        {
            "page_view_id": uuid(keys[rows], 321),
            "visitor_id": token(_visitor_numbers(chunk, visits, visit)[rows], 331, 20),
            "session_id": token(session[rows] + visits.time[visit[rows]], 332, 16),
            "site": pick(SITE_NAMES, site[rows]),
            "viewed_at": offset_text(moment[rows], offset),
            "received_at": times(received[rows]),
            "page_url": address,
            "referrer_url": pick([*referrers, SITES[0] + "/", SITES[1] + "/"], referrer[rows]),
            "user_agent": pick(AGENTS, _visitor_numbers(chunk, visits, visit)[rows] % 7 % len(AGENTS)),
            "_loaded_at": times(synced(received[rows])),
        },
    )
    owner = np.where(stranger, -1, number)[rows]
    # Only the first browser tells for sure who sat there; nobody can be named for the others.
    certain = ((visits.device[visit] == 0) & ~_sharing(chunk)[person])[rows]
    for chosen, defect in ((paid, "missing_utm"), (slow, "late_arrival")):
        hit = chosen[rows]
        identifiers = table.column("page_view_id").combine_chunks().filter(pa.array(hit))
        chunk.log.add(
            defect, "web.page_view", identifiers, "none", np.where(certain, owner, -1)[hit], received[rows][hit]
        )
    return Rendered(table, owner, received[rows], keys[rows], total)


def _visitor_numbers(chunk: Chunk, visits: Visits, visit: Ints) -> Ints:
    return visitor_keys(chunk, visits.person, visits.device)[visit]


def _click_ids(keys: Ints, kind: Ints) -> Any:
    """`&gclid=...` and the like where the platform adds an id, else nothing."""
    empty = pa.repeat(pa.scalar("", pa.string()), len(keys))
    with_id = kind > NO_ID
    if not with_id.any():
        return empty
    identifiers = join(pick(_ID_NAMES, kind[with_id]), token(keys[with_id], 341, _ID_WIDTH))
    return pc.replace_with_mask(empty, pa.array(with_id), identifiers)


def render_identify(chunk: Chunk, forms: Submissions, clicks: Clicks) -> Any:
    """Table identify: a form or a mail's link tells who the visitor is."""
    people = chunk.people
    second = uniform_hash(people.number[clicks.person], 91) < 0.35
    told = uniform_hash(clicks.time + people.number[clicks.person], 95) < 0.6
    by_mail = np.flatnonzero(told)
    person = np.r_[forms.person, clicks.person[by_mail]]
    device = np.r_[np.zeros(len(forms.person), dtype=np.int64), second[by_mail].astype(np.int64)]
    moment = np.r_[forms.time + 300, clicks.time[by_mail] + 3 * SECOND]
    received = moment + 2 * SECOND
    keys = chunk.row_keys(len(person))
    rows = np.flatnonzero(chunk.known(received))
    visitors = visitor_keys(chunk, person[rows], device[rows])
    email = chunk.names.email.take(pa.array(person[rows]))
    loud = uniform_hash(keys[rows], 96) < 0.05
    # Each names the contact by its id, its address or both.
    by_id = uniform_hash(keys[rows], 97) < 0.9
    by_email = ~by_id | (uniform_hash(keys[rows], 99) < 0.85)
    address = pc.if_else(pa.array(loud), pc.utf8_upper(email), email)
    table = build(
        "web.identify",
        len(rows),
        {
            "identify_id": uuid(keys[rows], 351),
            "visitor_id": token(visitors, 331, 20),
            "hubspot_contact_id": integers(contact_number(people.number[person[rows]]), by_id),
            "email": pc.if_else(pa.array(by_email), address, None),
            "identified_at": times(moment[rows]),
            "received_at": times(received[rows]),
            "_loaded_at": times(synced(received[rows])),
        },
    )
    sharing = _sharing(chunk)[person[rows]]
    identifiers = table.column("identify_id").combine_chunks().filter(pa.array(sharing))
    numbers = people.number[person[rows]][sharing]
    chunk.log.add("shared_device", "web.identify", identifiers, "none", numbers, received[rows][sharing])
    return table


def _sharing(chunk: Chunk) -> Bools:
    """Persons who really share a browser: with an odd number the last one stays alone."""
    chosen = np.flatnonzero(chunk.picked["shared_device"])
    result = np.zeros(len(chunk.people), dtype=np.bool_)
    result[chosen[: len(chosen) // 2 * 2]] = True
    return result
