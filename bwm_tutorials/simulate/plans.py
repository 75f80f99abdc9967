"""Which sessions each synthetic source, and an audit, has: who, where, how long, and what is particular."""

from dataclasses import dataclass, field, replace
from datetime import date

from ..paths import SAMPLES
from ..recordings import one_tables
from . import tables
from .session import CAMERAS

QUALITY = {
    "Camera.dlc": "PASS",
    "Camera.lightningPose": "PASS",
    "Camera": "WARNING",
    "_ibl_trials.table": "WARNING",
}
"""The quality that most sessions of the release have, by a text in the path: of what was tracked in a video, of the
video itself, and of the task (which judges the rig, not the mouse)."""


@dataclass(frozen=True)
class SessionPlan:
    """One session that is to be made.

    ``probes`` are names of `probe.TRACKS`; of each unit so many ``snippets`` are stored, as in `session.insert`;
    ``after`` and ``skill`` as in `recording.behave`; ``qc`` is the quality of datasets whose path contains a text,
    before `QUALITY`; ``corrected`` adds the files that later ones took the place of; the tables of a ``stale`` session
    are older than its files.
    """

    lab: str
    subject: str
    day: date
    probes: tuple[str, ...]
    minutes: float = 44
    clusters: int = 30
    snippets: int = 2
    cameras: tuple[str, ...] = ()
    effects: str | None = "teaching"
    skill: float = 1.0
    after: str | None = None
    corrected: bool = False
    qc: dict[str, str] = field(default_factory=dict)
    stale: bool = False

    @property
    def record(self) -> tables.SessionRecord:
        """What ONE's tables say of it."""
        name = f"{self.subject}/{self.day}/001"
        probes = [f"probe{number:02d}" for number in range(len(self.probes))]
        return tables.SessionRecord(
            eid=one_tables.make_id(name, synthetic=True),
            lab=self.lab,
            subject=self.subject,
            date=self.day,
            task_protocol="_iblrig_tasks_ephysChoiceWorld",
            projects="synthetic_not_ibl",
            insertions={probe: one_tables.make_id(f"{name}/{probe}", synthetic=True) for probe in probes},
            model="3B2",  # Neuropixels 1.0
            qc="PASS",
            qc_of={**self.qc, **QUALITY, **self.qc},  # the first that fits counts
            stale=self.stale,
        )


A, B, C = (f"{one_tables.SYNTHETIC_LAB}{suffix}" for suffix in ("", "_b", "_c"))
MAIN = SessionPlan(
    A, "SIM-001", date(2001, 1, 8), ("parietal", "collicular"), 60, 100, snippets=6, cameras=CAMERAS, after="passive",
    qc={"rightCamera": "PASS", "bodyCamera": "FAIL"},
)  # fmt: skip
NULL = replace(MAIN, subject="SIM-NULL", effects=None)
"""The same mouse on the same day, with neurons that know nothing of what it does."""

SAMPLE = (MAIN, NULL)
# A session of the release has 400 trials and more: all but two of these.
SAMPLE_RELEASE = (
    MAIN,
    # The mouse of the main session on a bad day: too few trials.
    SessionPlan(A, "SIM-001", date(2001, 1, 10), ("frontal",), 36, skill=0.35),
    # One mouse early, with too few trials, and a good deal better seven weeks later.
    SessionPlan(A, "SIM-002", date(2001, 1, 15), ("frontal",), 36, skill=0.6, qc={"_ibl_trials.table": "FAIL"}),
    SessionPlan(A, "SIM-002", date(2001, 3, 5), ("frontal",), 40, skill=1.2, qc={"_ibl_trials.table": "PASS"}),
    # Both probes in the same regions.
    SessionPlan(B, "SIM-003", date(2001, 1, 22), ("parietal", "parietal"), qc={"probe01": "WARNING"}),
    # No body camera.
    SessionPlan(
        B, "SIM-003", date(2001, 1, 24), ("parietal", "pontine"), 54, cameras=("left", "right"), after="passive"
    ),
    # A left video so bad that nothing made of it may be used.
    SessionPlan(
        B,
        "SIM-004",
        date(2001, 2, 2),
        ("olfactory",),
        cameras=("left",),
        qc={"leftCamera": "CRITICAL", "licks": "CRITICAL"},
    ),
    SessionPlan(C, "SIM-005", date(2001, 2, 12), ("collicular", "olfactory"), qc={"probe00": "FAIL"}),
    # Its files are up to date, and what ONE's tables say of it is not.
    SessionPlan(C, "SIM-005", date(2001, 2, 14), ("pontine",), 44, after="spontaneous", stale=True),
    # Each kind of correction that the release has seen, with what it took the place of.
    SessionPlan(
        C, "SIM-006", date(2001, 2, 26), ("collicular",), 46, cameras=("left",), after="spontaneous", corrected=True
    ),
)

BY_NAME = dict(zip(SAMPLES, (SAMPLE, SAMPLE_RELEASE), strict=True))
"""The sources that are built on first use."""
AGGREGATED = ("sample-release",)
"""Those that have tables of all units and all trials, as the release has."""


def audited(seed: int) -> tuple[SessionPlan, SessionPlan]:
    """A session that `auditing.audit` looks at, and its null twin: 40 minutes of the task, 20 units, no video.

    What no test of units needs is left out, for many of them are made.
    """
    main = SessionPlan(
        A, f"SIM-{seed}", date(2001, 1, 8), ("parietal",), minutes=40, clusters=20, snippets=0, cameras=()
    )
    return main, replace(main, subject=f"{main.subject}-NULL", effects=None)
