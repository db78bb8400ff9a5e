"""Names, employers and e-mail addresses of the persons of a chunk, as Arrow columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leadlag.simulate.arrays import Ints, digits, join, pick, text
from leadlag.simulate.people import Companies, People
from leadlag.simulate.world import COMPANY_FIRST, COMPANY_SECOND, COMPANY_THIRD, COUNTRIES, FIRST_NAMES, LAST_NAMES


@dataclass
class Names:
    """Text of each person (first block) and of each company of the chunk (second block)."""

    first: Any
    last: Any
    full: Any
    email: Any
    phone: Any
    employer: Any

    company: Any
    domain: Any


def _company_names(companies: Companies) -> tuple[Any, Any]:
    """Names and domains; a domain occurs once in the whole run."""
    combinations = len(COMPANY_FIRST) * len(COMPANY_SECOND) * len(COMPANY_THIRD)
    # Multiplying by a number without common factor visits every combination once before it repeats.
    scrambled = companies.number * 7_919 % combinations
    rest, third = np.divmod(scrambled, len(COMPANY_THIRD))
    first, second = np.divmod(rest, len(COMPANY_SECOND))
    stem = join(pick(COMPANY_FIRST, first), pick(COMPANY_SECOND, second))
    sector = pick(COMPANY_THIRD, third)
    turn = companies.number // combinations
    labels = ["", *[f" {number}" for number in range(2, int(turn.max(initial=0)) + 2)]]
    name = join(stem, " ", sector, pick(labels, turn))
    slugs = [label.strip() for label in labels]
    domain = join(
        pc.utf8_lower(stem),
        "-",
        pc.utf8_lower(sector),
        pick(slugs, turn),
        ".",
        pick([country.domain for country in COUNTRIES], companies.country),
    )
    return name, domain


def make_names(people: People, companies: Companies) -> Names:
    """Text columns of persons and companies."""
    company, domain = _company_names(companies)
    first = pick(FIRST_NAMES, people.first_name)
    last = pick(LAST_NAMES, people.last_name)
    rank = people.duplicate_name
    suffix = pick(["", "", *[str(number) for number in range(2, int(rank.max(initial=1)) + 1)]], rank)
    local = join(pc.utf8_lower(first), ".", pc.utf8_lower(last))
    employer_rows = pa.array(people.company)
    at_work = join(local, suffix, "@", domain.take(employer_rows))
    # A private address has to be unique in the world, so it carries the person's number.
    private = join(local, ".", _decimal(people.number), "@", pick(["gmail.com", "outlook.com"], people.number % 2))
    return Names(
        first=first,
        last=last,
        full=join(first, " ", last),
        email=pc.if_else(pa.array(people.freemail), private, at_work),
        phone=join(pick(["+49 40 ", "+1 614 ", "+65 6 "], people.region), text(digits(people.number * 37 % 10**7, 7))),
        employer=company.take(employer_rows),
        company=company,
        domain=domain,
    )


def _decimal(values: Ints) -> Any:
    return pa.array(values).cast(pa.string())
