"""Who may do what where: one entry for every address of the site, with every kind of user.

The site itself does not read this table: scope and rights stand in the querysets and services. It says what
they must come to, `tests/permissions` asks every address as everybody, and `docs/permissions.md` is printed
from it. An address without an entry fails the tests.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import BUREAU_ROLES, FILING_ROLES, ORGANIZATION_ROLES, SEEING_ROLES, Role
from enterprises.models import Bureau

Level = Bureau.Level


class Answer(StrEnum):
    """What an address answers. ``open``: it shows or does what was asked, or says what to correct."""

    OPEN = "open"
    REFUSED = "403"
    ABSENT = "404"
    LOGIN = "login"
    METHOD = "405"


class Relation(StrEnum):
    """Where the row stands in the tree, seen from the user's bureau or organisation.

    A firm's sibling is another firm of the same bureau; its superior row belongs to the bureau above.
    """

    OWN = "own"
    SUBORDINATE = "subordinate"
    SIBLING = "sibling"
    SUPERIOR = "superior"
    FOREIGN = "foreign"


class Kind(NamedTuple):
    """A kind of user: the role of its one grant, the level of the bureau that the grant is for, and whether
    it manages its organisation."""

    name: str
    role: str = ""
    level: int | None = None
    is_superuser: bool = False
    manages: bool = False

    @property
    def relations(self) -> tuple[Relation, ...]:
        """The relations in which a row can stand to such a user."""
        if not self.role:
            return (Relation.FOREIGN,)
        if self.level is None:
            return (Relation.OWN, Relation.SIBLING, Relation.SUPERIOR, Relation.FOREIGN)
        if self.level == Level.NATIONAL:
            return (Relation.OWN, Relation.SUBORDINATE)
        if self.level == Level.COUNTY:
            return (Relation.OWN, Relation.SIBLING, Relation.SUPERIOR, Relation.FOREIGN)
        return tuple(Relation)


ANONYMOUS = Kind("anonymous")
APPLICANT = Kind("applicant")
SUPERUSER = Kind("superuser", is_superuser=True)
KINDS = (
    ANONYMOUS,
    APPLICANT,
    Kind("filer", Role.FILER),
    Kind("manager", Role.FILER, manages=True),
    Kind("coordinator", Role.COORDINATOR),
    Kind("secretary", Role.SECRETARY),
    Kind("institution", Role.INSTITUTION),
    Kind("expert", Role.EXPERT, Level.CITY),
    Kind("county officer", Role.OFFICER, Level.COUNTY),
    Kind("city officer", Role.OFFICER, Level.CITY),
    Kind("province officer", Role.OFFICER, Level.PROVINCE),
    Kind("national officer", Role.OFFICER, Level.NATIONAL),
    Kind("statistician", Role.STATISTICIAN, Level.CITY),
    Kind("national statistician", Role.STATISTICIAN, Level.NATIONAL),
    Kind("auditor", Role.AUDITOR, Level.CITY),
    Kind("administrator", Role.ADMINISTRATOR, Level.CITY),
    Kind("national administrator", Role.ADMINISTRATOR, Level.NATIONAL),
    SUPERUSER,
)


@dataclass(frozen=True)
class Rule:
    """A condition on the user and on the relation of the row, and what it says in words."""

    words: str
    holds: Callable[[Kind, Relation | None], bool]

    def __or__(self, other: "Rule") -> "Rule":
        return Rule(
            f"{self.words}; {other.words}",
            lambda kind, relation: self.holds(kind, relation) or other.holds(kind, relation),
        )


def _line(*roles: str) -> Callable[[Kind, Relation | None], bool]:
    """Whether one of the roles is held for the bureau of the row or for one above it."""
    return lambda kind, relation: (
        kind.role in roles and relation in (Relation.OWN, Relation.SUBORDINATE) and kind.level is not None
    )


def _own(*roles: str) -> Callable[[Kind, Relation | None], bool]:
    """Whether one of the roles is held for the organisation whose row it is."""
    return lambda kind, relation: kind.role in roles and relation == Relation.OWN and kind.level is None


def _role(*roles: str) -> Callable[[Kind, Relation | None], bool]:
    return lambda kind, _relation: kind.role in roles


ISSUERS = (Role.ADMINISTRATOR, Role.STATISTICIAN)

ANYBODY = Rule("anybody", lambda _kind, _relation: True)
USERS = Rule("whoever is signed in", lambda kind, _relation: kind != ANONYMOUS)
NOBODY = Rule("nobody", lambda _kind, _relation: False)
HOLDERS = Rule("whoever holds a grant", lambda kind, _relation: bool(kind.role))
FILERS = Rule("filers and coordinators", _role(*FILING_ROLES))
BUREAU_PEOPLE = Rule("people of a bureau", _role(*BUREAU_ROLES))
READERS = Rule("people of a bureau, experts apart", _role(*SEEING_ROLES))
INSTITUTES = Rule("people of institutions", _role(Role.INSTITUTION))
STATISTICS = Rule("statisticians and administrators", _role(*ISSUERS))
NATIONAL_STATISTICS = Rule(
    "statisticians and administrators of the national bureau",
    lambda kind, _relation: kind.role in ISSUERS and kind.level == Level.NATIONAL,
)

PEOPLE = Rule("people of the organisation", _own(*ORGANIZATION_ROLES))
LINE = Rule("the bureau line, experts apart", _line(*SEEING_ROLES))
PARTIES = PEOPLE | LINE
FIRM = Rule("filers and coordinators of the firm", _own(*FILING_ROLES))
SOLVER = Rule("the institution to which it was dispatched", _own(Role.INSTITUTION))
ITS_PEOPLE = Rule("people of the institution", _own(Role.INSTITUTION))
LODGER = Rule("the institution that lodged it", _own(Role.INSTITUTION))
OFFICERS = Rule("officers of the bureau line", _line(Role.OFFICER))
ALL_OFFICERS = Rule("officers", _role(Role.OFFICER))
CITY_OFFICERS = Rule(
    "officers of cities and above",
    lambda kind, _relation: kind.role == Role.OFFICER and kind.level is not None and kind.level <= Level.CITY,
)
CITY_LINE = Rule(
    "officers of cities and above in the bureau line",
    lambda kind, relation: OFFICERS.holds(kind, relation) and CITY_OFFICERS.holds(kind, relation),
)
ISSUING = Rule("statisticians and administrators of the bureau line", _line(*ISSUERS))
SIGNING = Rule("administrators of the bureau line", _line(Role.ADMINISTRATOR))
PREPARING = Rule(
    "statisticians, auditors and administrators of the bureau line", _line(*ISSUERS, Role.AUDITOR)
)

CONFIRMERS = (Role.OFFICER, Role.STATISTICIAN)
CONFIRMING = Rule(
    "officers and statisticians of the unit",
    lambda kind, relation: (
        kind.role in CONFIRMERS and relation == Relation.OWN and kind.level != Level.NATIONAL
    ),
)
ABOVE = Rule(
    "officers and statisticians of the bureaus above",
    lambda kind, relation: kind.role in CONFIRMERS and relation == Relation.SUBORDINATE,
)

ADMINISTRATORS = Rule(
    "administrators and superusers",
    lambda kind, _relation: kind.role == Role.ADMINISTRATOR or kind.is_superuser,
)
OUTSIDERS = Rule("everybody else", lambda kind, relation: not ADMINISTRATORS.holds(kind, relation))
NATIONAL_ADMINISTRATORS = Rule(
    "administrators of the national bureau and superusers",
    lambda kind, _relation: (
        (kind.role == Role.ADMINISTRATOR and kind.level == Level.NATIONAL) or kind.is_superuser
    ),
)
JOINERS = Rule(
    "everybody but the people of a bureau, experts apart",
    lambda kind, _relation: kind.role not in SEEING_ROLES,
)
APPLICANTS = Rule("whoever has applied", lambda kind, _relation: kind == APPLICANT)
ORGANIZATIONS = Rule("people of organisations", _role(*ORGANIZATION_ROLES))
MANAGERS = Rule("managers of an organisation", lambda kind, _relation: kind.manages)
MANAGING = Rule(
    "managers of the organisation", lambda kind, relation: kind.manages and relation == Relation.OWN
)
SUPERIOR_ADMINISTRATORS = Rule(
    "administrators of a bureau above",
    lambda kind, relation: (
        kind.role == Role.ADMINISTRATOR
        and (relation == Relation.SUBORDINATE or (relation == Relation.OWN and kind.level == Level.NATIONAL))
    ),
)
GIVERS = Rule("officers and administrators", _role(Role.OFFICER, Role.ADMINISTRATOR))
GIVING = Rule("officers and administrators of the line", _line(Role.OFFICER, Role.ADMINISTRATOR))
ENDING = Rule("administrators of the line", _line(Role.ADMINISTRATOR))
AUDITORS = Rule(
    "auditors, administrators and superusers",
    lambda kind, _relation: kind.role in (Role.AUDITOR, Role.ADMINISTRATOR) or kind.is_superuser,
)
AUDITING = Rule(
    "auditors and administrators of the line, superusers",
    lambda kind, relation: kind.is_superuser or _line(Role.AUDITOR, Role.ADMINISTRATOR)(kind, relation),
)
SUPERUSERS = Rule("superusers", lambda kind, _relation: kind.is_superuser)
SUBTREE = Rule(
    "administrators of the subtree and superusers",
    lambda kind, relation: kind.is_superuser or _line(Role.ADMINISTRATOR)(kind, relation),
)

# Of a demand the bureaus below may have problems that wait for it.
BELOW = Rule(
    "the bureaus below",
    lambda kind, relation: (
        kind.role in SEEING_ROLES and relation == Relation.SUPERIOR and kind.level is not None
    ),
)
ADMINISTRATORS_BELOW = Rule(
    "administrators of the subtree and of the bureaus below, superusers",
    lambda kind, relation: (
        SUBTREE.holds(kind, relation) or (kind.role == Role.ADMINISTRATOR and BELOW.holds(kind, relation))
    ),
)

# Who sees institutions: bureaus dispatch to any of them, firms look for help.
HOLDING = Rule("whoever holds a grant, experts apart", _role(*ORGANIZATION_ROLES, *SEEING_ROLES))

MOVES = (
    ("accept", "submitted", OFFICERS),
    ("return", "submitted", OFFICERS),
    ("reject", "submitted", OFFICERS),
    ("withdraw", "submitted", FIRM),
    ("dispatch", "listed", OFFICERS),
    ("terminate", "listed", OFFICERS),
    ("take", "dispatched", SOLVER),
    ("decline", "dispatched", SOLVER),
)


@dataclass(frozen=True)
class Entry:
    """One address. ``row`` names what stands behind it: ``sees`` says for whom it exists (others: 404).

    ``read`` and ``write`` say who is answered on GET and POST (others: 403); None: there is no such method
    (405). Without a login only what is ``public`` answers. ``right_first``: who may not do it is told so
    before anything is looked up.
    """

    name: str
    read: Rule | None = USERS
    write: Rule | None = None
    row: str = ""
    sees: Rule = ANYBODY
    public: bool = False
    args: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    note: str = ""
    right_first: bool = False
    # Whoever is outside is refused before anything is looked up.
    door: Rule = ANYBODY
    # What those are answered whom ``read`` and ``write`` leave out.
    refusal: Answer = Answer.REFUSED

    @property
    def label(self) -> str:
        return f"{self.name} ({self.note})" if self.note else self.name

    @property
    def is_of_admin(self) -> bool:
        return self.name.startswith("admin")

    @property
    def is_of_api(self) -> bool:
        return self.name.startswith("api")

    def answer(self, kind: Kind, relation: Relation | None, method: str) -> Answer:
        rule = self.read if method == "GET" else self.write
        if kind == ANONYMOUS and not self.public:
            return Answer.LOGIN
        if rule is None:
            return Answer.METHOD
        if not self.door.holds(kind, relation):
            return Answer.REFUSED
        exists, may = self.sees.holds(kind, relation), rule.holds(kind, relation)
        if exists and may:
            return Answer.OPEN
        if exists or (self.right_first and not may):
            return self.refusal
        return Answer.ABSENT


WRONG_KEY = {"uidb36": "1", "key": "wrong-key"}
NO_SERVICE = {"provider_id": "nowhere"}
OFFERED = "app_label=projects&model_name=participation&field_name=project"
NO_PAGE = {"content_type_id": "0", "object_id": "0"}


def _list(name: str, read: Rule = USERS, **more: Any) -> Entry:
    """A list; what is sent to it is which columns the user wants to see."""
    return Entry(name, read, ANYBODY, **more)


def _pages() -> Iterator[Entry]:
    # The site itself
    yield Entry("home", ANYBODY, public=True)
    yield Entry("healthz", ANYBODY, public=True)
    yield Entry("readyz", ANYBODY, public=True)
    yield Entry("set_language", ANYBODY, ANYBODY, public=True)
    yield Entry("role_switch", None, HOLDERS, refusal=Answer.ABSENT)
    yield Entry("search", USERS)
    # Organisations
    yield _list("enterprises:organization_list")
    yield _list("enterprises:institution_list")
    yield Entry("enterprises:organization_detail", row="organization", sees=PARTIES)
    yield Entry("enterprises:organization_detail", row="institution", sees=HOLDING, note="institution")


def _problems() -> Iterator[Entry]:
    yield Entry("projects:workspace")
    yield Entry("projects:desk", BUREAU_PEOPLE)
    yield Entry("projects:desk_queue", BUREAU_PEOPLE, args={"name": "area"})
    yield Entry("projects:desk_bulk", BUREAU_PEOPLE, BUREAU_PEOPLE, query="move=accept")
    yield _list("projects:bottleneck_list")
    yield _list("projects:shared_list", READERS)
    yield _list("projects:published_list")
    yield Entry("projects:bottleneck_new", FILERS | APPLICANTS)
    yield Entry("projects:bottleneck_detail", row="submitted", sees=PARTIES)
    yield Entry("projects:bottleneck_detail", row="shared", sees=PARTIES | READERS, note="shared")
    yield Entry("projects:bottleneck_detail", row="published problem", note="published")
    yield Entry("projects:bottleneck_detail", row="draft", sees=PEOPLE, note="draft")
    yield Entry("projects:bottleneck_attach", None, OFFICERS, row="submitted", sees=PARTIES)
    yield Entry("projects:follow_up", None, FIRM, row="published problem", sees=PARTIES, args={"months": "3"})
    yield Entry("projects:attachment", row="attachment", sees=PARTIES)
    yield Entry(
        "projects:bottleneck_autosave", None, FIRM, row="draft", sees=PEOPLE, args={"step": "happening"}
    )
    yield Entry("projects:bottleneck_delete", FIRM, FIRM, row="draft", sees=PEOPLE)
    yield Entry("projects:bottleneck_hand_over", FIRM, FIRM, row="draft", sees=PEOPLE)
    for step in ("happening", "extent", "help", "check"):
        yield Entry(
            "projects:bottleneck_edit", FIRM, FIRM, row="draft", sees=PEOPLE, args={"step": step}, note=step
        )
    yield Entry("projects:bottleneck_segments", FIRM, row="draft", sees=PEOPLE)
    yield Entry("projects:bottleneck_similar", None, FIRM, row="draft", sees=PEOPLE)
    yield Entry("projects:twins", CITY_OFFICERS)
    yield Entry("projects:twins_of", CITY_LINE, CITY_LINE, row="shared", sees=PARTIES, door=CITY_OFFICERS)
    yield Entry("projects:twin_undo", None, CITY_LINE, row="twins", sees=PARTIES, door=CITY_OFFICERS)
    yield Entry("projects:opinion_ask", None, CITY_LINE, row="judged", sees=PARTIES)
    # Answered by the expert who was asked, and by nobody else.
    yield Entry("projects:opinion_answer", None, NOBODY, row="opinion", sees=PARTIES)
    yield Entry("projects:bottleneck_submitted", row="submitted", sees=FIRM)
    yield Entry("projects:bottleneck_refile", None, FIRM, row="withdrawn", sees=PARTIES)
    # Chains and their maps: what is published is public, the rest is for the bureau line
    yield Entry("projects:chain_list", ANYBODY, public=True)
    yield Entry("projects:chain_detail", ANYBODY, row="chain", public=True)
    yield Entry("projects:map_new", OFFICERS, OFFICERS, row="map unit")
    yield Entry("projects:map_detail", ANYBODY, row="published map", public=True, note="published")
    yield Entry("projects:map_detail", ANYBODY, row="quality_map", sees=LINE, public=True, note="draft")
    yield Entry("projects:map_file", ANYBODY, row="quality_map", sees=LINE, public=True)
    for step in ("redraw", "approve", "publish", "discard"):
        yield Entry(
            "projects:map_step",
            OFFICERS,
            OFFICERS,
            row="quality_map",
            sees=LINE,
            args={"step": step},
            note=step,
        )
    yield Entry("projects:institution_choices", OFFICERS, row="listed", sees=PARTIES)
    for move, status, rule in MOVES:
        yield Entry(
            "projects:bottleneck_move",
            rule,
            rule,
            row=status,
            sees=PARTIES,
            args={"name": move},
            note=f"{move} of a {status} problem",
        )


def _of_units() -> Iterator[Entry]:
    """Pages about the figures of one unit; to the lists among them it is sent which columns to show."""
    lists = ("figure_rows", "passport")
    for name in ("figures", *lists, "unit_figures", "figure_recount", "passport_recount", "compare_rows"):
        for row, rule, note in (
            ("published", USERS, "published, of a county or city"),
            ("frozen", LINE, "not published"),
        ):
            yield Entry(f"bulletins:{name}", rule, rule if name in lists else None, row=row, note=note)


def _bulletins() -> Iterator[Entry]:
    yield _list("bulletins:bulletin_list", ANYBODY, public=True)
    yield Entry("bulletins:bulletin_new", STATISTICS, STATISTICS)
    for row, sees in (("issued", ANYBODY), ("bulletin draft", PREPARING)):
        for name in ("detail", "progress", "pdf"):
            yield Entry(f"bulletins:bulletin_{name}", ANYBODY, row=row, sees=sees, public=True, note=row)
    for name, rule in (("issue", SIGNING), ("replace", ISSUING), ("withdraw", SIGNING)):
        yield Entry(f"bulletins:bulletin_{name}", rule, rule, row="issued", note="issued")
    draft: dict[str, Any] = {"row": "bulletin draft", "sees": PREPARING}
    yield Entry("bulletins:bulletin_issue", SIGNING, SIGNING, note="draft", **draft)
    for name in ("retry", "submit", "approve", "renew"):
        yield Entry(f"bulletins:bulletin_{name}", None, ISSUING, **draft)
    for name in ("send_back", "discard"):
        yield Entry(f"bulletins:bulletin_{name}", ISSUING, ISSUING, **draft)
    yield Entry("bulletins:series_list")
    yield Entry("bulletins:series_new", STATISTICS, STATISTICS)
    yield Entry("bulletins:series_detail", row="series", sees=LINE)
    yield Entry("bulletins:series_sign", None, SIGNING, row="series", sees=LINE)
    for name in ("end", "run"):
        yield Entry(f"bulletins:series_{name}", None, ISSUING, row="series", sees=LINE)
    yield Entry("bulletins:bulletin_edit", ISSUING, **draft)
    yield Entry("bulletins:bulletin_paper", ISSUING, **draft)
    yield Entry("bulletins:bulletin_docx", ISSUING, **draft)
    yield Entry("bulletins:bulletin_block", None, ISSUING, args={"block": "opening"}, **draft)


def _rest() -> Iterator[Entry]:
    # Joining, and the people of an organisation
    yield Entry("accounts:join", JOINERS, JOINERS, public=True)
    yield Entry("accounts:join_step", JOINERS, JOINERS, public=True, args={"step": "code"})
    yield Entry("accounts:join_code_check", ANYBODY, public=True)
    yield Entry("accounts:join_units", ANYBODY, public=True, args={"step": "division"})
    yield Entry("accounts:join_done", sees=APPLICANTS)
    yield Entry("accounts:invited", ANYBODY, ANYBODY, public=True, sees=NOBODY, args={"secret": "x"})
    yield Entry("accounts:registration_list", READERS)
    yield Entry("accounts:registration_detail", row="registration", sees=LINE)
    yield Entry("accounts:registration_verify", None, OFFICERS, row="registration", sees=LINE)
    yield Entry("accounts:registration_refuse", OFFICERS, OFFICERS, row="registration", sees=LINE)
    yield Entry("accounts:colleagues", MANAGERS, MANAGERS)
    yield Entry("accounts:colleague", ANYBODY, ANYBODY, row="colleague", sees=MANAGING, door=MANAGERS)
    yield Entry("accounts:invitation", None, ANYBODY, row="invitation", sees=MANAGING, door=MANAGERS)
    # People and their grants
    for name in ("people", "grant_new", "substitute_new"):
        yield Entry(f"accounts:{name}", GIVERS, ANYBODY if name == "people" else GIVERS)
    for name in ("grant_end", "substitute_end"):
        yield Entry(f"accounts:{name}", ANYBODY, ENDING, row=name, sees=GIVING, door=GIVERS)
    # What one is told
    yield Entry("accounts:messages", USERS, USERS)
    yield Entry("accounts:message_choices", USERS, USERS)
    yield Entry("accounts:message", row="own notice", note="one's own")
    yield Entry("accounts:message", row="notice", sees=NOBODY, note="somebody else's")
    yield Entry("accounts:unsubscribe", ANYBODY, ANYBODY, public=True, sees=NOBODY, args={"token": "x"})
    # The record
    yield _list("record:event_list", AUDITORS)
    yield Entry("record:event_detail", AUDITORS, row="event", sees=AUDITING, right_first=True)
    yield _list("record:who_looked", ORGANIZATIONS)
    # Projects
    for name in ("project", "consortium", "key_project"):
        yield _list(f"projects:{name}_list")
        yield Entry(f"projects:{name}_detail", row=name, sees=PARTIES)
    yield _list("projects:goal_list")
    # Institutions and their inspection reports
    yield Entry("projects:institution_board", row="institution", sees=ITS_PEOPLE | READERS)
    yield _list("projects:report_list")
    yield Entry("projects:report_new", INSTITUTES, INSTITUTES)
    yield Entry("projects:report_detail", row="report", sees=PARTIES)
    for name in ("replace", "withdraw"):
        yield Entry(f"projects:report_{name}", LODGER, LODGER, row="report", sees=PARTIES)
    # Figures, periods, bulletins
    yield Entry("bulletins:figures", ANYBODY, public=True)
    yield Entry("bulletins:definitions", ANYBODY, public=True)
    yield Entry("bulletins:compare")
    yield from _of_units()
    yield from _bulletins()
    yield Entry("bulletins:open_data", ANYBODY, public=True)
    yield Entry("bulletins:open_file", ANYBODY, public=True, args={"period": "2024", "kind": "card"})
    yield Entry("bulletins:verify", ANYBODY, ANYBODY, public=True)
    yield Entry("bulletins:verify_code", ANYBODY, ANYBODY, public=True, args={"code": "ZLTB"})


def _periods() -> Iterator[Entry]:
    """Periods, and the units that confirm their figures."""
    yield Entry("bulletins:period_list", READERS, NATIONAL_STATISTICS, right_first=True)
    yield Entry("bulletins:period_detail", READERS, row="period")
    yield Entry("bulletins:period_progress", READERS, row="period")
    yield Entry("bulletins:period_rollup", None, STATISTICS, row="period")
    for name in ("collect", "freeze", "publish"):
        yield Entry(f"bulletins:period_{name}", NATIONAL_STATISTICS, NATIONAL_STATISTICS, row="period")
    for name, read, write in (
        ("period_unit", LINE, None),
        ("unit_submit", None, CONFIRMING),
        ("unit_approve", None, ABOVE),
        ("unit_lift", None, ABOVE),
        ("unit_return", ABOVE, ABOVE),
        ("unit_excuse", ABOVE, ABOVE),
    ):
        yield Entry(f"bulletins:{name}", read, write, row="unit", sees=LINE, door=READERS)


def _demands() -> Iterator[Entry]:
    """Demands for standards and metrology specifications."""
    for name in ("spec_demand_list", "spec_waiting"):
        yield _list(f"projects:{name}", READERS)
    yield Entry("projects:spec_demand_new", OFFICERS, OFFICERS, row="gap", sees=PARTIES)
    yield Entry("projects:spec_demand_join", None, OFFICERS, row="gap", sees=PARTIES)
    yield Entry("projects:spec_demand", row="demand", sees=LINE | BELOW)
    yield Entry("projects:spec_demand_edit", OFFICERS, OFFICERS, row="demand", sees=LINE | BELOW)
    yield Entry(
        "projects:spec_demand_move",
        OFFICERS,
        OFFICERS,
        row="demand",
        sees=LINE | BELOW,
        args={"name": "approve"},
    )
    yield Entry("projects:spec_wait_leave", None, OFFICERS, row="wait", sees=LINE)


def _lists() -> Iterator[Entry]:
    # Changes of boundaries
    yield _list("projects:boundary_list")
    for kind in ("merge", "split", "move", "rename"):
        yield Entry("projects:boundary_new", ADMINISTRATORS, ADMINISTRATORS, args={"kind": kind}, note=kind)
    yield Entry("projects:boundary_detail", row="boundary planned", sees=LINE, note="planned")
    yield Entry("projects:boundary_detail", row="boundary done", note="carried out")
    for step in ("cancel", "carry_out"):
        yield Entry(
            f"projects:boundary_{step}", None, SUPERIOR_ADMINISTRATORS, row="boundary planned", sees=LINE
        )
    # The three lists, and policy instruments
    yield _list("projects:quality_lists", ANYBODY, public=True)
    yield Entry("projects:quality_list_new", ALL_OFFICERS, ALL_OFFICERS)
    for name in ("list", "list_changes", "list_pdf", "list_xlsx"):
        for row, sees in (("list published", ANYBODY), ("list draft", LINE)):
            yield Entry(f"projects:quality_{name}", ANYBODY, row=row, sees=sees, public=True, note=row)
    yield Entry("projects:quality_list_edit", OFFICERS, OFFICERS, row="list draft", sees=LINE)
    for name in ("add", "refresh"):
        yield Entry(f"projects:quality_list_{name}", None, OFFICERS, row="list draft", sees=LINE)
    for step in ("submit", "discard"):
        yield Entry(
            "projects:quality_list_step",
            OFFICERS,
            OFFICERS,
            row="list draft",
            sees=LINE,
            args={"name": step},
            note=step,
        )
    yield _list("projects:instrument_list")
    yield Entry("projects:instrument_new", ALL_OFFICERS, ALL_OFFICERS)
    yield Entry("projects:instrument_detail", row="instrument")
    for name in ("edit", "withdraw"):
        yield Entry(f"projects:instrument_{name}", OFFICERS, OFFICERS, row="instrument")


def _account() -> Iterator[Entry]:
    """Signing in, and one's own account: never somebody else's."""
    for name in ("login", "account_login"):
        yield Entry(name, ANYBODY, ANYBODY, public=True)
    for name in ("logout", "account_logout"):
        yield Entry(name, None, ANYBODY, public=True)
    for name in ("account_security", "mfa_index"):
        yield Entry(name)
    yield Entry("email_confirm", USERS, USERS, sees=NOBODY, args={"token": "x"}, note="with a wrong link")
    # There is nothing to see or to end for those who have set up no second factor.
    for name in ("mfa_download_recovery_codes", "mfa_view_recovery_codes"):
        yield Entry(name, sees=NOBODY, note="without a second factor")
    yield Entry("mfa_deactivate_totp", USERS, USERS, sees=NOBODY, note="without a second factor")
    for name in (
        "account_reauthenticate",
        "usersessions_list",
        "account_change_password",
        "account_set_password",
        "email_change",
        "mfa_reauthenticate",
        "mfa_activate_totp",
        "mfa_generate_recovery_codes",
        "socialaccount_connections",
    ):
        yield Entry(name, USERS, USERS)
    yield Entry("account_reset_password", ANYBODY, ANYBODY, public=True)
    yield Entry("account_reset_password_from_key", ANYBODY, ANYBODY, public=True, args=WRONG_KEY)
    for name in (
        "account_inactive",
        "account_reset_password_done",
        "account_reset_password_from_key_done",
        "socialaccount_login_cancelled",
        "socialaccount_login_error",
    ):
        yield Entry(name, ANYBODY, public=True)
    # Leads to the pages of joining.
    yield Entry("account_signup", ANYBODY, ANYBODY, public=True)
    # Between password and code; those who are signed in already are led home.
    yield Entry("mfa_authenticate", USERS, USERS)
    # An identity service that is not set up.
    for name in ("openid_connect_login", "openid_connect_callback"):
        yield Entry(name, NOBODY, NOBODY, public=True, args=NO_SERVICE, refusal=Answer.ABSENT)


def _api() -> Iterator[Entry]:
    yield Entry("schema", ANYBODY, public=True)
    yield Entry("api_docs", ANYBODY, public=True)
    for name in ("bureau", "chain", "period"):
        yield Entry(f"api-{name}-list")
        yield Entry(f"api-{name}-detail", row=name)
    for name, sees in (
        ("organization", PARTIES),
        ("institution", HOLDING),
        ("project", PARTIES),
        ("consortium", PARTIES),
        ("key-project", PARTIES),
        ("report", PARTIES),
        ("spec-demand", LINE | BELOW),
        ("quality-map", LINE),
        ("bottleneck", PARTIES),
        ("bulletin", PREPARING),
    ):
        other = {"bottleneck": "submitted", "bulletin": "bulletin draft", "spec-demand": "demand"}
        row = other.get(name, name.replace("-", "_"))
        # A whole problem may be filed by one request.
        yield Entry(f"api-{name}-list", write=FILERS if name == "bottleneck" else None)
        yield Entry(f"api-{name}-detail", row=row, sees=sees)
    yield Entry("api-bottleneck-detail", row="draft", sees=PEOPLE, note="draft")
    yield Entry("api-bulletin-detail", row="issued", note="issued")
    yield Entry("api-shared-bottleneck-list", READERS)
    yield Entry("api-shared-bottleneck-detail", READERS, row="shared")
    yield Entry("api-published-bottleneck-list")
    yield Entry("api-published-bottleneck-detail", row="published problem")
    yield Entry("api-participation-list")
    yield Entry("api-quality-list-list")
    yield Entry("api-quality-list-detail", row="list draft", sees=LINE, note="draft")
    yield Entry("api-quality-list-detail", row="list published", note="published")
    yield Entry("api-instrument-list")
    yield Entry("api-instrument-detail", row="instrument")
    yield Entry("api-figure-list", query="period=2024")
    yield Entry("api-comparison-list")
    for name in ("api-passport-detail", "api-passport-recount", "api-comparison-rows"):
        yield Entry(name, row="published", note="published, of a county or city")
        yield Entry(name, LINE, row="frozen", note="not published")
    for name in ("submission", "excuse"):
        yield Entry(f"api-{name}-list")
    for move, status, rule in MOVES:
        yield Entry(
            "api-bottleneck-moves",
            None,
            rule,
            row=status,
            sees=PARTIES,
            args={"name": move},
            note=f"{move} of a {status} problem",
        )
    yield Entry("api/v1/<path:rest>", NOBODY, NOBODY, public=True, args={"rest": "x"}, refusal=Answer.ABSENT)


class Model(NamedTuple):
    """A model of the admin site: for whom its rows exist, and who adds, changes and deletes them."""

    name: str
    sees: Rule = SUBTREE
    add: Rule = NOBODY
    change: Rule = NOBODY
    delete: Rule = NOBODY
    view: Rule = ADMINISTRATORS


# What a national administrator and a superuser have in common is that nothing is outside their subtree.
MODELS = (
    Model("enterprises_division", ANYBODY, NATIONAL_ADMINISTRATORS, NATIONAL_ADMINISTRATORS, SUPERUSERS),
    Model("enterprises_bureau", ANYBODY, NATIONAL_ADMINISTRATORS, NATIONAL_ADMINISTRATORS, SUPERUSERS),
    Model("enterprises_industrychain", ANYBODY, NATIONAL_ADMINISTRATORS, NATIONAL_ADMINISTRATORS, SUPERUSERS),
    Model("enterprises_chainsegment", ANYBODY, NATIONAL_ADMINISTRATORS, NATIONAL_ADMINISTRATORS, SUPERUSERS),
    Model("enterprises_boundarychange", ANYBODY),
    Model("enterprises_numberseries", ANYBODY),
    Model("enterprises_organization", SUBTREE, ADMINISTRATORS, ADMINISTRATORS, SUPERUSERS),
    Model("enterprises_enterprise", SUBTREE, ADMINISTRATORS, ADMINISTRATORS, SUPERUSERS),
    Model("enterprises_institution", SUBTREE, ADMINISTRATORS, ADMINISTRATORS, SUPERUSERS),
    Model("accounts_user", SUBTREE, ADMINISTRATORS, ADMINISTRATORS, SUPERUSERS),
    Model("accounts_registration"),
    Model("accounts_invitation"),
    Model("accounts_substitution"),
    Model("accounts_grant", SUBTREE, ADMINISTRATORS, ADMINISTRATORS, ADMINISTRATORS),
    Model("authtoken_tokenproxy", SUBTREE, ADMINISTRATORS, ADMINISTRATORS, ADMINISTRATORS),
    Model("socialaccount_socialaccount", SUBTREE, ADMINISTRATORS, NOBODY, ADMINISTRATORS),
    Model("projects_chainproject", SUBTREE, ADMINISTRATORS, ADMINISTRATORS),
    Model("projects_projectregion", SUBTREE, ADMINISTRATORS, ADMINISTRATORS, ADMINISTRATORS),
    Model("projects_projectgoal", SUBTREE, ADMINISTRATORS, ADMINISTRATORS, ADMINISTRATORS),
    Model("projects_participation", SUBTREE, ADMINISTRATORS, ADMINISTRATORS, SUPERUSERS),
    Model("projects_consortium", SUBTREE, ADMINISTRATORS, ADMINISTRATORS),
    Model("projects_consortiummembership", SUBTREE, ADMINISTRATORS, ADMINISTRATORS, SUPERUSERS),
    Model("projects_keyproject", SUBTREE, ADMINISTRATORS, ADMINISTRATORS),
    Model("projects_milestone", SUBTREE, ADMINISTRATORS, ADMINISTRATORS, ADMINISTRATORS),
    Model("projects_projectresult", SUBTREE, ADMINISTRATORS, ADMINISTRATORS, ADMINISTRATORS),
    Model("projects_investment", SUBTREE, ADMINISTRATORS, ADMINISTRATORS, ADMINISTRATORS),
    Model("projects_beneficiary", SUBTREE, ADMINISTRATORS, ADMINISTRATORS, ADMINISTRATORS),
    Model("projects_bottleneck", SUBTREE, NOBODY, ADMINISTRATORS),
    Model("projects_policyinstrument", ANYBODY, SUPERUSERS, SUPERUSERS),
    Model("projects_qualitylist"),
    Model("projects_transition"),
    Model("projects_evidence"),
    Model("projects_inspectionreport"),
    Model("projects_qualitymap"),
    Model("projects_attachment"),
    Model("projects_measure"),
    Model("projects_twinjudgement"),
    Model(
        "projects_technicalcommittee", ANYBODY, NATIONAL_ADMINISTRATORS, NATIONAL_ADMINISTRATORS, SUPERUSERS
    ),
    Model("projects_specdemand", ADMINISTRATORS_BELOW),
    Model("bulletins_period", ANYBODY, NATIONAL_ADMINISTRATORS, NATIONAL_ADMINISTRATORS, SUPERUSERS),
    Model("bulletins_snapshot", ANYBODY),
    Model("bulletins_statvalue"),
    Model("bulletins_submission"),
    Model("bulletins_excuse"),
    Model("bulletins_bulletin"),
    Model("record_event"),
    Model("record_seal"),
    Model("record_dayroot", ANYBODY),
    Model("axes_accessattempt", ANYBODY, NOBODY, SUPERUSERS, SUPERUSERS, SUPERUSERS),
    Model("axes_accesslog", ANYBODY, NOBODY, SUPERUSERS, SUPERUSERS, SUPERUSERS),
    Model("axes_accessfailurelog", ANYBODY, NOBODY, SUPERUSERS, SUPERUSERS, SUPERUSERS),
)


def _admin() -> Iterator[Entry]:
    for name in ("index", "search", "password_change"):
        yield Entry(f"admin:{name}", ADMINISTRATORS, ADMINISTRATORS)
    for name in ("jsi18n", "password_change_done"):
        yield Entry(f"admin:{name}", ADMINISTRATORS)
    yield Entry(
        "admin:auth_user_password_change",
        ADMINISTRATORS,
        ADMINISTRATORS,
        row="admin accounts_user",
        sees=SUBTREE,
        right_first=True,
    )
    yield Entry("admin:autocomplete", ADMINISTRATORS, query=OFFERED)
    # The way in is the portal's own; who is inside and may not enter is told so.
    yield Entry("admin:login", NOBODY, NOBODY)
    # Outside one is led back to the door.
    yield Entry("admin:logout", OUTSIDERS, ANYBODY, public=True, refusal=Answer.METHOD)
    yield Entry("admin:app_list", ADMINISTRATORS, ADMINISTRATORS, args={"app_label": "projects"})
    for name, args in (("admin:view_on_site", NO_PAGE), ("admin/(?P<url>.*)$", {"url": "x"})):
        yield Entry(name, ADMINISTRATORS, ADMINISTRATORS, sees=NOBODY, args=args, right_first=True)
    for one in MODELS:
        yield from _model(one)
    for name in ("organization", "enterprise", "institution"):
        yield Entry(f"admin:enterprises_{name}_import", ADMINISTRATORS, ADMINISTRATORS)
        yield Entry(f"admin:enterprises_{name}_process_import", None, ADMINISTRATORS)
        yield Entry(f"admin:enterprises_{name}_export", ADMINISTRATORS, ADMINISTRATORS)
    yield Entry("admin:bulletins_bulletin_draft", ADMINISTRATORS, ADMINISTRATORS)


def _model(one: Model) -> Iterator[Entry]:
    app, _bar, name = one.name.partition("_")
    row = f"admin {one.name}"
    yield Entry(f"admin:{one.name}_changelist", one.view, one.view)
    yield Entry(f"admin:{one.name}_add", one.add, one.add)
    yield Entry(f"admin:{one.name}_history", one.view, one.view, row=row, sees=one.sees, right_first=True)
    yield Entry(f"admin:{one.name}_change", one.view, one.change, row=row, sees=one.sees, right_first=True)
    yield Entry(f"admin:{one.name}_delete", one.delete, one.delete, row=row, sees=one.sees, right_first=True)
    # Leads to the page of the row, which judges.
    yield Entry(f"admin/{app}/{name}/<path:object_id>/", ADMINISTRATORS, ADMINISTRATORS, row=row)


TABLE: tuple[Entry, ...] = (
    *_pages(),
    *_problems(),
    *_rest(),
    *_periods(),
    *_demands(),
    *_lists(),
    *_account(),
    *_api(),
    *_admin(),
)


def addresses() -> Iterator[tuple[str, str]]:
    """Every address of the site: its name, or its route where it has none, and its route."""
    yield from _walk(get_resolver(), "", ())


def _walk(resolver: URLResolver, route: str, spaces: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for one in resolver.url_patterns:
        path = route + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from _walk(one, path, (*spaces, one.namespace) if one.namespace else spaces)
        elif isinstance(one, URLPattern):
            yield (":".join([*spaces, one.name]) if one.name else path), path
