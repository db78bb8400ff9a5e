"""A made-up company for lead scores: the tables that models of scoring read, with effects that are known."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

BEGIN, AS_OF, WINDOW = pd.Timestamp("2023-01-01"), pd.Timestamp("2025-10-20 08:30:00"), 60
DEFINITION = "mql_to_sql_60d"
TITLES = ("Head of Operations", "vp supply chain", "IT Manager", "Data Analyst", "Student", None)
SCHEMAS = {"fct_": "main_marts", "dim_": "main_marts", "int_": "main_intermediate"}


@dataclass
class World:
    """Tables by name. effect: log odds of the title Head of Operations and of a visit to the pricing page."""

    seed: int
    journeys: int = 1_500
    effect: float = 0.0
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        count = self.journeys
        persons = np.arange(1, count + 1)
        days = (AS_OF - BEGIN).days
        # Systems of record keep whole seconds. Some persons come a second time.
        mql = BEGIN + pd.to_timedelta(rng.integers(40 * 86_400, days * 86_400, count), unit="s")
        person = np.where(rng.uniform(size=count) < 0.1, rng.integers(1, count + 1, count), persons)
        order = np.lexsort((mql, person))
        person, mql = person[order], mql[order]
        number = pd.Series(person).groupby(person).cumcount().to_numpy() + 1
        title = rng.choice(np.array(TITLES, dtype=object), count)
        pricing = rng.uniform(size=count) < 0.3
        strong = (title[person - 1] == TITLES[0]).astype(float) + pricing
        odds = -0.6 + self.effect * strong
        converts = rng.uniform(size=count) < 1 / (1 + np.exp(-odds))
        after = pd.to_timedelta(rng.integers(3_600, WINDOW * 86_400 - 1, count), unit="s")
        converted_at = pd.Series(mql + after).where(converts)
        ended_at = pd.Series(mql + pd.to_timedelta(rng.integers(86_400, 120 * 86_400, count), unit="s")).where(
            ~converts
        )
        won = converts & (rng.uniform(size=count) < 0.3)
        won_at = (converted_at + pd.Timedelta(days=20)).where(won)
        seen = {"converted_at": converted_at, "ended_at": ended_at.fillna(won_at), "won_at": won_at}
        seen = {name: times.where(times <= AS_OF) for name, times in seen.items()}
        key = np.arange(1_001, 1_001 + count)
        self.titles, self.pricing, self.strong = title, pricing, strong
        entered = mql - pd.to_timedelta(rng.integers(0, 20 * 86_400, count), unit="s")
        is_mature = pd.Series(mql + pd.Timedelta(days=WINDOW) <= AS_OF)
        within = seen["converted_at"].notna()
        self.tables = {
            "int_input__clock": pd.DataFrame({"as_of": [AS_OF], "as_of_date": [AS_OF.date()]}),
            "dim_person": pd.DataFrame({"person_key": persons}),
            "fct_journey": pd.DataFrame(
                {
                    "journey_key": key,
                    "person_key": person,
                    "journey_number": number,
                    "entered_at": entered,
                    # One in fifty has skipped the stage.
                    "mql_at": pd.Series(mql).where(key % 50 != 0),
                    "sal_at": mql,
                    "sql_at": seen["converted_at"],
                    "opportunity_at": seen["converted_at"],
                    "won_at": seen["won_at"],
                }
            ),
            "fct_conversion": pd.DataFrame(
                {
                    "conversion_definition": DEFINITION,
                    "journey_key": key,
                    "person_key": person,
                    "journey_number": number,
                    "entered_at": mql,
                    "entered_date": pd.Series(mql).dt.date,
                    "converted_at": seen["converted_at"],
                    "ended_at": seen["ended_at"],
                    "outcome": np.where(seen["won_at"].notna(), "won", "open"),
                    "is_mature": is_mature,
                    "in_denominator": is_mature,
                    "in_numerator": is_mature & within,
                    "why_not": pd.Series("immature", index=range(count)).where(~is_mature, None),
                }
            ),
            "fct_stage_event": pd.DataFrame(
                {
                    "journey_key": key,
                    "occurred_at": seen["converted_at"],
                    # Some salespeople write it down a month later.
                    "recorded_at": seen["converted_at"] + pd.to_timedelta(np.where(key % 10 == 0, 30, 0), unit="D"),
                    "resolution": "effective",
                }
            ).dropna(),
            "int_kpi__opportunity": pd.DataFrame(
                {"journey_key": key, "won_date": seen["won_at"].dt.date, "gross_margin": rng.uniform(500, 9_000, count)}
            ).dropna(),
        }
        self._facts(rng, person, mql)

    def _facts(self, rng: np.random.Generator, person: np.ndarray, mql: pd.DatetimeIndex) -> None:
        """Touchpoints, activities, product events and records around the MQLs, some recorded late, some planned ahead."""
        count = len(person)

        def around(who: np.ndarray, when: pd.DatetimeIndex, spread: int) -> pd.DataFrame:
            occurred = when - pd.to_timedelta(
                rng.integers(-spread // 4, spread, len(who)) * 86_400_000 + 123, unit="ms"
            )
            late = np.where(rng.uniform(size=len(who)) < 0.1, rng.integers(0, 40 * 86_400, len(who)), 0)
            return pd.DataFrame(
                {"person_key": who, "occurred_at": occurred, "recorded_at": occurred + pd.to_timedelta(late, unit="s")}
            )

        picked = rng.integers(0, count, 3 * count)
        touches = around(person[picked], mql[picked], 90)
        kinds = np.array(
            [
                ("web", "page_view"),
                ("email", "open"),
                ("email", "Click"),
                ("form", "form_submission"),
                ("campaign", "Attended"),
            ],
            dtype=object,
        )[rng.choice(5, len(touches), p=[0.5, 0.2, 0.1, 0.1, 0.1])]
        touches["touchpoint_type"], touches["interaction"] = kinds[:, 0], kinds[:, 1]
        touches["landing_path"] = np.where(
            touches["touchpoint_type"] == "web", rng.choice(["/", "/demo", "/Careers/x"], len(touches)), None
        )
        # A form within the second of the MQL, and the visits that decide.
        forms = pd.DataFrame({"person_key": person, "occurred_at": mql + pd.Timedelta(milliseconds=400)})[::3]
        forms = forms.assign(recorded_at=forms["occurred_at"], touchpoint_type="form", interaction="form_submission")
        visits = pd.DataFrame({"person_key": person, "occurred_at": mql - pd.Timedelta(days=2)})[self.pricing]
        visits = visits.assign(
            recorded_at=visits["occurred_at"],
            touchpoint_type="web",
            interaction="page_view",
            landing_path="/pricing/list",
        )
        touches = pd.concat([touches, forms, visits], ignore_index=True)
        touches["touchpoint_key"] = np.arange(len(touches))
        touches["traffic"] = np.where(touches["touchpoint_key"] % 20 == 7, "bot", "person")
        touches["channel"] = np.where(touches["touchpoint_type"] == "email", "email", "direct")
        touches["person_key"] = touches["person_key"].astype("Int64").mask(touches["touchpoint_key"] % 25 == 3)
        calls = around(person[::2], mql[::2], 60)
        calls["activity_key"] = np.arange(len(calls))
        calls["activity_type"] = rng.choice(["call", "meeting"], len(calls))
        calls["direction"] = rng.choice(np.array(["inbound", "outbound", None], dtype=object), len(calls))
        calls["outcome"] = rng.choice(np.array(["Connected", None], dtype=object), len(calls))
        usage = around(person[::4], mql[::4], 60)
        usage["product_event_key"] = np.arange(len(usage))
        usage["event_name"] = rng.choice(["trial_started", "limit_reached", "teammate_invited", "other"], len(usage))
        usage["email_key"] = usage["person_key"].where(usage["product_event_key"] % 2 == 0).astype("Int64") + 500_000
        usage["lead_record_key"] = usage["person_key"].where(usage["product_event_key"] % 2 == 1).astype("Int64")
        persons = np.arange(1, count + 1)
        first = pd.Series(mql).groupby(person).min().reindex(persons).fillna(AS_OF - pd.Timedelta(days=50))
        record = pd.DataFrame(
            {
                "lead_record_key": persons,
                "source_system": "salesforce",
                "account_source_id": [f"a{one % 300}" for one in persons],
                "job_title": self.titles,
                "industry": rng.choice(np.array(["Retail", "Media", None], dtype=object), count),
                "employee_count": pd.array(rng.choice([5, 9, 10, 49, 50, 499, 500, 2_000], count), dtype="Int64"),
                "country": rng.choice(["Germany", "Spain"], count),
                "region": "EMEA",
                "product_line": "Core",
                "lead_source": rng.choice(["Purchased List", "Web"], count),
                "recorded_at": (first - pd.Timedelta(days=30)).to_numpy(),
            }
        )
        # Every tenth person has a second record, later and with another title.
        second = record[persons % 10 == 0].assign(
            lead_record_key=lambda rows: rows["lead_record_key"] + 100_000,
            job_title="Chief Operating Officer",
            recorded_at=lambda rows: rows["recorded_at"] + pd.Timedelta(days=45),
        )
        records = pd.concat([record, second], ignore_index=True)
        records["employee_count"] = records["employee_count"].mask(records["lead_record_key"] % 7 == 0)
        accounts = pd.DataFrame({"source_id": [f"a{number}" for number in range(250)], "source_system": "salesforce"})
        accounts["industry"] = np.where(accounts.index % 2 == 0, "Logistics", None)
        accounts["employee_count"] = pd.array(np.where(accounts.index % 3 == 0, 700, 20), dtype="Int64")
        accounts["country"], accounts["region"] = "Germany", "EMEA"
        accounts["known_at"] = pd.Series(BEGIN + pd.to_timedelta(accounts.index * 3, unit="D")).where(
            accounts.index % 5 > 0
        )
        self.tables |= {
            "fct_touchpoint": touches,
            "fct_activity": calls,
            "int_input__product_event": usage,
            "int_input__lead_record": records,
            "int_input__account": accounts,
            "int_identity__lead_record_person": pd.DataFrame(
                {"lead_record_key": records["lead_record_key"], "person_key": records["lead_record_key"] % 100_000}
            ),
            "int_identity__email_person": pd.DataFrame({"email_key": persons + 500_000, "person_key": persons}),
        }
