"""What a loader does to the raw tables from one build to the next, by chance but repeatable.

`RawTables.hold_back` takes a simulated company back to an earlier day: what was loaded after it goes to holding tables,
and so does a part of the older rows, which then arrives late. From there `deliver` lets days pass, and the operations of
`OPERATIONS` do what happens besides: corrections, deletions, copies, unreadable rows, merges, rows before their parents.

An operation returns the values by which its effect is recognised: the ids of the rows it touched. It raises NothingToDoError
when the tables hold nothing of its kind. Everything is plain SQL that DuckDB and PostgreSQL read alike, and every choice is
made in Python from sorted ids, so a seed does the same on both.

Whoever changes a row leaves the loader's stamp as it was in half of the cases: loaders that restate rows without a new
stamp exist, and a build that trusts the stamp must fail here.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from leadlag.simulate.tables import SCHEMAS
from leadlag.warehouse import Warehouse, quote

HOLDING = "holding"
CONNECTORS = ("salesforce", "hubspot", "web", "ads", "product")
# Tables that tell what a code means; a company has them from its first day.
REFERENCE = (
    "salesforce.opportunity_stage",
    "salesforce.user_role",
    "hubspot.deal_pipeline",
    "hubspot.deal_pipeline_stage",
    "hubspot.form",
)
HELD = [table for table in SCHEMAS if table.startswith(CONNECTORS) and table not in REFERENCE]
TOUCHPOINTS = (
    "web.page_view",
    "hubspot.email_event",
    "hubspot.email_event_sent",
    "hubspot.email_event_open",
    "hubspot.email_event_click",
    "hubspot.contact_form_submission",
    "salesforce.campaign_member",
)
# Column that identifies a row, where it is not `id`; of tables without such a column the record the row belongs to.
KEYS = {
    "web.page_view": "page_view_id",
    "web.identify": "identify_id",
    "product.event": "event_id",
    "ads.campaign": "campaign_id",
    "ads.spend_daily": "campaign_id",
    "hubspot.contact_property_history": "contact_id",
    "hubspot.contact_form_submission": "conversion_id",
    "hubspot.contact_merge_audit": "vid_to_merge",
    "hubspot.deal": "deal_id",
    "hubspot.deal_stage": "deal_id",
    "hubspot.deal_property_history": "deal_id",
    "hubspot.deal_contact": "deal_id",
    "hubspot.deal_company": "deal_id",
    "hubspot.merged_deal": "deal_id",
    "hubspot.owner": "owner_id",
    **{
        f"hubspot.engagement_{kind}": "engagement_id"
        for kind in ("call", "email", "meeting", "task", "contact", "company", "deal")
    },
}
SALESFORCE_STATUSES = (
    "Open - Not Contacted",
    "Marketing Qualified",
    "Working - Contacted",
    "Qualified",
    "Nurturing",
    "Unqualified",
)
UNMAPPED_STATUS = "Parked"
OPPORTUNITY_STAGES = {
    "Qualification": (20, False, False),
    "Proposal/Price Quote": (65, False, False),
    "Closed Won": (100, True, True),
    "Closed Lost": (0, True, False),
}
Touched = set[str]


class NothingToDoError(Exception):
    """The tables hold no row that the operation could change."""


def literal(value: Any) -> str:
    """A value as both engines read it in SQL."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return f"timestamp '{value.isoformat(sep=' ')}'"
    if isinstance(value, date):
        return f"date '{value.isoformat()}'"
    if isinstance(value, (int, float)):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def key_of(table: str) -> str:
    return KEYS.get(table, "id")


def stamp_of(table: str) -> str:
    """Column in which the loader says when it wrote the row."""
    return "_fivetran_synced" if table.startswith(("salesforce.", "hubspot.")) else "_loaded_at"


def named(table: str) -> str:
    return ".".join(quote(part) for part in table.split("."))


def held(pile: str, table: str) -> str:
    return named(f"{HOLDING}.{pile}_{table.replace('.', '_')}")


@dataclass
class Undo:
    """Statements that take an operation back, and what they touch."""

    statements: list[str]
    touched: Touched
    load: int


@dataclass
class RawTables:
    """The raw tables of a company between two builds.

    Attributes:
        warehouse: open connection; set anew for each load, since dbt needs the file for itself.
        rng: decides everything.
        now: the loader's clock.
        damaged, merged, expected: what operations of later loads repair, take apart again, and deliver at last.
        load: number of the load that is under way.
    """

    warehouse: Warehouse
    rng: random.Random
    now: datetime
    damaged: list[Undo] = field(default_factory=list)
    merged: list[Undo] = field(default_factory=list)
    expected: list[Undo] = field(default_factory=list)
    numbers: int = 0
    load: int = 0

    # --- reading and writing ------------------------------------------------------------------------------------------
    def texts(self, query: str) -> list[tuple[str, ...]]:
        """Sorted rows of a query whose columns are all text and not null."""
        return sorted(tuple(row) for row in self.warehouse.query(query).itertuples(index=False, name=None))

    def keys(self, table: str, where: str = "true") -> list[str]:
        key = f"cast({quote(key_of(table))} as varchar)"
        query = f"select distinct {key} as found from {named(table)} where {key} is not null and ({where})"
        return [row[0] for row in self.texts(query)]

    def pick(self, table: str, where: str = "true") -> str:
        """Key of a row that meets the condition."""
        return self.picks(table, 1, where)[0]

    def picks(self, table: str, count: int, where: str = "true") -> list[str]:
        found = self.keys(table, where)
        if len(found) < count:
            raise NothingToDoError
        return self.rng.sample(found, count)

    def value(self, table: str, column: str, key: str) -> str:
        """A cell as text; NothingToDoError when it is null."""
        query = f"select cast({quote(column)} as varchar) as found from {named(table)} where {self.where(table, key)}"
        found = self.texts(f"select found from ({query}) as cell where found is not null")
        if not found:
            raise NothingToDoError
        return found[0][0]

    @staticmethod
    def where(table: str, key: str) -> str:
        return f"cast({quote(key_of(table))} as varchar) = {literal(key)}"

    def execute(self, *statements: str) -> None:
        for statement in statements:
            self.warehouse.execute(statement)

    def change(self, table: str, where: str, **columns: str) -> None:
        """Set columns to SQL expressions; the loader's stamp moves in half of the cases."""
        if self.rng.random() < 0.5:
            columns.setdefault(stamp_of(table), literal(self.now))
        assignments = ", ".join(f"{quote(column)} = {value}" for column, value in columns.items())
        self.execute(f"update {named(table)} set {assignments} where {where}")

    def correct(self, table: str, key: str, **columns: str) -> Touched:
        self.change(table, self.where(table, key), **columns)
        return {key}

    def delete(self, table: str, key: str) -> Touched:
        self.execute(f"delete from {named(table)} where {self.where(table, key)}")
        return {key}

    def copy(self, table: str, key: str, **columns: str) -> None:
        """Insert a copy of a row, with these columns (SQL expressions) in place of the row's own."""
        columns.setdefault(stamp_of(table), literal(self.now))
        names = SCHEMAS[table].names
        selected = ", ".join(columns.get(name, quote(name)) for name in names)
        listed = ", ".join(quote(name) for name in names)
        self.execute(
            f"insert into {named(table)} ({listed}) select {selected} from {named(table)} "
            f"where {self.where(table, key)} limit 1"
        )

    def insert(self, table: str, **columns: str) -> None:
        columns.setdefault(stamp_of(table), literal(self.now))
        listed = ", ".join(quote(name) for name in columns)
        self.execute(f"insert into {named(table)} ({listed}) values ({', '.join(columns.values())})")

    def number(self) -> int:
        """A number that no row has yet."""
        self.numbers += 1
        return 990_000_000 + self.numbers

    def hours(self, most: int) -> str:
        return f"interval '{self.rng.randint(1, most)} hours'"

    def damage(self, table: str, key: str, **columns: str) -> Touched:
        """Spoil columns in such a way that `repair` can find the row again and restore it."""
        self.number()
        kept = held(f"damaged_{self.numbers}", table)
        self.execute(f"create table {kept} as select * from {named(table)} where {self.where(table, key)}")
        self.change(table, self.where(table, key), **columns)
        new_key = columns.get(key_of(table), literal(key))
        undo = [
            f"delete from {named(table)} where cast({quote(key_of(table))} as varchar) = {new_key}",
            f"insert into {named(table)} select * from {kept}",
            f"drop table {kept}",
        ]
        self.damaged.append(Undo(undo, {key}, self.load))
        return {key}

    def take_back(self, done: list[Undo]) -> Touched:
        earlier = [undo for undo in done if undo.load < self.load]
        if not earlier:
            raise NothingToDoError
        undo = self.rng.choice(earlier)
        done.remove(undo)
        self.execute(*undo.statements)
        return undo.touched

    # --- days -------------------------------------------------------------------------------------------------------
    def create_holding(self) -> None:
        """An empty place for rows that are not delivered; enough for operations, of which those on late rows find none."""
        self.execute(f"drop schema if exists {HOLDING} cascade", f"create schema {HOLDING}")
        for table in HELD:
            for pile in ("due", "late"):
                self.execute(f"create table {held(pile, table)} as select * from {named(table)} limit 0")

    def hold_back(self) -> None:
        """Take the company back to `now`: rows loaded later are due, a sixteenth of the older ones is late."""
        self.create_holding()
        # A year of spend of every campaign is most of the rows and teaches nothing.
        campaigns = self.keys("ads.spend_daily")[3:]
        self.execute(f"delete from ads.spend_daily where campaign_id in ({', '.join(map(literal, campaigns))})")
        for table in HELD:
            late = f"md5(coalesce(cast({quote(key_of(table))} as varchar), '')) like '7%'"
            later = f"{quote(stamp_of(table))} > {literal(self.now)}"
            self.execute(
                f"insert into {held('due', table)} select * from {named(table)} where {later}",
                f"delete from {named(table)} where {later}",
                f"insert into {held('late', table)} select * from {named(table)} where {late}",
                f"delete from {named(table)} where {late}",
            )

    def deliver(self, days: float, tables: Sequence[str] = HELD) -> None:
        """Let time pass; what falls due in these tables arrives. What is left out arrives with their next delivery."""
        self.now += timedelta(days=days)
        for table in tables:
            due = f"{quote(stamp_of(table))} <= {literal(self.now)}"
            self.execute(
                f"insert into {named(table)} select * from {held('due', table)} where {due}",
                f"delete from {held('due', table)} where {due}",
            )

    def arrive_late(self, table: str, most: int = 4) -> Touched:
        """Up to so many late rows of a table arrive, with the stamp of now or, as a restated partition, with the old one."""
        pile = held("late", table)
        key = f"cast({quote(key_of(table))} as varchar)"
        found = [row[0] for row in self.texts(f"select distinct {key} as found from {pile} where {key} is not null")]
        if not found:
            raise NothingToDoError
        chosen = self.rng.sample(found, min(most, len(found)))
        where = f"{key} in ({', '.join(map(literal, chosen))})"
        if self.rng.random() < 0.5:
            self.execute(f"update {pile} set {quote(stamp_of(table))} = {literal(self.now)} where {where}")
        self.execute(
            f"insert into {named(table)} select * from {pile} where {where}", f"delete from {pile} where {where}"
        )
        return set(chosen)


Operation = Callable[[RawTables], Touched]
OPERATIONS: dict[str, Operation] = {}


def operation(function: Operation) -> Operation:
    OPERATIONS[function.__name__] = function
    return function


# --- late rows --------------------------------------------------------------------------------------------------------
@operation
def late_lead(raw: RawTables) -> Touched:
    """Leads of the past arrive; their history may have been there as orphans."""
    return raw.arrive_late("salesforce.lead", 2)


@operation
def late_hubspot_contact(raw: RawTables) -> Touched:
    """Contacts of the past arrive; what belongs to them may have been there as orphans."""
    return raw.arrive_late("hubspot.contact", 2)


@operation
def late_status_change(raw: RawTables) -> Touched:
    """Changes of status older than what was built."""
    return raw.arrive_late("salesforce.lead_history")


@operation
def late_lifecycle_change(raw: RawTables) -> Touched:
    """The property history of a contact arrives after the contact."""
    return raw.arrive_late("hubspot.contact_property_history", 1)


@operation
def late_page_view(raw: RawTables) -> Touched:
    """Page views older than what was built: a first touch may change."""
    return raw.arrive_late("web.page_view", 10)


@operation
def late_form(raw: RawTables) -> Touched:
    """Form submissions older than what was built."""
    return raw.arrive_late("hubspot.contact_form_submission", 2)


@operation
def late_task(raw: RawTables) -> Touched:
    """Activities older than what was built: a first sales contact may change."""
    return raw.arrive_late("salesforce.task", 6)


@operation
def late_identify(raw: RawTables) -> Touched:
    """A visitor of the past becomes known."""
    return raw.arrive_late("web.identify", 3)


@operation
def late_opportunity(raw: RawTables) -> Touched:
    """Opportunities arrive after their stages and contact roles."""
    return raw.arrive_late("salesforce.opportunity", 1)


@operation
def late_opportunity_stage(raw: RawTables) -> Touched:
    """Stage changes of opportunities older than what was built."""
    return raw.arrive_late("salesforce.opportunity_history", 3)


@operation
def late_product_event(raw: RawTables) -> Touched:
    """Product usage older than what was built."""
    return raw.arrive_late("product.event", 3)


@operation
def campaign_arrives_after_its_members(raw: RawTables) -> Touched:
    """Rows that are there already refer to the campaign."""
    return raw.arrive_late("salesforce.campaign", 1)


@operation
def user_arrives_after_their_records(raw: RawTables) -> Touched:
    """Leads, tasks and opportunities that are there already name the user as owner."""
    return raw.arrive_late("salesforce.user", 1)


@operation
def account_arrives_after_its_contacts(raw: RawTables) -> Touched:
    """Contacts and opportunities that are there already belong to the account."""
    return raw.arrive_late("salesforce.account", 1)


@operation
def history_arrives_before_its_lead(raw: RawTables) -> Touched:
    """A change of status of a lead that arrives a load later (lead_of_an_orphan_arrives)."""
    pattern = raw.pick("salesforce.lead", "converted_contact_id is null")
    lead, history = f"00QNEW{raw.number()}", f"017NEW{raw.number()}"
    raw.insert(
        "salesforce.lead_history",
        id=literal(history),
        lead_id=literal(lead),
        field=literal("Status"),
        old_value=literal("Open - Not Contacted"),
        new_value=literal("Marketing Qualified"),
        created_date=literal(raw.now - timedelta(hours=2)),
        is_deleted="false",
    )
    names = SCHEMAS["salesforce.lead"].names
    new = {"id": literal(lead), "email": literal(f"{lead.lower()}@late-parent.io"), "status": "'Marketing Qualified'"}
    new |= {"created_date": literal(raw.now - timedelta(days=3)), "_fivetran_synced": literal(raw.now)}
    selected = ", ".join(new.get(name, quote(name)) for name in names)
    kept = held(f"expected_{raw.number()}", "salesforce.lead")
    raw.execute(
        f"create table {kept} as select {', '.join(map(quote, names))} from salesforce.lead limit 0",
        f"insert into {kept} select {selected} from salesforce.lead "
        f"where {raw.where('salesforce.lead', pattern)} limit 1",
    )
    arrival = [f"insert into salesforce.lead select * from {kept}", f"drop table {kept}"]
    raw.expected.append(Undo(arrival, {lead}, raw.load))
    return {history}


@operation
def lead_of_an_orphan_arrives(raw: RawTables) -> Touched:
    """The lead that history_arrives_before_its_lead left out."""
    return raw.take_back(raw.expected)


# --- new rows ---------------------------------------------------------------------------------------------------------
@operation
def lead_changes_status(raw: RawTables) -> Touched:
    """A seller sets a new status now."""
    lead = raw.pick("salesforce.lead", "not is_deleted")
    status, history = raw.rng.choice(SALESFORCE_STATUSES), f"017NEW{raw.number()}"
    raw.insert(
        "salesforce.lead_history",
        id=literal(history),
        lead_id=literal(lead),
        field=literal("Status"),
        old_value=f"(select max(status) from salesforce.lead where id = {literal(lead)})",
        new_value=literal(status),
        created_date=literal(raw.now - timedelta(minutes=raw.rng.randint(1, 600))),
        is_deleted="false",
    )
    raw.correct("salesforce.lead", lead, status=literal(status))
    return {history}


@operation
def status_nobody_mapped(raw: RawTables) -> Touched:
    """A status that status_map does not know, until a row is added there (rule_changes.unmapped_status_is_mapped)."""
    history = raw.pick("salesforce.lead_history", "field = 'Status'")
    return raw.correct("salesforce.lead_history", history, new_value=literal(UNMAPPED_STATUS))


# --- corrections in place ---------------------------------------------------------------------------------------------
@operation
def status_value_corrected(raw: RawTables) -> Touched:
    """A row of the status history says something else than before."""
    history = raw.pick("salesforce.lead_history", "field = 'Status'")
    old = raw.value("salesforce.lead_history", "new_value", history)
    status = raw.rng.choice([status for status in SALESFORCE_STATUSES if status != old])
    return raw.correct("salesforce.lead_history", history, new_value=literal(status))


@operation
def status_time_corrected(raw: RawTables) -> Touched:
    """A change of status happened earlier, perhaps before another one."""
    history = raw.pick("salesforce.lead_history", "field = 'Status' and created_date is not null")
    return raw.correct("salesforce.lead_history", history, created_date=f"created_date - {raw.hours(900)}")


@operation
def status_history_moves_to_another_lead(raw: RawTables) -> Touched:
    """The row belonged to another person: two persons change."""
    history, lead = raw.pick("salesforce.lead_history"), raw.pick("salesforce.lead")
    return raw.correct("salesforce.lead_history", history, lead_id=literal(lead))


@operation
def lifecycle_time_corrected(raw: RawTables) -> Touched:
    """HubSpot dates a lifecycle stage anew."""
    contact = raw.pick("hubspot.contact_property_history", "name = 'lifecyclestage'")
    row = f"{raw.where('hubspot.contact_property_history', contact)} and name = 'lifecyclestage'"
    raw.change("hubspot.contact_property_history", row, timestamp=f'"timestamp" - {raw.hours(400)}')
    return {contact}


@operation
def lifecycle_value_corrected(raw: RawTables) -> Touched:
    """HubSpot replaces a lifecycle stage in its history."""
    contact = raw.pick("hubspot.contact_property_history", "name = 'lifecyclestage' and value = 'lead'")
    row = f"{raw.where('hubspot.contact_property_history', contact)} and name = 'lifecyclestage' and value = 'lead'"
    raw.change("hubspot.contact_property_history", row, value="'marketingqualifiedlead'")
    return {contact}


@operation
def lead_email_corrected(raw: RawTables) -> Touched:
    """A typing error in an address; whoever shared the old one is parted from the lead."""
    lead = raw.pick("salesforce.lead")
    return raw.correct("salesforce.lead", lead, email=literal(f"corrected{raw.number()}@corrected.io"))


@operation
def lead_source_corrected(raw: RawTables) -> Touched:
    """Another lead source, which journeys and rates are cut by."""
    lead = raw.pick("salesforce.lead", "coalesce(lead_source, '') <> 'Referral'")
    return raw.correct("salesforce.lead", lead, lead_source="'Referral'")


@operation
def lead_reassigned(raw: RawTables) -> Touched:
    """Another owner."""
    lead, user = raw.pick("salesforce.lead"), raw.pick("salesforce.user")
    return raw.correct("salesforce.lead", lead, owner_id=literal(user)) | {user}


@operation
def lead_region_corrected(raw: RawTables) -> Touched:
    """Another region, which journeys and rates are cut by."""
    lead = raw.pick("salesforce.lead", "coalesce(region_c, '') <> 'APAC'")
    return raw.correct("salesforce.lead", lead, region_c="'APAC'")


@operation
def lead_created_earlier(raw: RawTables) -> Touched:
    """The time of creation, with which a journey begins, moves."""
    lead = raw.pick("salesforce.lead", "created_date is not null")
    return raw.correct("salesforce.lead", lead, created_date=f"created_date - {raw.hours(300)}")


@operation
def contact_changes_account(raw: RawTables) -> Touched:
    """A contact of Salesforce changes employer: everything of the person belongs to another account."""
    contact, account = raw.pick("salesforce.contact"), raw.pick("salesforce.account")
    return raw.correct("salesforce.contact", contact, account_id=literal(account)) | {account}


@operation
def hubspot_contact_corrected(raw: RawTables) -> Touched:
    """Personal data, company and product line of a contact."""
    contact = raw.pick("hubspot.contact")
    changes = {"property_phone": f"'+49 30 {raw.number()}'", "property_product_line": "'Other line'"}
    return raw.correct("hubspot.contact", contact, **changes, property_company="'Renamed company'")


@operation
def page_view_url_corrected(raw: RawTables) -> Touched:
    """Another address, with campaign parameters: another channel."""
    view = raw.pick("web.page_view")
    url = "https://www.leadlag-demo.eu/pricing?utm_source=partner&utm_medium=affiliate&utm_campaign=corrected"
    return raw.correct("web.page_view", view, page_url=literal(url))


@operation
def page_view_moves_to_another_visitor(raw: RawTables) -> Touched:
    """A page view changes from one person to another, or to nobody."""
    view, other = raw.picks("web.page_view", 2, "visitor_id is not null")
    visitor = raw.value("web.page_view", "visitor_id", other)
    return raw.correct("web.page_view", view, visitor_id=literal(visitor))


@operation
def task_time_corrected(raw: RawTables) -> Touched:
    """An activity happened earlier: a first sales contact may move."""
    task = raw.pick("salesforce.task", "completed_date_time is not null")
    return raw.correct("salesforce.task", task, completed_date_time=f"completed_date_time - {raw.hours(700)}")


@operation
def task_moves_to_another_person(raw: RawTables) -> Touched:
    """An activity was logged on the wrong lead."""
    task, lead = raw.pick("salesforce.task", "who_id is not null"), raw.pick("salesforce.lead")
    return raw.correct("salesforce.task", task, who_id=literal(lead)) | {lead}


@operation
def hubspot_call_corrected(raw: RawTables) -> Touched:
    """Direction and outcome of a call."""
    call = raw.pick("hubspot.engagement_call", "coalesce(property_hs_call_status, '') <> 'NO_ANSWER'")
    changes = {"property_hs_call_status": "'NO_ANSWER'", "property_hs_call_direction": "'INBOUND'"}
    return raw.correct("hubspot.engagement_call", call, **changes)


@operation
def engagement_moves_to_another_contact(raw: RawTables) -> Touched:
    """The link table says another contact; the engagement itself is unchanged."""
    engagement, contact = raw.pick("hubspot.engagement_contact"), raw.pick("hubspot.contact")
    return raw.correct("hubspot.engagement_contact", engagement, contact_id=contact)


@operation
def opportunity_stage_corrected(raw: RawTables) -> Touched:
    """Stage and flags of an opportunity change, with their own row in the history or without."""
    opportunity = raw.pick("salesforce.opportunity", "not is_deleted")
    old = raw.value("salesforce.opportunity", "stage_name", opportunity)
    stage = raw.rng.choice([name for name in OPPORTUNITY_STAGES if name != old])
    probability, closed, won = OPPORTUNITY_STAGES[stage]
    touched = raw.correct(
        "salesforce.opportunity",
        opportunity,
        stage_name=literal(stage),
        probability=literal(probability),
        is_closed=literal(closed),
        is_won=literal(won),
    )
    if raw.rng.random() < 0.7:
        raw.insert(
            "salesforce.opportunity_history",
            id=literal(f"008NEW{raw.number()}"),
            opportunity_id=literal(opportunity),
            stage_name=literal(stage),
            probability=literal(probability),
            amount="1000",
            currency_iso_code="'EUR'",
            created_date=literal(raw.now - timedelta(minutes=30)),
            is_deleted="false",
        )
    return touched


@operation
def opportunity_amount_corrected(raw: RawTables) -> Touched:
    """Another amount in another currency; the loader's history is not restated."""
    opportunity = raw.pick("salesforce.opportunity")
    return raw.correct("salesforce.opportunity", opportunity, amount="amount * 2 + 17", currency_iso_code="'USD'")


@operation
def opportunity_history_corrected(raw: RawTables) -> Touched:
    """A row of the stage history says another stage at another time."""
    history = raw.pick("salesforce.opportunity_history", "stage_name <> 'Closed Won'")
    changes = {"stage_name": "'Closed Won'", "probability": "100"}
    return raw.correct(
        "salesforce.opportunity_history", history, **changes, created_date=f"created_date - {raw.hours(200)}"
    )


@operation
def contact_role_moves(raw: RawTables) -> Touched:
    """The opportunity belongs to another person; its own row is unchanged."""
    # An opportunity that a lead was converted into belongs to that lead, whoever has a role in it.
    deciding = "opportunity_id not in (select converted_opportunity_id from salesforce.lead where converted_opportunity_id is not null)"
    role, contact = raw.pick("salesforce.opportunity_contact_role", deciding), raw.pick("salesforce.contact")
    opportunity = raw.value("salesforce.opportunity_contact_role", "opportunity_id", role)
    raw.correct("salesforce.opportunity_contact_role", role, contact_id=literal(contact))
    return {opportunity}


@operation
def deal_moves_to_another_contact(raw: RawTables) -> Touched:
    """The deal belongs to another person; its own row is unchanged."""
    deal, contact = raw.pick("hubspot.deal_contact"), raw.pick("hubspot.contact")
    return raw.correct("hubspot.deal_contact", deal, contact_id=contact)


@operation
def campaign_renamed(raw: RawTables) -> Touched:
    """Name, type and cost of a campaign."""
    campaign = raw.pick("salesforce.campaign")
    name = literal(f"Renamed {raw.number()}")
    return raw.correct("salesforce.campaign", campaign, name=name, type="'Webinar'", actual_cost="actual_cost + 5")


@operation
def campaign_member_responds_earlier(raw: RawTables) -> Touched:
    """The response of a campaign member is dated anew."""
    member = raw.pick("salesforce.campaign_member", "first_responded_date is not null")
    earlier = f"cast(first_responded_date - interval '{raw.rng.randint(2, 30)} days' as date)"
    return raw.correct("salesforce.campaign_member", member, first_responded_date=earlier)


@operation
def user_renamed(raw: RawTables) -> Touched:
    """Name, role and address of a seller, by which users of two systems are one."""
    user, role = raw.pick("salesforce.user"), raw.pick("salesforce.user_role")
    name, email = f"Renamed {raw.number()}", f"renamed{raw.number()}@leadlag-demo.io"
    return raw.correct("salesforce.user", user, name=literal(name), email=literal(email), user_role_id=literal(role))


@operation
def user_leaves(raw: RawTables) -> Touched:
    """A seller is switched off."""
    return raw.correct("salesforce.user", raw.pick("salesforce.user", "is_active"), is_active="false")


@operation
def account_renamed(raw: RawTables) -> Touched:
    """Name, industry, size and region of an account; its contacts take industry and size from it."""
    account = raw.pick("salesforce.account")
    changes = {"industry": "'Other industry'", "number_of_employees": "coalesce(number_of_employees, 0) + 1000"}
    return raw.correct(
        "salesforce.account", account, name=literal(f"Renamed {raw.number()}"), **changes, region_c="'APAC'"
    )


@operation
def spend_restated(raw: RawTables) -> Touched:
    """The ad platform restates the cost of half a year."""
    campaign = raw.pick("ads.spend_daily", "spend > 0 and date >= date '2025-06-01'")
    raw.change(
        "ads.spend_daily", f"{raw.where('ads.spend_daily', campaign)} and date >= date '2025-06-01'", spend="spend + 1"
    )
    return {f"{raw.value('ads.spend_daily', 'platform', campaign)}:{campaign}"}


@operation
def product_event_moves_to_another_user(raw: RawTables) -> Touched:
    """Usage was booked on the wrong login."""
    event, lead = raw.pick("product.event"), raw.pick("salesforce.lead", "email is not null")
    email = raw.value("salesforce.lead", "email", lead)
    return raw.correct("product.event", event, user_email=literal(email))


@operation
def email_event_recipient_corrected(raw: RawTables) -> Touched:
    """A mail went to another address than first reported."""
    event = raw.pick("hubspot.email_event", "type = 'CLICK'")
    contact = raw.pick("hubspot.contact", "property_email is not null")
    recipient = raw.value("hubspot.contact", "property_email", contact)
    return raw.correct("hubspot.email_event", event, recipient=literal(recipient))


# --- deletions --------------------------------------------------------------------------------------------------------
@operation
def history_row_deleted(raw: RawTables) -> Touched:
    """A row of the status history is gone, and no other row of the lead changes."""
    return raw.delete("salesforce.lead_history", raw.pick("salesforce.lead_history"))


@operation
def page_view_deleted(raw: RawTables) -> Touched:
    """A page view is gone: a first touch may change."""
    return raw.delete("web.page_view", raw.pick("web.page_view"))


@operation
def task_deleted(raw: RawTables) -> Touched:
    """A task is gone."""
    return raw.delete("salesforce.task", raw.pick("salesforce.task"))


@operation
def lead_deleted(raw: RawTables) -> Touched:
    """A lead is gone and its history stays, an orphan."""
    return raw.delete("salesforce.lead", raw.pick("salesforce.lead"))


@operation
def hubspot_contact_deleted(raw: RawTables) -> Touched:
    """A contact is erased with everything that is its own: a request to be forgotten."""
    contact = raw.pick("hubspot.contact")
    for table in ("contact_property_history", "contact_form_submission", "engagement_contact", "deal_contact"):
        raw.execute(f"delete from hubspot.{table} where contact_id = {contact}")
    return raw.delete("hubspot.contact", contact)


@operation
def campaign_deleted(raw: RawTables) -> Touched:
    """A campaign is gone and its members stay."""
    return raw.delete("salesforce.campaign", raw.pick("salesforce.campaign"))


@operation
def user_deleted(raw: RawTables) -> Touched:
    """A user is gone; records still name them as owner."""
    return raw.delete("salesforce.user", raw.pick("salesforce.user"))


@operation
def account_deleted(raw: RawTables) -> Touched:
    """An account is gone; contacts still name it."""
    return raw.delete("salesforce.account", raw.pick("salesforce.account"))


@operation
def opportunity_deleted(raw: RawTables) -> Touched:
    """An opportunity is gone; its history and roles stay."""
    return raw.delete("salesforce.opportunity", raw.pick("salesforce.opportunity"))


@operation
def lead_marked_deleted(raw: RawTables) -> Touched:
    """A lead moves to the recycle bin of the CRM."""
    return raw.correct("salesforce.lead", raw.pick("salesforce.lead", "not is_deleted"), is_deleted="true")


@operation
def task_marked_deleted(raw: RawTables) -> Touched:
    """A task moves to the recycle bin of the CRM."""
    return raw.correct("salesforce.task", raw.pick("salesforce.task", "not is_deleted"), is_deleted="true")


@operation
def opportunity_marked_deleted(raw: RawTables) -> Touched:
    """An opportunity moves to the recycle bin of the CRM."""
    opportunity = raw.pick("salesforce.opportunity", "not is_deleted")
    return raw.correct("salesforce.opportunity", opportunity, is_deleted="true")


@operation
def hubspot_contact_marked_deleted(raw: RawTables) -> Touched:
    """A contact is deleted in HubSpot; the loader keeps the row."""
    contact = raw.pick("hubspot.contact", "not _fivetran_deleted")
    return raw.correct("hubspot.contact", contact, _fivetran_deleted="true")


@operation
def deleted_lead_restored(raw: RawTables) -> Touched:
    """A lead comes back from the recycle bin."""
    lead = raw.pick("salesforce.lead", "is_deleted and master_record_id is null")
    return raw.correct("salesforce.lead", lead, is_deleted="false")


# --- rows delivered twice ---------------------------------------------------------------------------------------------
DOUBLED = ("salesforce.lead", "salesforce.lead_history", "salesforce.task", "web.page_view", "hubspot.contact")


@operation
def row_delivered_twice(raw: RawTables) -> Touched:
    """An exact copy of a row."""
    table = raw.rng.choice(DOUBLED)
    key = raw.pick(table)
    raw.copy(table, key, **{stamp_of(table): quote(stamp_of(table))})
    return {key}


@operation
def copy_removed_again(raw: RawTables) -> Touched:
    """Of rows with one key one stays: of equal ones it makes no difference to the accepted row which."""
    for table in raw.rng.sample(DOUBLED, len(DOUBLED)):
        key = quote(key_of(table))
        doubled = raw.keys(table, f"{key} in (select {key} from {named(table)} group by {key} having count(*) > 1)")
        if doubled:
            chosen = raw.rng.choice(doubled)
            kept = held(f"copy_{raw.number()}", table)
            raw.execute(
                f"create table {kept} as select * from {named(table)} where {raw.where(table, chosen)} "
                f"order by {', '.join(map(quote, SCHEMAS[table].names))} limit 1",
                f"delete from {named(table)} where {raw.where(table, chosen)}",
                f"insert into {named(table)} select * from {kept}",
                f"drop table {kept}",
            )
            return {chosen}
    raise NothingToDoError


@operation
def newer_version_beside_the_old(raw: RawTables) -> Touched:
    """A loader in history mode leaves the old version of a lead: two rows with one key and different values."""
    lead = raw.pick("salesforce.lead")
    raw.copy("salesforce.lead", lead, region_c="'LATAM'", owner_id=literal(raw.pick("salesforce.user")))
    return {lead}


# --- rows nobody can use ----------------------------------------------------------------------------------------------
@operation
def page_view_time_becomes_unreadable(raw: RawTables) -> Touched:
    """A time that no engine reads as one."""
    return raw.damage("web.page_view", raw.pick("web.page_view"), viewed_at="'yesterday'")


@operation
def product_event_time_becomes_unreadable(raw: RawTables) -> Touched:
    """A time that no engine reads as one."""
    return raw.damage("product.event", raw.pick("product.event"), occurred_at="'n/a'")


@operation
def lead_loses_its_time(raw: RawTables) -> Touched:
    """A lead without a time of creation is none; its person and journeys go."""
    return raw.damage("salesforce.lead", raw.pick("salesforce.lead"), created_date="null")


@operation
def lead_loses_its_id(raw: RawTables) -> Touched:
    """Blanks instead of the key; history and tasks of the lead are orphans."""
    lead = raw.pick("salesforce.lead")
    # A length that no other row has, by which the row is found again.
    raw.number()
    return raw.damage("salesforce.lead", lead, id=literal(" " * raw.numbers))


@operation
def history_loses_its_lead(raw: RawTables) -> Touched:
    """A change of status that belongs to nobody."""
    history = raw.pick("salesforce.lead_history", "lead_id is not null")
    return raw.damage("salesforce.lead_history", history, lead_id="null")


@operation
def status_swallows_the_next_column(raw: RawTables) -> Touched:
    """A status longer than any status."""
    history = raw.pick("salesforce.lead_history", "field = 'Status'")
    return raw.damage("salesforce.lead_history", history, new_value=literal("Working" * 60))


@operation
def task_of_the_future(raw: RawTables) -> Touched:
    """An activity later than its own load."""
    task = raw.pick("salesforce.task", "completed_date_time is not null")
    return raw.damage("salesforce.task", task, completed_date_time="completed_date_time + interval '4000 days'")


@operation
def damaged_row_repaired(raw: RawTables) -> Touched:
    """The loader delivers a spoilt row again, whole, with the stamp it had."""
    return raw.take_back(raw.damaged)


# --- persons joined and parted ----------------------------------------------------------------------------------------
def _crm_contacts(raw: RawTables, count: int) -> list[str]:
    return raw.picks("hubspot.contact", count, "not _fivetran_deleted and property_email is not null")


@operation
def lead_takes_the_email_of_another_person(raw: RawTables) -> Touched:
    """Two persons become one by their address; persons_part_again takes it back."""
    lead, other = raw.picks("salesforce.lead", 2, "email is not null and not is_deleted")
    old, new = (raw.value("salesforce.lead", "email", key) for key in (lead, other))
    raw.merged.append(
        Undo([f"update salesforce.lead set email = {literal(old)} where id = {literal(lead)}"], {lead, other}, raw.load)
    )
    raw.correct("salesforce.lead", lead, email=literal(new))
    return {lead, other}


@operation
def hubspot_merges_two_contacts(raw: RawTables) -> Touched:
    """The audit says so; half of the time the loader also removes the merged contact."""
    kept, merged = _crm_contacts(raw, 2)
    number = raw.number()
    raw.insert(
        "hubspot.contact_merge_audit",
        canonical_vid=kept,
        contact_id=kept,
        vid_to_merge=merged,
        timestamp=literal(raw.now - timedelta(hours=1)),
        num_properties_moved=str(number),
    )
    undo = [f"delete from hubspot.contact_merge_audit where num_properties_moved = {number}"]
    if raw.rng.random() < 0.5:
        gone = held(f"merged_{number}", "hubspot.contact")
        where = raw.where("hubspot.contact", merged)
        raw.execute(f"create table {gone} as select * from hubspot.contact where {where}")
        raw.delete("hubspot.contact", merged)
        undo += [f"insert into hubspot.contact select * from {gone}", f"drop table {gone}"]
    raw.merged.append(Undo(undo, {merged}, raw.load))
    return {merged}


@operation
def hubspot_merges_in_a_chain(raw: RawTables) -> Touched:
    """Three contacts: the first into the second, that into the third."""
    first, second, third = _crm_contacts(raw, 3)
    number = raw.number()
    for hours, merged, kept in ((5, first, second), (2, second, third)):
        raw.insert(
            "hubspot.contact_merge_audit",
            canonical_vid=kept,
            contact_id=kept,
            vid_to_merge=merged,
            timestamp=literal(raw.now - timedelta(hours=hours)),
            num_properties_moved=str(number),
        )
    undo = [f"delete from hubspot.contact_merge_audit where num_properties_moved = {number}"]
    raw.merged.append(Undo(undo, {first, second}, raw.load))
    return {first, second}


@operation
def salesforce_merges_two_leads(raw: RawTables) -> Touched:
    """The loser is marked deleted and names its master."""
    master, loser = raw.picks("salesforce.lead", 2, "not is_deleted")
    undo = f"update salesforce.lead set is_deleted = false, master_record_id = null where {raw.where('salesforce.lead', loser)}"
    raw.merged.append(Undo([undo], {loser}, raw.load))
    return raw.correct("salesforce.lead", loser, is_deleted="true", master_record_id=literal(master))


@operation
def contact_is_synced_with_another_lead(raw: RawTables) -> Touched:
    """The Salesforce id on a HubSpot contact changes: one person loses the record, another wins it."""
    contact, lead = raw.pick("hubspot.contact", "property_salesforceleadid is not null"), raw.pick("salesforce.lead")
    return raw.correct("hubspot.contact", contact, property_salesforceleadid=literal(lead))


@operation
def conversion_undone(raw: RawTables) -> Touched:
    """A converted lead was none: its links to contact, account and opportunity go."""
    lead = raw.pick("salesforce.lead", "is_converted and converted_contact_id is not null")
    columns = dict.fromkeys(
        ("converted_contact_id", "converted_account_id", "converted_opportunity_id", "converted_date"), "null"
    )
    contact = raw.value("salesforce.lead", "converted_contact_id", lead)
    raw.correct("salesforce.lead", lead, **columns, is_converted="false")
    return {lead, contact}


def _identify(raw: RawTables, visitor: str, contact: str) -> str:
    identify = f"identify-{raw.number()}"
    raw.insert(
        "web.identify",
        identify_id=literal(identify),
        visitor_id=literal(visitor),
        hubspot_contact_id=contact,
        email=f"(select max(property_email) from hubspot.contact where id = {contact})",
        identified_at=literal(raw.now - timedelta(hours=1)),
        received_at=literal(raw.now - timedelta(hours=1)),
    )
    raw.merged.append(Undo([f"delete from web.identify where identify_id = {literal(identify)}"], {identify}, raw.load))
    return identify


@operation
def visitor_becomes_known(raw: RawTables) -> Touched:
    """An identify call: all earlier page views of the visitor belong to a person."""
    unknown = "visitor_id is not null and visitor_id not in (select visitor_id from web.identify where visitor_id is not null)"
    view = raw.pick("web.page_view", unknown)
    return {_identify(raw, raw.value("web.page_view", "visitor_id", view), _crm_contacts(raw, 1)[0])}


@operation
def second_person_at_one_visitor(raw: RawTables) -> Touched:
    """A shared browser: two persons identify the same visitor."""
    identify = raw.pick("web.identify", "visitor_id is not null")
    return {_identify(raw, raw.value("web.identify", "visitor_id", identify), _crm_contacts(raw, 1)[0])}


@operation
def identify_deleted(raw: RawTables) -> Touched:
    """A visitor is nobody's again."""
    return raw.delete("web.identify", raw.pick("web.identify"))


@operation
def persons_part_again(raw: RawTables) -> Touched:
    """An earlier merge is taken back: the e-mail changes back, the audit row or the identify call goes."""
    return raw.take_back(raw.merged)


def apply(raw: RawTables, names: Sequence[str]) -> Mapping[str, Touched]:
    """Carry out operations; those that found nothing to do are left out of the answer."""
    raw.load += 1
    done = {}
    for name in names:
        try:
            done[name] = OPERATIONS[name](raw)
        except NothingToDoError:
            continue
    return done
