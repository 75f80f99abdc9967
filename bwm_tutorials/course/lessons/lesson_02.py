"""The exercises of lesson 02, data download."""

from itertools import takewhile

from ...errors import MissingDataset
from ...recordings.remote.plan import download_plan
from ...recordings.session import Session
from ..exercise import Exercise, Mistake

METRICS = "clusters.metrics.pqt"
TRIALS = "_ibl_trials.table.pqt"
DAY = "2024-01-01"
LATER = "#2025"  # in the path of what came after the index of the hunt
WORST = "CRITICAL"


def ten(session: Session) -> list[Session]:
    """The sessions that the lesson looks at: the newest ten of the source."""
    return [Session(eid, session.one) for eid in session.one.search()[:10]]


def insertions_with_pose(session: Session) -> int:
    """02.1: number of insertions whose session has the left video's pose."""
    if not any(other.has("spikes") for other in ten(session)):
        raise MissingDataset(f"The source of {session.name} has no insertions with spikes.")
    return _n_insertions(_with_pose(session))


def price_of_trials(session: Session) -> float:
    """02.2: megabytes of the trials that are loaded."""
    return sum(_price_of_trials(other) for other in ten(session))


def licks(session: Session) -> int:
    """02.3: number of lick times (several for each lick) in the sessions that have them."""
    found = [other for other in ten(session) if other.has("licks")]
    if not found:
        raise MissingDataset(f"No session of the source of {session.name} has licks.")
    return sum(len(other.licks) for other in found)


def units_before(session: Session) -> int:
    """02.4: number of units that the first probe of the corrected session had on `DAY`."""
    other = most_corrected(session)
    probe = other.insertions[0].name
    if f"alf/{probe}/pykilosort/{METRICS}" not in other.one.list_datasets(other.eid):
        raise MissingDataset(f"The source of {session.name} has no sorting without revision to go back to.")
    return len(_metrics(other, DAY))


def critical_datasets(session: Session) -> int:
    """02.5: number of datasets whose quality is CRITICAL."""
    hidden = sum(_n_listed(other, qc=WORST) - _n_listed(other) for other in ten(session))
    if not hidden:
        raise MissingDataset(f"The source of {session.name} has no dataset whose quality is {WORST}.")
    return hidden


def trials_with_cue(session: Session) -> int:
    """02.6: number of trials of all sessions that have a go cue time, by today's index."""
    if LATER not in most_corrected(session).datasets["rel_path"].get(f"alf/{TRIALS}", ""):
        raise MissingDataset(f"The source of {session.name} has no session whose trials were corrected in 2025.")
    return sum(_with_cue(other) for other in ten(session))


def most_corrected(session: Session) -> Session:
    """The session in which most files were superseded by later ones."""
    return max(ten(session), key=lambda other: _n_listed(other) - len(other.datasets))


def _n_insertions(sessions: list[Session]) -> int:
    return sum(len(each.insertions) for each in sessions if each.has("spikes"))


def _with_pose(session: Session) -> list[Session]:
    return [other for other in ten(session) if other.has("pose", "left")]


def _price_of_trials(session: Session) -> float:
    return download_plan(session.one, session.eid, "trials").files["MB"].sum()


def _price_of_listed_trials(session: Session) -> float:
    listed = [other.one.list_datasets(other.eid, filename="*trials*", details=True) for other in ten(session)]
    return sum(files["file_size"].sum() for files in listed) / 1e6


def _licks_counted_again(session: Session) -> int:
    total = last = 0
    for other in ten(session):
        if other.has("licks"):
            last = len(other.licks)
        total += last
    return total


def _licks_until_one_fails(session: Session) -> int:
    return sum(len(s.licks) for s in takewhile(lambda s: s.has("licks"), ten(session)))


def _metrics(session: Session, revision: str | None = None):
    probe = session.insertions[0].name
    return session.one.load_dataset(session.eid, METRICS, f"alf/{probe}/pykilosort", revision=revision)


def _with_cue(session: Session) -> int:
    return int(session.trials["goCue_times"].notna().sum())


def _with_cue_before(session: Session) -> int:
    """The same in the version that the correction took the place of."""
    if f"alf/{TRIALS}" not in session.one.list_datasets(session.eid):
        raise MissingDataset(f"{session.name} has no trials without revision.")
    return int(session.one.load_dataset(session.eid, TRIALS, "alf", revision=DAY)["goCue_times"].notna().sum())


def _cues_of_others(session: Session) -> int:
    return sum(_with_cue(other) for other in ten(session) if other.eid != most_corrected(session).eid)


def _cues_of_the_script(session: Session) -> int:
    corrected = most_corrected(session).eid
    return sum(_with_cue(other) for other in ten(session) if other.eid != corrected and _is_marked(other))


def _cues_of_all_listed(session: Session) -> int:
    return _cues_of_others(session) + sum(_with_cue_before(other) for other in ten(session) if _is_marked(other))


def _is_marked(session: Session) -> bool:
    """True if the tables mark the trials as the default; False if they are stale."""
    return bool(session.datasets["default_revision"].get(f"alf/{TRIALS}", False))


def _cues_where_marked(session: Session) -> int:
    return sum(_with_cue(other) for other in ten(session) if _is_marked(other))


def _n_listed(session: Session, **terms) -> int:
    return len(session.one.list_datasets(session.eid, **terms))


EXERCISES = {
    "02.1": Exercise(
        ask="Number of insertions of `sessions` whose session has the left video's Lightning Pose.",
        solve=insertions_with_pose,
        code="sum(len(s.insertions) for s in sessions if s.has('pose', 'left') and s.has('spikes'))",
        hint="Go through `sessions`; where `available` says that the pose is present, count the session's insertions.",
        mistakes=(
            Mistake(
                lambda session: _n_insertions(ten(session)),
                "You counted every insertion that is listed. What you need of the session may be missing: look into "
                "`available`, or at the figure.",
                "An insertion that is listed has all its data.",
            ),
            Mistake(
                lambda session: len(_with_pose(session)),
                "You counted sessions; some have two insertions.",
            ),
        ),
        tolerance=0,
    ),
    "02.2": Exercise(
        ask="Price of the trials of all `sessions`, in MB.",
        solve=price_of_trials,
        code="sum(bwm.download_plan(one, s.eid, 'trials').files['MB'].sum() for s in sessions)",
        hint="Ask for the plan of 'trials' of each session, and add up the column MB of their files.",
        mistakes=(
            Mistake(
                _price_of_listed_trials,
                "You added up all that is listed. Superseded files stay listed, and no one needs to fetch them: count "
                "the files that are loaded by default.",
                "Every file that is listed is loaded.",
            ),
            Mistake(
                lambda session: 1e6 * price_of_trials(session),
                "That is in bytes, as the tables have it; the question asks for MB.",
            ),
            Mistake(
                _price_of_trials,
                "That is the price of this one session. Add up those of all `sessions`.",
            ),
        ),
        tolerance=0.006,
    ),
    "02.3": Exercise(
        ask="Number of lick times in all `sessions` together.",
        solve=licks,
        code="sum(len(s.licks) for s in sessions if s.has('licks'))",
        hint="Follow the variable `licks` through a session whose licks cannot be loaded. What is in it then?",
        mistakes=(
            Mistake(
                _licks_counted_again,
                "That is what the script prints: where loading fails, the licks of the session before are added again.",
            ),
            Mistake(
                _licks_until_one_fails,
                "That ends at the first session without licks: pass over it (`continue`, not `break`), and go on.",
            ),
        ),
        tolerance=0,
        fault="Where loading fails, the variable still holds the licks of the session before: they are added again.",
    ),
    "02.4": Exercise(
        ask=f"Number of units that the first probe of `corrected` had on {DAY}.",
        solve=units_before,
        code=f"len(one.load_dataset(corrected.eid, '{METRICS}', 'alf/probe00/pykilosort', revision='{DAY}'))",
        hint=f"{METRICS} has one row for each unit. Which call gives the last version that is not later than a date?",
        mistakes=(
            Mistake(
                lambda session: len(_metrics(most_corrected(session))),
                "That is today's number: without revision=, a load call gives the version marked as default.",
            ),
            Mistake(
                lambda session: _n_listed(most_corrected(session), revision=DAY),
                "In list_datasets, revision= must be equal to that of a file, and none has this date. The load calls "
                "take the last one not later.",
                "`revision=` means the same in every call.",
            ),
        ),
        tolerance=0,
    ),
    "02.5": Exercise(
        ask="Number of datasets of all `sessions` whose quality is CRITICAL.",
        solve=critical_datasets,
        code="sum(len(one.list_datasets(s.eid, qc='CRITICAL')) - len(one.list_datasets(s.eid)) for s in sessions)",
        hint="List the datasets of each session twice, with qc='CRITICAL' and without. What is the difference?",
        mistakes=(
            Mistake(
                lambda session: sum(_n_listed(other, qc=WORST) for other in ten(session)),
                "qc= is the worst quality that is still listed, so these are all datasets. How many more are they than "
                "without it?",
            ),
            Mistake(
                lambda session: 0,
                "In the usual list they cannot be found, because it leaves them out. They are there.",
            ),
        ),
        tolerance=0,
    ),
    "02.6": Exercise(
        ask="Number of trials with a go cue time in all `sessions` together.",
        solve=trials_with_cue,
        code="sum(s.trials['goCue_times'].notna().sum() for s in sessions)",
        hint="How many files does the script read, and how many sessions are there? Of those that it passes "
        "over, look at the trials in `lists`, and at what `one.list_datasets` gives now.",
        mistakes=(
            Mistake(
                _cues_of_the_script,
                "That is what the script prints: it passes over sessions whose lists have no trials that are marked as "
                "the default.",
            ),
            Mistake(
                _cues_where_marked,
                "The colleague's list is mended. Another session is still passed over: its own index is older than the "
                "correction, and marks no trials as the default. A Session takes the newest file in it.",
            ),
            Mistake(
                lambda session: _cues_of_others(session) + _with_cue_before(most_corrected(session)),
                "All sessions are in it, but that of the colleague's list by its old trials. The newest file in an old "
                "list is still old: ask for the list as it is now.",
            ),
            Mistake(
                _cues_of_all_listed,
                "You counted every listed table of trials, so most sessions are in it twice: as they were corrected, "
                "and as they were before.",
            ),
        ),
        tolerance=0,
        fault="Lists that are older than the correction of the trials have only the old file, not marked as the "
        "default, so the script passes over these sessions. The newest file in the colleague's list would give old "
        "numbers. Of the other session the index knows no newer file: its old numbers are the best to be had.",
    ),
}
