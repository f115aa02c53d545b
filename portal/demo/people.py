"""Who acts in the demo: eleven accounts to log in with, and silent users behind everybody else's events."""

from dataclasses import dataclass

from accounts.models import Role
from portal.demo.places import Unit

USER_FIELDS = (
    "id",
    "username",
    "name",
    "email",
    "password",
    "is_superuser",
    "is_staff",
    "is_active",
    "date_joined",
    "has_old_name",
    "has_unproven_address",
)
GRANT_FIELDS = ("user", "role", "bureau", "organization", "is_manager", "starts_on")
JOINED = "2022-01-04 01:00:00"
# What Django takes for a password that fits nothing.
NO_PASSWORD = "!"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Account:
    """A demo account; ``place`` is a unit's code, or the name of a firm of the story."""

    username: str
    name: str
    role: Role
    place: str
    good_for: str
    is_superuser: bool = False


COUNTY, CITY, PROVINCE, NATION = "320505", "320500", "320000", "000000"
FIRM, LEADER, INSTITUTION = "firm", "leader", "institution"

ACCOUNTS = (
    Account("filer", "演示填报人", Role.FILER, FIRM, "填报堵点卡点问题，补正，确认是否解决，重开"),
    Account("leader", "演示链主联络人", Role.COORDINATOR, LEADER, "链主企业：代表本企业填报，查看项目和成员"),
    Account("institution", "演示机构经办人", Role.INSTITUTION, INSTITUTION, "承接派单，提交解决办法和证据"),
    Account(
        "county", "演示县区局经办人", Role.OFFICER, COUNTY, "虎丘区局：核实、受理、退回、核验他人经手的问题"
    ),
    Account("city", "演示市局经办人", Role.OFFICER, CITY, "苏州市局：复核、归并、列入清单、派单、督办"),
    Account("expert", "演示专家", Role.EXPERT, PROVINCE, "对省级、国家级问题出具专家意见"),
    Account("province", "演示省局经办人", Role.OFFICER, PROVINCE, "江苏省局：全省问题与项目，核验省级问题"),
    Account("national", "演示总局经办人", Role.OFFICER, NATION, "总局：全国项目、问题与数据"),
    Account("statistician", "演示统计员", Role.STATISTICIAN, NATION, "汇总、冻结统计期间，印发通报"),
    Account("auditor", "演示督查员", Role.AUDITOR, NATION, "查看全部内容和办理记录，不能修改"),
    Account(
        "admin", "演示管理员", Role.ADMINISTRATOR, NATION, "后台管理 /admin/，冻结与印发", is_superuser=True
    ),
)


@dataclass(frozen=True, slots=True)
class Story:
    """The firms around which the demo accounts sit, by key."""

    firm: int
    leader: int
    institution: int


class People:
    """Users are made when they first act; keys count from the accounts on."""

    def __init__(self, password_hash: str, story: Story, units: dict[str, Unit]) -> None:
        self.users: list[tuple] = []
        self.grants: list[tuple] = []
        self._officers: dict[int, tuple[int, int]] = {}
        self._of_organization: dict[tuple[int, Role], int] = {}
        story_places = {FIRM: story.firm, LEADER: story.leader, INSTITUTION: story.institution}
        for account in ACCOUNTS:
            staff = account.role in (Role.STATISTICIAN, Role.ADMINISTRATOR)
            user = self._user(account.username, account.name, password_hash, account.is_superuser, staff)
            if account.place in story_places:
                organization = story_places[account.place]
                self._grant(user, account.role, organization=organization, manages=True)
                self._of_organization[(organization, account.role)] = user
            else:
                unit = units[account.place]
                self._grant(user, account.role, bureau=unit.id)
                if account.role == Role.OFFICER:
                    self._officers[unit.id] = (user, self._second_officer(unit))
        # The coordinator of the leader files for it too.
        coordinator = self._of_organization[(story.leader, Role.COORDINATOR)]
        self._of_organization[(story.leader, Role.FILER)] = coordinator

    def officers(self, unit: Unit) -> tuple[int, int]:
        """Two officers of a bureau: what one has handled the other verifies."""
        pair = self._officers.get(unit.id)
        if pair is None:
            user = self._user(f"jb{unit.code}", f"演示经办人·{unit.short_name}")
            self._grant(user, Role.OFFICER, bureau=unit.id)
            pair = self._officers[unit.id] = (user, self._second_officer(unit))
        return pair

    def filer(self, organization: int) -> int:
        return self._for(organization, Role.FILER, "qy", "演示填报人")

    def handler(self, organization: int) -> int:
        """Who acts for an institution."""
        return self._for(organization, Role.INSTITUTION, "jg", "演示机构经办人")

    def _second_officer(self, unit: Unit) -> int:
        user = self._user(f"hy{unit.code}", f"演示核验人·{unit.short_name}")
        self._grant(user, Role.OFFICER, bureau=unit.id)
        return user

    def _for(self, organization: int, role: Role, prefix: str, name: str) -> int:
        user = self._of_organization.get((organization, role))
        if user is None:
            user = self._user(f"{prefix}{organization}", name)
            # The first of an organisation administers it.
            others = (Role.FILER, Role.INSTITUTION, Role.COORDINATOR)
            first = not any((organization, other) in self._of_organization for other in others)
            self._grant(user, role, organization=organization, manages=first)
            self._of_organization[(organization, role)] = user
        return user

    def _user(
        self,
        username: str,
        name: str,
        password: str = NO_PASSWORD,
        superuser: bool = False,
        staff: bool = False,
    ) -> int:
        pk = len(self.users) + 1
        self.users.append(
            (pk, username, name, "", password, int(superuser), int(staff or superuser), 1, JOINED, 0, 0)
        )
        return pk

    def _grant(
        self,
        user: int,
        role: Role,
        bureau: int | None = None,
        organization: int | None = None,
        manages: bool = False,
    ) -> None:
        self.grants.append((user, role.value, bureau, organization, int(manages), JOINED[:10]))
