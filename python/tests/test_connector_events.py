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
    (PAGE, {"landing_path": "/Pricing", "utm_source": None, "click_id_type": None}),
    ("https://shop.example", {"landing_path": "/"}),
    ("https://shop.example?utm_source=x", {"landing_path": "/", "utm_source": "x"}),
    ("/relative/path?utm_source=x#top", {"landing_path": "/relative/path", "utm_source": "x"}),
    (FULL, {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "Spring Sale", "utm_content": "a&b"}),
    (FULL, {"utm_term": "café", "click_id": "Ab_1", "click_id_type": "gclid", "landing_path": "/Pricing"}),
    (f"{PAGE}?x=1&utm_source=&utm_medium=email", {"utm_source": None, "utm_medium": "email"}),
    (f"{PAGE}?not_utm_source=no&next=https://else.example/?a=1", {"utm_source": None, "landing_path": "/Pricing"}),
    (f"{PAGE}?utm_source=100%25&utm_medium=bad%zz&utm_term=%ff", {"utm_source": "100%", "utm_medium": "bad%zz"}),
    (f"{PAGE}?utm_term=%ff%41", {"utm_term": "%ff%41"}),
    (f"{PAGE}#utm_source=fragment", {"utm_source": None, "landing_path": "/Pricing"}),
    (f"{PAGE}?fbclid=F&li_fat_id=L", {"click_id": "F", "click_id_type": "fbclid"}),
    ("", {"landing_path": None, "utm_source": None}),
    (None, {"landing_path": None, "utm_source": None}),
]


def test_urls_are_parsed_and_left_behind(build: Build) -> None:
    views = [{"page_view_id": str(number), "page_url": url} for number, (url, _) in enumerate(URLS)]
    built = build({"web.page_view": views}, "int_input__touchpoint_checked")
    for number, (url, parts) in enumerate(URLS):
        query = f"select {', '.join(parts)} from int_input__touchpoint_checked where source_id = '{number}'"
        assert dict(zip(parts, built.rows(query)[0], strict=True)) == parts, url
    assert not {"page_url", "referrer_url"} & set(built.columns("int_input__touchpoint_checked"))


# Page, referrer and the domain that counts as referrer.
REFERRERS = [
    (PAGE, "https://www.google.com/", "google.com"),
    (PAGE, "https://shop.example/home", None),
    ("https://shop.example?utm_source=x", "https://WWW.shop.example:8080#top", None),
    (PAGE, "android-app://com.app", "com.app"),
    (PAGE, "https://localhost/", None),
    (PAGE, None, None),
    ("/relative/path", "https://shop.example/home", "shop.example"),
    ("", "https://shop.example/home", "shop.example"),
    (None, "https://shop.example/home", "shop.example"),
]


def test_referrer_on_the_own_domain_is_navigation(build: Build) -> None:
    urls = ((str(number), page, referrer) for number, (page, referrer, _) in enumerate(REFERRERS))
    views = rows("page_view_id page_url referrer_url", *urls)
    built = build({"web.page_view": views}, "int_input__touchpoint_checked")
    query = (
        "select referrer_domain from int_input__touchpoint_checked where source_table = 'page_view' order by source_id"
    )
    assert built.rows(query) == [(domain,) for _, _, domain in REFERRERS]


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
