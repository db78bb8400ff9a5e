"""Advertising: campaigns and their daily cost as the platforms report it, each account in its own calendar and money."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from leadlag.simulate.arrays import (
    DAY,
    HOUR,
    Ints,
    constant,
    dates,
    integers,
    join,
    numbers,
    pick,
    stream,
    synced,
    times,
)
from leadlag.simulate.clock import ZONE_NAMES, demand, utc_offset
from leadlag.simulate.people import YEARLY_GROWTH
from leadlag.simulate.plan import DefectLog
from leadlag.simulate.salesforce.ids import Tables
from leadlag.simulate.settings import Settings
from leadlag.simulate.tables import build
from leadlag.simulate.world import (
    AD_ACCOUNTS,
    CURRENCIES,
    MARKETING_SOURCES,
    PAID_SEARCH,
    PRODUCTS,
    REGION_WEIGHT,
    World,
)

# Cost of a click and clicks per inquiry by source, so that spend is in proportion to the demand it brings.
_CLICK_COST = {"google_ads": 4.2, "linkedin_ads": 8.5, "meta_ads": 1.9}
_CLICKS_PER_LEAD = {"google_ads": 18.0, "linkedin_ads": 14.0, "meta_ads": 40.0}


def spend_key(world: World, campaign: Ints, day: Ints) -> pa.Array:
    """`platform:campaign_id:date`: what names a row of spend_daily."""
    platform = pick([ad.platform for ad in world.ads], campaign)
    identifier = pick([str(ad.identifier) for ad in world.ads], campaign)
    return join(platform, identifier, dates(day * DAY).cast(pa.string()), separator=":")


def render(settings: Settings, world: World, log: DefectLog) -> Tables:
    """Tables campaign and spend_daily."""
    ads = world.ads
    count = len(ads)
    accounts = [AD_ACCOUNTS[ad.account] for ad in ads]
    made = np.full(count, settings.begin - 5 * DAY, dtype=np.int64)
    campaign = {
        "platform": pa.array([ad.platform for ad in ads]),
        "account_id": pa.array([account.identifier for account in accounts]),
        "account_timezone": pa.array([ZONE_NAMES[account.zone] for account in accounts]),
        "campaign_id": pa.array([str(ad.identifier) for ad in ads]),
        "campaign_name": pa.array([ad.name for ad in ads]),
        "status": constant("ENABLED", count, pa.string()),
        "currency_code": pa.array([CURRENCIES[account.currency] for account in accounts]),
        "start_date": dates(np.array([ad.first_day for ad in ads], dtype=np.int64) * DAY),
        "created_at": times(made),
        "_loaded_at": times(synced(made)),
    }
    rng = stream(settings.seed, "ad spend")
    curve = demand(settings.start, settings.days, YEARLY_GROWTH)
    share = np.array(
        [
            MARKETING_SOURCES[ad.source].weight
            * REGION_WEIGHT[ad.region]
            * PRODUCTS[ad.product].weight
            / sum(
                1 for other in ads if (other.source, other.region, other.product) == (ad.source, ad.region, ad.product)
            )
            for ad in ads
        ]
    )
    leads = 0.83 * settings.leads * share[:, None] * (curve / curve.sum())[None, :]
    per_lead = np.array([_CLICKS_PER_LEAD[ad.platform] for ad in ads])[:, None]
    clicks = rng.poisson(leads * per_lead + 0.8)
    price = np.array([_CLICK_COST[ad.platform] for ad in ads])[:, None] * rng.lognormal(0.0, 0.18, clicks.shape)
    cost = np.round(clicks * price, 2)
    impressions = rng.poisson(
        clicks * np.where(np.array([ad.source for ad in ads]) == PAID_SEARCH, 28.0, 140.0)[:, None] + 9
    )

    row, day = np.divmod(np.arange(clicks.size, dtype=np.int64), settings.days)
    day = day + settings.start
    zone = np.array([account.zone for account in accounts], dtype=np.int64)[row]
    # The platform closes a day at the account's midnight and reports it four hours later.
    midnight = (day + 1) * DAY
    recorded = midnight - utc_offset(zone, midnight) + 4 * HOUR
    amount = cost.ravel()
    corrected = (rng.random(amount.size) < 0.0006) & settings.plants("negative_amount")
    if settings.plants("negative_amount"):
        corrected[:3] = True
    amount = np.where(corrected, -np.maximum(amount, 5.0), amount)
    kept = np.flatnonzero(recorded <= settings.until)
    hit = kept[corrected[kept]]
    log.add(
        "negative_amount",
        "ads.spend_daily",
        spend_key(world, row[hit], day[hit]),
        "negative_amount",
        None,
        recorded[hit],
    )
    at = row[kept]
    spend = {
        "platform": pick([ad.platform for ad in ads], at),
        "account_id": pick([account.identifier for account in accounts], at),
        "date": dates(day[kept] * DAY),
        "campaign_id": pick([str(ad.identifier) for ad in ads], at),
        "campaign_name": pick([ad.name for ad in ads], at),
        "spend": numbers(amount[kept]),
        "currency_code": pick([CURRENCIES[account.currency] for account in accounts], at),
        "clicks": integers(clicks.ravel()[kept]),
        "impressions": integers(impressions.ravel()[kept]),
        "reported_at": times(recorded[kept]),
        "_loaded_at": times(synced(recorded[kept])),
    }
    return {
        "ads.campaign": build("ads.campaign", count, campaign),
        "ads.spend_daily": build("ads.spend_daily", len(kept), spend),
    }
