"""The UTM standard and the traffic rules, on links as people write them, against a parser of the standard library."""

import csv
import random
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, quote_plus, unquote_to_bytes

import pytest
from conftest import RunDbt
from contract_build import SHIPPED_POLICIES, ContractBuild, Warehouse
from oracle import Settings

Row = dict[str, Any]
DAY = datetime(2024, 10, 1, 9)
SETTINGS = Settings(as_of=DAY + timedelta(days=60))
PARAMETERS = ("utm_source", "utm_medium", "utm_campaign")
PAGE = "https://www.shop.example/pricing"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
PERSON = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:131.0) Gecko/20100101 Firefox/131.0"
VALUES = {
    "utm_source": ["google", "Google", " linkedin", "fb", "newsletter", "münchen", "partner-x", ""],
    "utm_medium": ["cpc", "CPC", "PPC", "Paid Social", "email", "E-Mail", "carrier pigeon", "социальные", ""],
    "utm_campaign": ["spring_sale", "Spring Sale", "spring-sale", "spring__sale", "été_2024", "50% off", "a+b", ""],
}
CAMPAIGN_SPEND = {"spring_sale": 300, "other_campaign": 100}


def seed(name: str) -> list[Row]:
    with (SHIPPED_POLICIES / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def random_link(rng: random.Random) -> str:
    """A link with tags: in any order, encoded in any way, some broken."""
    pairs = []
    for name in rng.sample(PARAMETERS, k=rng.choice((1, 2, 3, 3, 3, 3))):
        value = rng.choice(VALUES[name])
        encoded = rng.choice((quote, quote_plus))(value)
        if rng.random() < 0.05:
            encoded = quote(encoded)
        pairs.append((name if rng.random() < 0.95 else name.title(), encoded))
    if rng.random() < 0.1:
        pairs.append(rng.choice(pairs))
    if rng.random() < 0.3:
        pairs.insert(0, ("lang", "de"))
    separator = "&amp;" if rng.random() < 0.05 else "&"
    query = separator.join("=".join(pair) for pair in pairs)
    start = rng.choice(("?",) * 18 + ("?a=1?", "#"))
    return PAGE + start + query + rng.choice(("", "", "#top"))


def decoded(value: str) -> str:
    """As browsers decode, unless it is no UTF-8."""
    text = value.replace("+", " ")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        return text


def read(url: str) -> Row:
    """What a link says: the tags as written, and the fault that utm_fault names."""
    query = url.split("?", 1)[1].split("#", maxsplit=1)[0] if "?" in url.split("#", maxsplit=1)[0] else ""
    pairs = [pair.partition("=")[::2] for pair in query.split("&")]
    written = {name: next((decoded(value) or None for key, value in pairs if key == name), None) for name in PARAMETERS}
    keys = Counter(key for key, _ in pairs)
    lost = {key.lower() for key in keys} & set(PARAMETERS) - set(keys)
    fault = (
        "escaped_separator"
        if "&amp;utm_" in query.lower()
        else "second_question_mark"
        if "?utm_" in query.lower()
        else "in_fragment"
        if "utm_" in url.partition("#")[2].lower()
        else "parameter_case"
        if lost
        else "repeated_parameter"
        if any(keys[name] > 1 for name in PARAMETERS)
        else "broken_encoding"
        if any("%" in (value or "") for value in written.values())
        else None
    )
    return {**written, "fault": fault}


def breaches(link: Row) -> list[Row]:
    """Rows of utm_compliance for a link, by the words of the seeds."""
    taxonomy = {row["utm_medium"]: row for row in seed("utm_taxonomy")}
    alias = {(row["parameter"], row["alias"]): row["standard"] for row in seed("utm_alias")}

    def standard(name: str) -> str | None:
        value = link[name]
        if value is None:
            return None
        known = alias.get((name, value.strip(" ").lower()))
        if known is None and name == "utm_campaign":
            return str(value).strip(" ").replace(" ", "_").replace("-", "_").lower()
        return known or str(value).strip(" ").lower()

    medium = standard("utm_medium")
    rules = taxonomy.get(medium or "", taxonomy["*"])

    def allowed(name: str, value: str) -> bool:
        if name == "utm_medium":
            return value in taxonomy and value != "*"
        return re.fullmatch(rules[name], value) is not None

    found = [{"parameter": "link", "utm_rule": link["fault"]}] if link["fault"] else []
    for name in PARAMETERS:
        value, meant = link[name], standard(name)
        is_alias = value is not None and (name, value.strip(" ").lower()) in alias
        if value is None or meant is None:
            rule = None if link["fault"] else "missing"
        elif allowed(name, value) and not is_alias:
            rule = None
        elif not allowed(name, meant):
            rule = "not_allowed"
        else:
            rule = "alias" if is_alias else "spelling"
        if rule:
            corrected = meant if rule in ("alias", "spelling") else None
            found.append({"parameter": name, "utm_rule": rule, "written_value": value, "corrected_value": corrected})
    return [{**row, "breach_number": number, "owner": rules["owner"]} for number, row in enumerate(found, 1)]


@pytest.fixture(scope="module")
def urls() -> list[str]:
    rng = random.Random(42)
    return [
        *(random_link(rng) for _ in range(600)),
        *[PAGE + "?utm_source=google&utm_medium=cpc&utm_campaign=spring_sale"] * 7,
        # A page that has a tag's name in another place is no tagged link; a nested address is not the link's own.
        PAGE + "/utm_guide",
        PAGE + "?next=" + quote("https://else.example/?utm_source=Nested", safe=""),
        PAGE + "?not_utm_source=x",
    ]


def touch(source_id: str, number: int = 0, **columns: Any) -> Row:
    when = DAY + timedelta(minutes=number)
    return {
        "source_system": "web",
        "source_table": "page_view",
        "source_id": source_id,
        "occurred_at": when,
        "recorded_at": when,
        "touchpoint_type": "web",
        **columns,
    }


AGENTS: dict[str, tuple[Row, str]] = {
    "person": ({"user_agent": PERSON}, "person"),
    "unknown": ({}, "person"),
    "googlebot": ({"user_agent": GOOGLEBOT}, "bot"),
    "script": ({"user_agent": "python-requests/2.32"}, "bot"),
    # A phone of the make Cubot is no bot.
    "phone": ({"user_agent": "Mozilla/5.0 (Linux; Android 12; CUBOT X70) Chrome/120"}, "person"),
    "staging": ({"page_url": "https://staging.shop.example/x", "user_agent": PERSON}, "internal"),
    "laptop": ({"page_url": "http://localhost:8080/x"}, "internal"),
    "shop": ({"page_url": "https://shop.example/staging.html"}, "person"),
}


@pytest.fixture(scope="module")
def built(run_dbt: RunDbt, tmp_path_factory: pytest.TempPathFactory, urls: list[str]) -> Iterator[Warehouse]:
    """One build for all tests of this module."""
    folder = tmp_path_factory.mktemp("tracking")
    record = {
        "source_system": "salesforce",
        "source_table": "lead",
        "source_id": "L1",
        "record_type": "lead",
        "email": "ann@acme.io",
        "occurred_at": DAY - timedelta(days=1),
        "recorded_at": SETTINGS.as_of,
    }
    status = {
        **{name: record[name] for name in ("source_system", "record_type", "recorded_at")},
        "source_table": "lead_history",
        "source_id": "S1",
        "record_source_id": "L1",
        "status_field": "status",
        "status_raw": "Open",
        "occurred_at": DAY + timedelta(days=1),
    }
    # Bots come first, so that they would be the journey's first channel.
    identified = [
        touch(f"bot{number}", number, user_agent=GOOGLEBOT, utm_medium="email", email="ann@acme.io")
        for number in range(3)
    ]
    identified += [
        touch("ann1", 10, user_agent=PERSON, utm_source="google", utm_medium="ppc", email="ann@acme.io"),
        touch("ann2", 11, user_agent=PERSON, utm_source="newsletter", utm_medium="E-Mail", email="ann@acme.io"),
    ]
    spend = [
        {
            "source_system": "ads",
            "source_table": "spend",
            "source_id": name,
            "platform": "google_ads",
            "spend_date": DAY.date(),
            "occurred_at": DAY,
            "recorded_at": DAY,
            "amount": amount,
            "currency_code": "EUR",
            "campaign_name": name.replace("_", " ").title(),
        }
        for name, amount in CAMPAIGN_SPEND.items()
    ]
    tables = {
        "lead_record": [record],
        "status_event": [status],
        "spend": spend,
        "touchpoint": [
            *(touch(f"U{number}", page_url=url) for number, url in enumerate(urls)),
            *(touch(name, **columns) for name, (columns, _) in AGENTS.items()),
            *identified,
        ],
    }
    project = ContractBuild(run_dbt, folder)
    yield project.build(
        folder / "leadlag.duckdb", tables, SETTINGS, select=["utm_compliance", "fct_journey", "int_attribution__touch"]
    )


def test_links_are_read_as_the_standard_library_reads_them(built: Warehouse, urls: list[str]) -> None:
    found = {row["source_id"]: row for row in built.read("int_input__touchpoint_checked")}
    for number, url in enumerate(urls):
        row, says = found[f"U{number}"], read(url)
        assert row["quarantine_rule"] is None
        assert (row["utm_source_raw"], row["utm_medium_raw"], row["utm_campaign"], row["utm_fault"]) == tuple(
            says.values()
        ), url
        assert (row["utm_source"], row["utm_medium"]) == tuple(
            value and value.lower() for value in (says["utm_source"], says["utm_medium"])
        ), url
    faults = Counter(row["utm_fault"] for row in found.values())
    assert len(faults) == 7 and faults[None] > 300


def test_every_breach_of_the_standard_is_named_once(built: Warehouse, urls: list[str]) -> None:
    links = Counter(tuple(read(url).items()) for url in urls)
    # The touches of Ann and the bots are links, too.
    for medium, source, number in (("email", None, 3), ("ppc", "google", 1), ("E-Mail", "newsletter", 1)):
        says = {"utm_source": source, "utm_medium": medium, "utm_campaign": None, "fault": None}
        links[tuple(says.items())] += number
    tagged = {link: number for link, number in links.items() if any(value for _, value in link)}
    all_touches = sum(tagged.values())
    expected = {}
    for link, number in tagged.items():
        for row in breaches(dict(link)):
            expected[(link, row["parameter"])] = {
                "written_value": None,
                "corrected_value": None,
                **row,
                "touchpoint_count": number,
                "touchpoint_share": pytest.approx(number / all_touches),
            }
    rows = built.read("utm_compliance")
    found = {}
    for row in rows:
        link = (
            *(zip(PARAMETERS, (row[f"{name}_raw"] for name in PARAMETERS), strict=True)),
            (
                "fault",
                next(
                    (r["utm_rule"] for r in rows if r["link_key"] == row["link_key"] and r["parameter"] == "link"), None
                ),
            ),
        )
        found[(link, row["parameter"])] = {name: row[name] for name in next(iter(expected.values()))}
    assert found == expected
    assert {row["utm_rule"] for row in rows} >= {"missing", "not_allowed", "alias", "spelling"}


def test_spend_of_a_campaign_is_parted_among_its_links(built: Warehouse, urls: list[str]) -> None:
    links = [read(url) for url in urls]
    named = [
        link
        for link in links
        if (link["utm_campaign"] or "").strip().lower().replace(" ", "_").replace("-", "_") == "spring_sale"
    ]
    broken = sum(bool(breaches(link)) for link in named) / len(named) * CAMPAIGN_SPEND["spring_sale"]
    assert 0 < broken < CAMPAIGN_SPEND["spring_sale"]
    query = "select sum(spend_base) as spend, sum(spend_share) as share from main_marts.utm_compliance where breach_number = 1"
    (row,) = built.rows(query)
    assert row == {"spend": pytest.approx(broken), "share": pytest.approx(broken / sum(CAMPAIGN_SPEND.values()))}


def test_bots_and_the_company_itself_are_kept_and_have_no_say(built: Warehouse) -> None:
    traffic = {row["source_id"]: row["traffic"] for row in built.read("fct_touchpoint")}
    assert {name: traffic[name] for name in AGENTS} == {name: expected for name, (_, expected) in AGENTS.items()}
    (journey,) = built.read("fct_journey")
    # The misspelt medium is in its channel all the same.
    assert (journey["first_channel"], journey["touchpoint_count"]) == ("paid_search", 2)
    touched = built.rows("select channel from main_intermediate.int_attribution__touch order by occurred_at")
    assert [row["channel"] for row in touched] == ["paid_search", "email"]
