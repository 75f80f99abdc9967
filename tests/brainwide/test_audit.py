"""An audit fails analyses that are wrong in known ways, and clears what is to be done instead."""

import functools
import re
import uuid

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from helpers.programs import program, result, wait_for
from scipy import stats

import bwm_tutorials as bwm
from bwm_tutorials import errors, plots
from bwm_tutorials.analysis import statistics
from bwm_tutorials.brainwide.auditing import Audit
from bwm_tutorials.paths import ROOT, claim
from bwm_tutorials.workshop import cli, notebooks

# --- analyses as a learner may write them, wrong and right -----------------------------------------------------------

LESSON_06 = ROOT / "notebooks" / "06_neural_responses.py"
LESSON_10 = ROOT / "notebooks" / "10_your_question.py"
_read = {}


def trials_of(session):
    """The trials, read once: many analyses look at the same sessions."""
    if session.eid not in _read:
        _read[session.eid] = session.trials
    return _read[session.eid]


def counts(session, event, window):
    """Of all units, in the trials in which the event is known (NaN elsewhere)."""
    key = session.eid, event, window
    if key not in _read:
        around = bwm.spikes.around(trials_of(session)[event], window)
        _read[key] = bwm.spikes.counts_in_intervals(session.insertions[0].spikes, around, range(20))
    return _read[key]


def known(counted, *values):
    """The counts, and other values of the trials, where none is NaN."""
    keep = counted.notna().all().to_numpy() & ~np.any([np.isnan(value) for value in values], axis=0)
    return counted.loc[:, keep].to_numpy(), *(value[keep] for value in values)


def before_stimulus(session):
    return counts(session, "stimOn_times", (-0.4, -0.1))


def block(session):
    p_left = trials_of(session)["probabilityLeft"]
    return p_left.where(p_left != 0.5).to_numpy()


# Rates drift, and blocks last: trials are not independent of each other.


def of_lesson_06():
    """The analysis that the lesson asks its readers to audit: trials shuffled."""
    (code,) = re.findall(r"# ```python\n((?:#.*\n)+?)# result = ", LESSON_06.read_text(encoding="utf-8"))
    names = {"bwm": bwm, "np": np}
    exec(re.sub("^# ?", "", code, flags=re.MULTILINE), names)
    return names["knows_the_block"]


def block_by_pseudosessions(session):
    pseudo = bwm.blocks.pseudosessions(len(block(session)), 400, seed=1)
    return bwm.responses.selectivity(before_stimulus(session), block(session), null=pseudo)["p"]


# The side that a unit prefers is chosen in the trials that it is tested in.


def sided(session, choose, test):
    side = bwm.trials.stimulus_side(trials_of(session)).astype(float)
    seen, side = known(counts(session, "stimOn_times", (0.03, 0.18)), side)
    chosen, tested = (np.isin(np.arange(side.size) % 2, which) for which in (choose, test))
    right, left = (seen[:, chosen & (side == which)].mean(axis=1) for which in (1, -1))
    ways = {way: (seen[:, tested & (side == 1)], seen[:, tested & (side == -1)], way) for way in ("greater", "less")}
    p = {way: stats.mannwhitneyu(a, b, axis=1, alternative=w).pvalue for way, (a, b, w) in ways.items()}
    return np.where(right > left, p["greater"], p["less"])


def preferred_side_in_the_same_trials(session):
    return sided(session, choose=(0, 1), test=(0, 1))


def preferred_side_in_other_trials(session):
    return sided(session, choose=(0,), test=(1,))


# One spike is a higher rate in the shorter of two windows.


def after_and_before(session, after, before, longer=1.0):
    difference = counts(session, "stimOn_times", after) - counts(session, "stimOn_times", before) * longer
    return statistics.signed_rank(difference.dropna(axis=1).to_numpy())["p"]


def rates_in_unequal_windows(session):
    return after_and_before(session, (0, 0.2), (-0.18, 0), longer=0.2 / 0.18)


def counts_in_equal_windows(session):
    return after_and_before(session, (0, 0.18), (-0.18, 0))


# The best of many bins.


def best_of_bins(session):
    return np.min([after_and_before(session, (b / 20, (b + 1) / 20), (-0.05, 0)) for b in range(10)], axis=0)


def best_of_bins_corrected(session):
    return np.minimum(10 * best_of_bins(session), 1)


# The wheel moves in the window of the stimulus, and the decision is made.


def response_to_the_stimulus(session):
    return after_and_before(session, (0.03, 0.18), (-0.15, 0))


def response_before_any_movement(session):
    trials, on = trials_of(session), trials_of(session)["stimOn_times"]
    turned = np.ptp([np.interp(on + at, *session.wheel.values()) for at in (-0.2, 0.15)], axis=0)
    still = (bwm.trials.movement_latency(trials) > 0.25) & (turned < 0.01)
    windows = ((0.03, 0.13), (-0.1, 0))
    return bwm.responses.responsive_units(session.insertions[0].spikes, on.where(still), *windows, range(20))["p"]


# The choice goes along with the stimulus.


def choice(session, condition=None):
    made = trials_of(session)["choice"].replace(0, np.nan)
    before = counts(session, "firstMovement_times", (-0.1, 0))
    return bwm.responses.selectivity(before, made, condition, null=400)["p"]


def choice_at_equal_stimulus(session):
    trials = trials_of(session)
    shown = trials[["contrastLeft", "contrastRight"]].fillna(-1)
    return choice(session, shown.assign(block=trials["probabilityLeft"]))


NOTHING, OTHERS = "for it finds things in nothing", "for it takes other things for the"
PAIRS = [
    ("block", of_lesson_06(), NOTHING, block_by_pseudosessions),
    (None, preferred_side_in_the_same_trials, NOTHING, preferred_side_in_other_trials),
    (None, rates_in_unequal_windows, NOTHING, counts_in_equal_windows),
    (None, best_of_bins, NOTHING, best_of_bins_corrected),
    ("stimulus", response_to_the_stimulus, OTHERS, response_before_any_movement),
    ("choice", choice, OTHERS, choice_at_equal_stimulus),
]

audited = functools.cache(bwm.audit)


IN_EACH_RUN = {block_by_pseudosessions, choice_at_equal_stimulus}


@pytest.mark.parametrize(
    ("effect", "wrong", "why", "right"),
    [pytest.param(*pair, id=pair[-1].__name__, marks=[] if pair[-1] in IN_EACH_RUN else [pytest.mark.weekly])
     for pair in PAIRS],
)  # fmt: skip
def test_a_planted_fault_is_found_and_its_cure_is_cleared(effect, wrong, why, right):
    failed, cleared = audited(wrong, effect), audited(right, effect)
    assert failed.passes is False and f"{wrong.__name__} fails, {why}" in failed.verdict
    assert cleared.passes is True and f"{right.__name__} passes" in cleared.verdict
    if effect:
        rate = cleared.summary["rate"]
        assert rate["power"] > 2 * max(rate["others"], rate["false_positives"])


def test_the_audit_of_lesson_10_shows_what_a_null_session_does_not():
    """Its naive test passes in null sessions, and takes the stimulus for the choice."""
    cells = [cell.source for cell in notebooks.read_source(LESSON_10).cells]
    (code,) = (cell for cell in cells if "def analysis(" in cell)
    (block,) = re.findall(r"```python\n(.+?)```", next(cell for cell in cells if "**Audit it.**" in cell), re.DOTALL)
    names = {"bwm": bwm, "pd": pd, "probe": None, "VARIABLE": "choice", "REGION": "all"}
    names |= {"EVENT": "firstMovement_times", "WINDOW": (-0.1, 0.05)}
    for question in ("VARIABLE", "EVENT", "WINDOW", "REGION"):
        assert f"{question} = {names[question]!r}".replace("'", '"') in "\n".join(cells), "the question as it comes"
    exec(code, names)
    with plt.rc_context():
        exec(block, names)
        assert names["result"].passes is True
        names["analysis"] = names["naive"]
        exec(block, names)
    outcome = names["result"]
    assert outcome.passes is False and OTHERS in outcome.verdict
    assert outcome.summary["rate"]["false_positives"] <= outcome.summary["limit"]["false_positives"]
    plt.close("all")


# --- the verdict -----------------------------------------------------------------------------------------------------


def drawn(rng, level, together, n_seeds=20, n_units=20):
    """An audit of null sessions whose units are flagged so often, those of a session ``together`` (0: independent)."""
    of_session = rng.beta(level / together, (1 - level) / together, n_seeds) if together else np.full(n_seeds, level)
    seeds = pd.DataFrame({"false_positives": rng.binomial(n_units, of_session) / n_units, "n_false_positives": n_units})
    return Audit("drawn", seeds, None, 0.05)


@pytest.mark.parametrize("together", [0, 0.1])
@pytest.mark.parametrize("size", [(20, 20), (20, 5), (2, 20)], ids=str)
def test_an_analysis_that_keeps_its_level_is_seldom_failed(together, size):
    rng = np.random.default_rng(0)
    assert np.mean([drawn(rng, 0.05, together, *size).passes for _ in range(200)]) >= 0.98


def test_one_that_does_not_is_failed_and_the_more_seeds_the_sooner():
    rng = np.random.default_rng(0)
    failed = [np.mean([not drawn(rng, 0.12, 0.1, n).passes for _ in range(100)]) for n in (5, 20, 80)]
    assert failed[0] < failed[1] < failed[2] == 1


def test_limit_is_that_of_a_t_test_over_seeds():
    seeds = drawn(np.random.default_rng(1), 0.3, 0.2).seeds
    rates, limit = seeds["false_positives"], Audit("x", seeds, None, 0.05).summary.loc["false_positives", "limit"]
    assert stats.ttest_1samp(rates - limit + 0.05, rates.mean(), alternative="less").pvalue == pytest.approx(0.01)


def test_a_single_seed_has_no_verdict(said):
    one = bwm.audit(by_coin, "block", n=1)
    assert one.passes is None and "cannot be judged by so few seeds" in one.verdict and "over 1 seed it" in one.verdict
    assert "passes" not in one.verdict and list(one.seeds.index) == [1001]
    assert len(plots.audit(one).axes) == 1 and said() == " ".join(one.verdict.split())


# --- what an analysis may return -------------------------------------------------------------------------------------


def by_coin(session):
    """P values of nothing at all."""
    return np.random.default_rng(uuid.UUID(session.eid).int % 2**32).random(20)


def same(one, other):
    pd.testing.assert_frame_equal(one.seeds, other.seeds)
    return True


def test_p_values_and_detections_give_the_same():
    p = audited(by_coin, "choice", 3)
    assert same(p, bwm.audit(lambda session: by_coin(session) < 0.05, "choice", 3))
    assert same(p, bwm.audit(lambda session: list(by_coin(session)), "choice", 3))
    assert same(p, bwm.audit(lambda session: pd.Series(by_coin(session))[::-1], "choice", 3))
    assert same(p, bwm.audit(lambda session: pd.array(by_coin(session) < 0.05, "boolean"), "choice", 3))
    assert bwm.audit(by_coin, "choice", 3, alpha=0.5).summary["rate"].min() > 0.25


def test_units_are_counted_where_they_belong():
    def tells_the_truth(session):
        return session.insertions[0].truth["choice_gain"] != 0

    told = bwm.audit(tells_the_truth, "choice", 2)
    assert list(told.summary["rate"]) == [0, 0, 1] and list(told.summary["n_units"]) == [40, 28, 12] and told.passes
    others = bwm.audit(tells_the_truth, "wheel", 2).summary["rate"]
    assert 0 < others["others"] < 1 and 0 < others["power"] < 1


def test_a_unit_that_is_left_out_or_nan_is_not_tested():
    p = audited(by_coin, "choice", 3).seeds

    def some(session):
        return pd.Series(by_coin(session)).where(np.arange(20) != 3).drop([5, 7])

    found = bwm.audit(some, "choice", 3).seeds
    assert (found["n_false_positives"] == 17).all() and (found["n_others"] + found["n_power"] == 17).all()
    assert (p["n_others"] + p["n_power"] == 20).all()


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        (np.zeros(19), "an array of shape (19,), and the probe has 20 units: return a Series by cluster id"),
        (0.3, "an array of shape (), and"),
        (pd.DataFrame({"p": np.zeros(20), "auc": 0.5}), "an array of shape (20, 2), and"),
        (pd.Series(np.zeros(3), [1, 2, 20]), "a Series whose index is not of different cluster ids (1, 2, 20)"),
        (pd.Series(np.zeros(3), [1, 2, 2]), "a Series whose index is not of different cluster ids (1, 2, 2)"),
        (np.arange(20), "neither p values (float, 0 to 1) nor detections (bool): 0, 1, 2, 3, 4, …"),
        (np.full(20, 1.2), "neither p values"),
        (np.full(20, -0.1), "neither p values"),
        (np.full(20, "p"), "neither p values"),
        ([None] * 20, "neither p values"),
        (np.full(20, np.nan), "tested no unit of any null session"),
        (pd.Series([], dtype=float), "tested no unit of any null session"),
    ],
    ids=repr,
)
def test_what_is_neither_is_refused_in_one_sentence(returned, says):
    with pytest.raises(ValueError) as refused:
        bwm.audit(lambda session: returned, n=1)
    message = str(refused.value)
    assert says in message and message.endswith(".") and message.count(". ") == 0
    assert "of seed 1001 the analysis returned" in message or "tested no unit" in message


@pytest.mark.parametrize(
    ("arguments", "says"),
    [({"effect": "mood"}, "there are stimulus, choice"), ({"n": 0}, "not n=0"), ({"alpha": 5}, "alpha=5")],
)
def test_what_cannot_be_audited_is_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        bwm.audit(by_coin, **arguments)


def test_an_analysis_that_raises_is_named_with_its_seed():
    def breaks(session):
        return [1.0] * 20 if session.seed == 1001 else session.pose("left")

    with pytest.raises(errors.MissingDataset) as raised:
        bwm.audit(breaks, n=3)
    _, note = raised.value._render_traceback_()  # what a notebook shows
    found = re.fullmatch(r"bwm.audit gave it the session of seed 1002: (.+)", note)
    assert eval(found[1], {"bwm": bwm}).seed == 1002, "the note opens the session"


# --- the sessions ----------------------------------------------------------------------------------------------------


SHORT = """
def spikes(session):
    times = session.insertions[0].spikes.times
    return [times[unit] % 1 for unit in range(20)]
print(bwm.audit(spikes, "choice", n=2).seeds.to_string())
"""


COUNTED = """
build = sample.build
def counted(target, *arguments, **named):
    with data.with_name("builds").open("a") as file:
        file.write(target.name + "\\n")
    return build(target, *arguments, **named)
sample.build = counted
"""


@pytest.fixture(scope="module")
def two_at_once(tmp_path_factory):
    """What two programs print that audit at the same time, and the sessions that they built."""
    folder = tmp_path_factory.mktemp("two")
    programs = [program(COUNTED + SHORT, folder / "data") for _ in range(2)]
    return *map(result, programs), sorted((folder / "builds").read_text().split())


def test_two_programs_at_once_build_each_session_once(two_at_once):
    first, second, built = two_at_once
    assert first == second and "1002" in first and built == ["seed-1001", "seed-1002"]


def test_an_audit_that_was_killed_is_taken_up_again(two_at_once, tmp_path):
    code = """
write = tables.write
def slow(root, *arguments, **named):
    if data.joinpath("audit", "seed-1001").exists():
        say_and_wait("halfway", lambda: False)
    return write(root, *arguments, **named)
tables.write = slow
"""
    data = tmp_path / "data"
    process = program(code + SHORT, data)
    wait_for(tmp_path / "halfway")
    process.kill()
    process.communicate()
    whole = (data / "audit" / "seed-1001" / "complete.json").stat().st_mtime_ns
    assert list(data.glob("audit/.building-*")) and not (data / "audit" / "seed-1002").exists()
    assert result(program(SHORT, data)) == two_at_once[0]
    assert not list(data.glob("audit/.building-*"))
    assert (data / "audit" / "seed-1001" / "complete.json").stat().st_mtime_ns == whole, "what was built is kept"


def test_an_audit_says_nothing_where_nobody_watches_and_twice_the_same(capfd):
    assert same(audited(by_coin, "choice", 3), bwm.audit(by_coin, "choice", 3))
    assert capfd.readouterr() == ("", "")


def test_sessions_are_new_synthetic_and_deleted_by_clean(sample, tmp_path, monkeypatch):
    seen = []
    bwm.audit(lambda session: seen.append(session) or by_coin(session), n=2)
    main, null = seen[:2]
    assert [session.seed for session in seen] == [1001, 1001, 1002, 1002] and all(s.synthetic for s in seen)
    assert not {session.eid for session in seen} & set(map(str, sample.search())) and len({s.eid for s in seen}) == 4
    pd.testing.assert_frame_equal(main.trials, null.trials)
    assert (null.truth.units.filter(regex="^(?!rf).*_gain$") == 0).all(axis=None) and len(main.truth.units) == 20
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    monkeypatch.setenv("BWM_DATA", str(tmp_path / "data"))
    (claim(tmp_path / "data" / "audit") / "seed-1001").mkdir()
    arguments = cli._parser().parse_args(["clean"])
    assert arguments.command(arguments) == 0 and not (tmp_path / "data" / "audit").exists()


# --- the figure ------------------------------------------------------------------------------------------------------


def test_figure_shows_each_seed_and_is_stamped_synthetic_beside_a_real_session(real, said):
    found = bwm.audit(by_coin, "choice", 3)
    with plt.rc_context():
        plots.stamp(real)
        fig = plots.audit(found)
        assert [t.get_text() for t in fig.texts] == ["synthetic audit · seeds 1001 to 1003"]
        assert said() == " ".join(found.verdict.split()) == " ".join(repr(found).split("\n\n")[0].split())
    (ax,) = fig.axes
    dots = [line.get_ydata() for line in ax.lines if line.get_marker() == "o" and line.get_color() != "k"]
    for drawn, what in zip(dots, ("false_positives", "others", "power"), strict=True):
        np.testing.assert_allclose(drawn, np.sort(100 * found.seeds[what]))
    assert "units flagged (%)" == ax.get_ylabel() and ax.get_title() == "by_coin"
    plt.close("all")
