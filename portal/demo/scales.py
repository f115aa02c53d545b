"""How much demo data there is. The year 2024 counts to the published national figures (`domain.md` 5.1)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Year:
    """What the rows of one year count to; leaders, members and institutions are distinct organisations."""

    projects: int
    consortia: int
    key_projects: int
    solved: int


@dataclass(frozen=True, slots=True)
class Scale:
    name: str
    year_2023: Year
    year_2024: Year
    # A full year after 2024; the present one counts in proportion to the days gone.
    later: Year
    leaders: int
    members: int
    institutions: int
    # Open problems filed since 2024, apart from those of the demo county.
    open: int
    county_open: int
    landmark_tasks: int
    files: int
    provinces: tuple[str, ...] = ()


SCALES = {
    "national": Scale(
        name="national",
        year_2023=Year(projects=668, consortia=602, key_projects=2_240, solved=10_062),
        year_2024=Year(projects=952, consortia=889, key_projects=3_176, solved=14_391),
        later=Year(projects=640, consortia=420, key_projects=1_746, solved=6_756),
        leaders=2_087,
        members=180_000,
        institutions=2_952,
        open=5_200,
        county_open=200,
        landmark_tasks=146,
        files=300,
    ),
    "small": Scale(
        name="small",
        year_2023=Year(projects=34, consortia=22, key_projects=70, solved=210),
        year_2024=Year(projects=48, consortia=36, key_projects=96, solved=300),
        later=Year(projects=30, consortia=18, key_projects=40, solved=120),
        leaders=90,
        members=2_000,
        institutions=110,
        open=160,
        county_open=60,
        landmark_tasks=12,
        files=24,
        provinces=("320000", "310000", "440000", "650000", "660000"),
    ),
}
