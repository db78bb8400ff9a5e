"""The web, ads and product connectors, and with them times and URLs: one rule a test."""

from collections.abc import Callable
from datetime import date, timedelta, timezone
from pathlib import Path

import pytest
from conftest import RunDbt
from connector_build import ALL, T0, Built, at, builder, day, rows

Build = Callable[..., Built]


@pytest.fixture
def build(run_dbt: RunDbt, warehouse: Path) -> Build:
    return builder(run_dbt, warehouse, ALL)


TIMES = {
    "2024-03-01T10:00:00.250+01:00": T0 + timedelta(milliseconds=250),
    "2024-03-01T09:00:00Z": T0,
    "2024-03-01T09:00:00.000+0000": T0,
    "2024-03-01 04:00:00-05": T0,
    "2024-03-01 09:00:00 UTC": T0,
    "2024-03-01 9:00:00": T0,
    "2024-03-01 09:00": T0,
    "2024-03-01": day("2024-03-01"),
    "2024-02-29": day("2024-02-29"),
    "2023-02-29": None,
    "2024-02-30 09:00:00": None,
    "2024-13-01T09:00:00Z": None,
    "01.03.2024 09:00": None,
    "last Tuesday": None,
    "": None,
}


def test_text_times_are_converted_or_null_and_kept_as_delivered(build: Build) -> None:
    views = [{"page_view_id": str(number), "viewed_at": text} for number, text in enumerate(TIMES)]
    built = build({"web.page_view": views}, "int_input__web_touchpoint")
    query = "select occurred_at_raw, occurred_at from int_input__web_touchpoint order by cast(source_id as integer)"
    assert built.rows(query) == list(TIMES.items())


def test_times_without_offset_are_utc_unless_the_connector_says_otherwise(build: Build) -> None:
    summer, winter = day("2024-07-01 12:00"), day("2024-01-01 12:00")
    tables = {
        "product.event": rows(
            "event_id occurred_at received_at",
            ("offset", "2024-07-01T12:00:00+05:00", None),
            ("summer", "2024-07-01 12:00:00", summer),
            ("winter", "2024-01-01 12:00:00", winter),
        ),
        "hubspot.contact": rows("id property_createdate", (1, summer.replace(tzinfo=timezone(timedelta(hours=2))))),
    }
    models = ("int_input__product_product_event", "int_input__hubspot_lead_record")
    query = "select source_id, occurred_at, recorded_at from int_input__product_product_event order by 1"
    early = day("2024-07-01 07:00")
    built = build(tables, *models)
    assert built.rows(query) == [("offset", early, None), ("summer", summer, summer), ("winter", winter, winter)]
    assert built.rows("select occurred_at from int_input__hubspot_lead_record") == [(day("2024-07-01 10:00"),)]
    built.close()
    built = build(tables, *models, product_timezone="Europe/Berlin")
    summer, winter = day("2024-07-01 10:00"), day("2024-01-01 11:00")
    assert built.rows(query) == [("offset", early, None), ("summer", summer, summer), ("winter", winter, winter)]


PAGE = "https://www.Shop.example:8080/Pricing/"
FULL = f"{PAGE}?utm_source=Google&utm_medium=CPC&utm_campaign=Spring+Sale&utm_content=a%26b&utm_term=caf%C3%A9&gclid=Ab_1#top"
URLS: list[tuple[str | None, dict[str, str | None]]] = [
    (PAGE, {"page_domain": "shop.example", "landing_path": "/Pricing", "utm_source": None, "click_id_type": None}),
    ("https://shop.example", {"page_domain": "shop.example", "landing_path": "/"}),
    ("https://shop.example?utm_source=x", {"page_domain": "shop.example", "landing_path": "/", "utm_source": "x"}),
    ("/relative/path?utm_source=x#top", {"page_domain": None, "landing_path": "/relative/path", "utm_source": "x"}),
    (FULL, {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "Spring Sale", "utm_content": "a&b"}),
    (FULL, {"utm_term": "café", "click_id": "Ab_1", "click_id_type": "gclid", "landing_path": "/Pricing"}),
    (f"{PAGE}?x=1&utm_source=&utm_medium=email", {"utm_source": None, "utm_medium": "email"}),
    (f"{PAGE}?not_utm_source=no&next=https://else.example/?a=1", {"utm_source": None, "landing_path": "/Pricing"}),
    (f"{PAGE}?utm_source=100%25&utm_medium=bad%zz&utm_term=%ff", {"utm_source": "100%", "utm_medium": "bad%zz"}),
    (f"{PAGE}?utm_term=%ff%41", {"utm_term": "%ff%41"}),
    (f"{PAGE}#utm_source=fragment", {"utm_source": None, "landing_path": "/Pricing"}),
    (f"{PAGE}?fbclid=F&li_fat_id=L", {"click_id": "F", "click_id_type": "fbclid"}),
    ("", {"page_domain": None, "landing_path": None, "utm_source": None}),
    (None, {"page_domain": None, "landing_path": None, "utm_source": None}),
]


def test_urls_are_parsed(build: Build) -> None:
    views = [{"page_view_id": str(number), "page_url": url} for number, (url, _) in enumerate(URLS)]
    built = build({"web.page_view": views}, "stg_web__page_view")
    for number, (url, parts) in enumerate(URLS):
        row = built.rows(f"select {', '.join(parts)} from stg_web__page_view where page_view_id = '{number}'")[0]
        assert dict(zip(parts, row, strict=True)) == parts, url


def test_referrer_on_the_own_domain_is_navigation(build: Build) -> None:
    referrers = ["https://www.google.com/", "https://shop.example/home", "android-app://com.app", None]
    views = rows("page_view_id page_url referrer_url", *((str(n), PAGE, url) for n, url in enumerate(referrers)))
    built = build({"web.page_view": views}, "int_input__web_touchpoint")
    found = built.rows("select referrer_domain from int_input__web_touchpoint order by source_id")
    assert found == [("google.com",), (None,), ("com.app",), (None,)]


def test_browser_is_tied_to_the_named_contact_or_to_the_oldest_record_with_the_address(build: Build) -> None:
    tables = {
        "hubspot.contact": rows(
            "id property_createdate property_email", (1, T0, "Ann@b.example"), (2, at(-9), "z@b.example")
        ),
        "salesforce.lead": rows(
            "id email created_date", ("00Q1", " ann@B.example", at(-5)), ("00Q2", "ann@b.example", T0)
        ),
        "web.identify": rows(
            "identify_id visitor_id hubspot_contact_id email identified_at",
            ("a", "v1", 2, "ann@b.example", at(1)),
            ("b", "v2", None, "ANN@b.example", at(1)),
            ("c", "v3", None, "nobody@b.example", at(1)),
        ),
    }
    built = build(tables, "int_input__web_identity_link")
    columns = "source_id, from_source_id, to_source_system, to_record_type, to_source_id"
    assert built.rows(f"select {columns} from int_input__web_identity_link order by 1") == [
        ("a", "v1", "hubspot", "contact", "2"),
        ("b", "v2", "salesforce", "lead", "00Q1"),
        ("c", "v3", None, None, None),
    ]


def test_ad_spend(build: Build) -> None:
    tables = {
        "ads.spend_daily": rows(
            "platform date campaign_id spend currency clicks reported_at",
            ("google", date(2024, 3, 1), "7", 12.345, "USD", 3, at(1)),
        ),
        "ads.campaign": rows("platform campaign_id campaign_name", ("google", "7", "n")),
    }
    built = build(tables, "int_input__ads_spend", "int_input__ads_campaign")
    columns = (
        "source_id, campaign_source_id, spend_date, occurred_at, recorded_at, cast(amount as varchar), currency_code"
    )
    assert built.rows(f"select {columns} from int_input__ads_spend") == [
        ("google:7:2024-03-01", "google:7", date(2024, 3, 1), day("2024-03-01"), at(1), "12.35", "USD")
    ]
    assert built.rows("select source_id from int_input__ads_campaign") == [("google:7",)]
