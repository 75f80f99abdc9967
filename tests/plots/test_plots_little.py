"""Figures of next to nothing: each is drawn with what is known, or says in one sentence what is too little."""

import re
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from helpers.little import TRIALS, UNITS, Few, good
from helpers.sessions import of_subject

import bwm_tutorials as bwm
from bwm_tutorials import plots
from bwm_tutorials.analysis.passive import RfMaps
from bwm_tutorials.brainwide import release
from bwm_tutorials.brainwide.auditing import Audit
from bwm_tutorials.errors import DataError
from bwm_tutorials.paths import PACKAGE
from bwm_tutorials.plots import windows

pytestmark = pytest.mark.usefixtures("stamped")


def mostly_weekly(kinds: dict) -> list:
    """Every third kind in each run, the others weekly."""
    return [pytest.param(kind, marks=[pytest.mark.weekly] if i % 3 else []) for i, kind in enumerate(kinds)]


def drawn_or_refused(draw: Callable, said: Callable) -> str:
    """What is said of a figure, which has neither NaN nor empty words in it, or the sentence why there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            draw().canvas.draw()
        except (DataError, ValueError) as error:
            raised = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
            assert raised.is_relative_to(PACKAGE), f"{raised.name} refused it: {error}"
            words = str(error)
            assert re.fullmatch(r"[A-Z0-9].+\.", words) and "\n" not in words, words
        else:
            words = said()
            assert re.match(r"[\w−]|\.\d", words) and words.endswith("."), words
        finally:
            plt.close("all")
    assert not re.search(r"for \.|\bnan\b|\binf\b|NaT|None of None|\( ?\)", words), words
    return words


# ------------------------------------------------------------------------------------------------------------- trials


def course(trials, session):
    return plots.session_course(trials, bwm.trials.performance(trials, bwm.trials.response_latency(trials)))


def by_hand(trials, session):
    hand = {"bias": 0, "threshold": 20, "lapse_low": 0.1, "lapse_high": 0.1}
    table = bwm.trials.psychometric(trials)
    return plots.psychometric_by_hand(table, [hand], bwm.trials.fit_psychometric(table))


def beliefs(trials, session):
    return plots.beliefs(trials["probabilityLeft"], {"a guess": np.full(len(trials), 0.5)})


def among(trials, session):
    fits = pd.DataFrame({"mouse": {"bias": np.nan, "threshold": 10.0}}).T[: len(trials)]
    return plots.among_mice(fits, {"bias": (-10, 10), "threshold": (5, 20)})


def latencies(trials, session):
    table = bwm.trials.latencies(trials)
    curves = {name: bwm.trials.chronometric(trials, latency, signed=False) for name, latency in table.items()}
    return plots.latencies(table, curves)


def early(trials, session):
    latency = bwm.trials.latencies(trials).iloc[:, 0]
    bins = pd.cut(latency, [-np.inf, 0, 0.08, 0.2, 1, np.inf])
    return plots.early_movements(latency, {"rewarded": bwm.trials.proportions(trials["feedbackType"] == 1, bins)})


def vigour(trials, session):
    contrast = np.abs(bwm.trials.signed_contrast(trials))
    changes = bwm.trials.proportions(np.zeros(len(trials)), contrast)
    return plots.changes_and_vigour(changes, bwm.trials.chronometric(trials, np.ones(len(trials)), signed=False))


def turns(trials, session):
    ends = trials["stimOn_times"], trials["response_times"]
    turned = pd.Series(bwm.wheel.displacement(*session.wheel.values(), *ends), trials.index)
    return plots.wheel_versions(pd.DataFrame({"file": turned, "other": -turned}), trials["choice"])


def in_window(trials, session):
    probes = {"probe00": windows.probe(session.insertions[0].spikes)}
    seen = windows.Recording(trials, session.wheel, None, probes, {"pose": "None has a pose."}, 600.0)
    return plots.session_window(seen, (100.0, 110.0))


def paw(trials, session):
    times = np.arange(0, 600, 0.02)
    moves = bwm.pose.around(times, np.sin(times), trials["stimOn_times"], (-0.3, 0.6))
    moves.index = trials.index
    return plots.paw_and_wheel({"paw (px/s)": moves}, trials["choice"])


def arousal(trials, session):
    times = np.arange(0, 600, 0.02)
    moves = bwm.pose.around(times, np.sin(times), trials["stimOn_times"], (-1, 3))
    moves.index = trials.index
    return plots.arousal({"pupil (px)": moves}, trials["feedbackType"].map({1: "reward", -1: "no reward"}))


def bout(trials, session):
    outcome = trials["feedbackType"].map({1: "reward", -1: "no reward"}).rename("outcome")
    licks = {"times": session.licks, "clusters": np.zeros(session.licks.size, int)}
    rates = bwm.spikes.peth(licks, trials["feedback_times"], (-0.5, 1), 0.05, condition=outcome)
    return plots.licks(session.licks, session.licks[::4], {"licks": rates}, 100.0)


def posed(trials, session):
    return plots.trial_pose(session.pose("left"), trials.iloc[-1], [0.0, 0.5], wheel=session.wheel)


OF_TRIALS = {
    "session_course": course,
    "psychometric": lambda trials, session: plots.psychometric({"mouse": bwm.trials.psychometric(trials)}),
    "psychometric_by_hand": by_hand,
    "beliefs": beliefs,
    "learning": lambda trials, session: plots.learning({"day 1": bwm.trials.psychometric(trials)}),
    "among_mice": among,
    "latencies": latencies,
    "early_movements": early,
    "changes_and_vigour": vigour,
    "wheel_versions": turns,
    "one_trial": lambda trials, session: plots.one_trial(trials.iloc[-1], session.wheel, session.licks),
    "trial_panels": lambda trials, session: plots.trial_panels(trials[-3:], session.wheel, session.licks),
    "session_window": in_window,
    "paw_and_wheel": paw,
    "arousal": arousal,
    "licks": bout,
    "trial_pose": posed,
}


@pytest.mark.parametrize("kind", mostly_weekly(TRIALS))
@pytest.mark.parametrize("name", OF_TRIALS)
def test_figures_of_few_trials_or_of_trials_that_are_alike(name, kind, session, said):
    trials = TRIALS[kind](session.trials)
    if trials.empty and name in ("one_trial", "trial_pose"):
        pytest.skip("there is no trial to give")
    drawn_or_refused(lambda: OF_TRIALS[name](trials, session), said)


ALONE = ["session_course", "psychometric", "psychometric_by_hand", "learning", "beliefs", "latencies"]
ALONE += ["early_movements", "changes_and_vigour", "one_trial", "trial_panels"]


@pytest.mark.parametrize("name", ALONE)
def test_figures_of_a_real_session_that_has_trials_alone(name, real_data, said):
    session = of_subject(bwm.connect(real_data), "NYU-11")
    draw = {
        "one_trial": lambda trials, _: plots.one_trial(trials.iloc[0]),
        "trial_panels": lambda trials, _: plots.trial_panels(trials[:2]),
    }.get(name, OF_TRIALS[name])
    drawn_or_refused(lambda: draw(session.trials, session), said)


# -------------------------------------------------------------------------------------------------------------- units


def rates(few, events, **how):
    return bwm.spikes.peth(few.spikes, events, (-0.2, 0.4), 0.02, few.clusters.index, **how)


def of_events(few, session):
    events = session.trials["stimOn_times"]
    return bwm.responses.responsive_units(few.spikes, events, (0.03, 0.13), (-0.1, 0.0), few.clusters.index)


def answered(few, session, knows=True):
    events = bwm.questions.kept_events(session.trials, "firstMovement_times")
    counts = bwm.spikes.counts_in_intervals(few.spikes, bwm.spikes.around(events, (-0.1, 0.05)), few.clusters.index)
    asked = bwm.questions.variable(session.trials, "choice")
    table = bwm.responses.selectivity(pd.concat({"probe00": counts}, names=["probe"]), asked.values)
    acronym = pd.concat({"probe00": few.clusters["acronym"]})
    return plots.answer("Ours", table, acronym, pd.Series(False, acronym.index) if knows else None)


def aligned(few, session):
    events, unit = session.trials["stimOn_times"], few.clusters.index[0]
    return plots.raster(bwm.spikes.aligned(few.spikes, unit, events), rates(few, events), unit)


def presence(few, session):
    edges = np.arange(0, 3600, 60.0)
    steps = pd.DataFrame({"start": edges[:-1], "stop": edges[1:]}, edges[:-1])
    counts = bwm.spikes.counts_in_intervals(few.spikes, steps, few.clusters.index)
    return plots.presence(counts, few.clusters["depths"], pd.DataFrame({"start": [], "stop": []}))


def seen(few, session):
    probe = windows.probe(few.spikes, few.clusters, few.channels)
    whole = windows.Recording(session.trials, session.wheel, None, {"probe00": probe}, {"pose": "No pose."}, 3600.0)
    unit = ("probe00", int(probe.units.index[0])) if len(probe.units) else None
    return plots.session_window(whole, (100.0, 110.0), unit=unit)


def snippet(few, session):
    volts = np.random.default_rng(0).normal(0, 1e-5, (1500, 384))
    return plots.voltage(volts, 100.0, np.arange(40, 60), few.channels, few.spikes, few.clusters)


def by_region(few, session):
    return plots.units_by_region(
        few.clusters.rename(columns={"beryl": "Beryl", "cosmos": "Cosmos"}).assign(side="left")
    )


def by_session(few, session):
    units = few.clusters.rename(columns={"beryl": "Beryl"}).assign(eid="one")
    return plots.regions_by_session(units, "firing_rate", "rate (Hz)", n=20)


def fields(few):
    n = len(few.clusters)
    table = {"z": np.full(n, 1.0), "p": 0.5, "p_adjusted": 0.5, "sign": "on", "azimuth": 0.0, "elevation": 0.0}
    return pd.DataFrame(table, few.clusters.index)


def maps(few):
    n = len(few.clusters)
    zeros = np.zeros((n, 2, 15, 15))
    return RfMaps(zeros, zeros, np.zeros((2, 15, 15)), np.zeros(n), few.clusters.index, (0.0, 0.2))


def compared(few):
    task = pd.DataFrame({"baseline": 1.0, "response": 1.0, "p_adjusted": 1.0}, few.clusters.index)
    task.attrs["n_trials"] = 1
    return plots.task_against_replay(task, task, pd.Series(dtype=bool))


def shapes(few):
    waves = few.waveforms["waveforms"][few.clusters.index.to_numpy(int)]
    return plots.waveform_widths(waves[..., 0], bwm.quality.trough_to_peak(waves))


def lagged(few):
    shifts = np.arange(-600, 600) / 10
    rho = pd.DataFrame(np.zeros((len(few.clusters), shifts.size)), few.clusters.index, shifts)
    return plots.lags(rho, few.clusters.index[0], 20, pd.Series(1.0, few.clusters.index))


def mixed(few):
    confidence = pd.DataFrame({0: 100.0, 0.1: 50.0}, few.clusters.index)
    return plots.confidence_of_mixtures(confidence, few.clusters["firing_rate"])


def sure(few):
    return plots.confidence_by_rate(few.clusters.assign(n_spikes_below2=0.0), 3600)


def first_unit(few):
    return few.clusters.index[:1]


OF_UNITS = {
    "probe": lambda few, session: plots.probe(few.channels, few.clusters),
    "unit_panels": lambda few, session: plots.unit_panels(few.spikes, few.clusters, few.waveforms, first_unit(few)),
    "units_by_region": by_region,
    "quality_by_depth": lambda few, session: plots.quality_by_depth(few.clusters),
    "presence": presence,
    "responding": lambda few, session: plots.responding({"stimulus": of_events(few, session)}, few.clusters["acronym"]),
    "responsive": lambda few, session: plots.responsive(of_events(few, session), few.clusters["acronym"]),
    "answer": answered,
    "p_values": lambda few, session: plots.p_values({"a test": of_events(few, session)}, "a probe"),
    "raster": aligned,
    "rates_around": lambda few, session: plots.rates_around(
        [rates(few, session.trials["stimOn_times"])], *first_unit(few)
    ),
    "alignments": lambda few, session: plots.alignments(
        {"stimulus": rates(few, session.trials["stimOn_times"])}, few.clusters["depths"]
    ),
    "criteria": lambda few, session: plots.criteria(few.spikes, few.clusters, few.truth),
    "session_raster": lambda few, session: plots.session_raster(few.spikes, channels=few.channels),
    "session_window": seen,
    "voltage": snippet,
    "two_sortings": lambda few, session: plots.two_sortings(few.clusters, few.clusters),
    "regions_by_session": by_session,
    "best_pixels": lambda few, session: plots.best_pixels(
        fields(few), pd.DataFrame(np.ones((len(few.clusters), 9))), few.truth
    ),
    "on_off": lambda few, session: plots.on_off(maps(few), fields(few), few.truth),
    "rf_maps": lambda few, session: plots.rf_maps(maps(few), list(few.clusters.index)),
    "rates_by_part": lambda few, session: plots.rates_by_part(pd.DataFrame(0.0, few.clusters.index, list("abcd"))),
    "task_against_replay": lambda few, session: compared(few),
    "waveform_widths": lambda few, session: shapes(few),
    "lags": lambda few, session: lagged(few),
    "confidence_of_mixtures": lambda few, session: mixed(few),
    "confidence_by_rate": lambda few, session: sure(few),
}


@pytest.mark.parametrize("kind", mostly_weekly(UNITS))
@pytest.mark.parametrize("name", OF_UNITS)
def test_figures_of_few_units_or_of_units_of_which_little_is_known(name, kind, session, said):
    few = UNITS[kind](session.insertions[0])
    if few.clusters.empty and name in ("raster", "rates_around", "lags"):
        pytest.skip("there is no unit to give")
    drawn_or_refused(lambda: OF_UNITS[name](few, session), said)


@pytest.mark.parametrize("kind", TRIALS)
@pytest.mark.parametrize("name", ["raster", "rates_around", "alignments"])
def test_rates_around_few_events(name, kind, session, said):
    class Asked:
        trials = TRIALS[kind](session.trials)

    drawn_or_refused(lambda: OF_UNITS[name](Few(session.insertions[0], good(session.insertions[0])[:2]), Asked), said)


# ----------------------------------------------------------------------------------------------------- what is left


PARTS = ["passiveProtocol", "spontaneousActivity", "RFM", "taskReplay"]
NOTHING = pd.DataFrame({name: pd.Series(dtype=float) for name in ("time", "kind")})
WAVE = np.arange(30) / 60
OTHERS: dict[str, dict[str, Callable]] = {
    "what_sessions_have": {
        "no session": lambda: plots.what_sessions_have(pd.DataFrame(index=["trials"])),
    },
    "download_prices": {"nothing": lambda: plots.download_prices(pd.Series(dtype=float))},
    "passive_protocol": {
        "no part": lambda: plots.passive_protocol(pd.DataFrame(np.nan, ["start", "stop"], PARTS), NOTHING),
        "no replay": lambda: plots.passive_protocol(pd.DataFrame(1.0, ["start", "stop"], PARTS), NOTHING),
        "parts missing": lambda: plots.passive_protocol(pd.DataFrame({"RFM": [1.0, 2.0]}, ["start", "stop"])),
    },
    "choice_at_equal_movement": {
        "no trials to compare": lambda: plots.choice_at_equal_movement({}, {"paw speed": 0}),
        "no unit": lambda: plots.choice_at_equal_movement(
            {"all": pd.DataFrame({"p_adjusted": []})}, {"all": 3}, pd.Series(dtype=bool)
        ),
    },
    "trackers": {
        "no tracker": lambda: plots.trackers({}, "x (px)", {}),
        "no frame": lambda: plots.trackers({"dlc": (WAVE[:0], WAVE[:0])}, "x (px)", {"dlc": WAVE[:0]}),
        "never seen": lambda: plots.trackers({"dlc": (WAVE, WAVE * np.nan)}, "x (px)", {"dlc": WAVE * np.nan}),
        "no error": lambda: plots.trackers({"dlc": (WAVE, WAVE)}, "x (px)", {"dlc": WAVE * 0}),
    },
    "trajectories": {
        "none": lambda: plots.trajectories({}),
        "one": lambda: plots.trajectories({"left": pd.DataFrame({0: WAVE, 1: WAVE}, WAVE)}),
        "unknown": lambda: plots.trajectories(
            {name: pd.DataFrame({0: WAVE * np.nan, 1: WAVE}, WAVE) for name in ("left", "right")}
        ),
    },
    "selection_steps": {
        "nothing": lambda: plots.selection_steps(
            pd.DataFrame({"units": [0, 0], "regions": [0, 0]}, ["all", "good"]),
            pd.DataFrame({"units": [10, 5], "regions": [2, 1]}, ["all", "good"]),
        ),
        "one step": lambda: plots.selection_steps(
            pd.DataFrame({"units": [3], "regions": [1]}, ["all"]), pd.DataFrame({"units": [9], "regions": [1]}, ["all"])
        ),
    },
    "history": {
        "no entry": lambda: plots.history(release.changelog()[:0]),
        "one entry": lambda: plots.history(release.changelog()[:1]),
    },
    "scorecard": {
        "nothing": lambda: plots.scorecard({}),
        "unknown": lambda: plots.scorecard({"a share": {"found": np.nan, "null": np.full(9, np.nan)}}),
    },
    "wheel_movements": {
        "one movement": lambda: plots.wheel_movements(
            {"timestamps": WAVE, "position": WAVE}, WAVE, WAVE, WAVE * 0, np.array([[0.1, 0.2]]), WAVE[:3] * 0
        ),
        "no movement": lambda: plots.wheel_movements(
            {"timestamps": WAVE, "position": WAVE}, WAVE, WAVE, WAVE * 0, np.empty((0, 2)), WAVE[:0]
        ),
    },
    "wheel_traces": {
        "no movement": lambda: plots.wheel_traces({"a": (WAVE, WAVE, np.empty((0, 2)))}),
        "one sample": lambda: plots.wheel_traces({"a": (WAVE[:1], WAVE[:1], np.empty((0, 2)))}),
        "no sample": lambda: plots.wheel_traces({"a": (WAVE[:0], WAVE[:0], np.empty((0, 2)))}),
    },
    "audit": {
        "one seed": lambda: plots.audit(
            Audit("mine", pd.DataFrame({"false_positives": [0.1], "n_false_positives": [3]}, [1001]), None, 0.05)
        ),
        "no unit in any": lambda: plots.audit(
            Audit(
                "mine",
                pd.DataFrame({"false_positives": [0.1, 0], "others": np.nan, "n_false_positives": 9, "n_others": 0}),
                "choice",
                0.05,
            )
        ),
    },
}


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kinds in OTHERS.items() for kind in kinds])
def test_other_figures_of_next_to_nothing(name, kind, said):
    drawn_or_refused(OTHERS[name][kind], said)


def test_every_figure_is_among_them():
    assert {*OF_TRIALS, *OF_UNITS, *OTHERS, "stamp"} == {*plots.__all__}
