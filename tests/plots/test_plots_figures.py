"""Figures carry their stamp, and their sentences say what is drawn, also where nothing is found."""

import os
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import bwm_tutorials as bwm
from bwm_tutorials import plots
from bwm_tutorials.course.lessons.lesson_00 import example_trial

pytestmark = pytest.mark.usefixtures("stamped")


def stamp_of(figure):
    return [text.get_text() for text in figure.texts if text.get_gid() == "stamp"]


def curve(p_right, n=50):
    contrast = [-100.0, -25, 0, 25, 100]
    right = np.round(np.array(p_right) * n).astype(int)
    rows = [(c, -1 if i < k else 1) for c, k in zip(contrast, right, strict=True) for i in range(n)]
    contrast, choice = map(np.array, zip(*rows, strict=True))
    return bwm.trials.psychometric(
        pd.DataFrame(
            {
                "contrastLeft": np.where(contrast < 0, -contrast / 100, np.nan),
                "contrastRight": np.where(contrast >= 0, contrast / 100, np.nan),
                "choice": choice,
            }
        )
    )


def test_every_figure_carries_the_stamp_also_a_learners_own(session, real):
    assert stamp_of(plt.figure()) == ["synthetic sample · seed 1"]
    assert stamp_of(plt.subplots()[0]) == ["synthetic sample · seed 1"]
    plots.stamp(session, real)
    assert stamp_of(plt.figure()) == ["synthetic sample · seed 1  |  REAL · SWC_054 2020-09-01"]
    other = bwm.Session(next(iter(real.one.search(date_range="2020-08-28"))), real.one)
    plots.stamp(session, real, other)
    assert stamp_of(plt.figure()) == ["synthetic sample · seed 1  |  REAL · SWC_054, 2 days"]
    plots.stamp(real)
    assert stamp_of(plots.psychometric({"mouse": curve([0, 0.1, 0.5, 0.9, 1])})) == ["REAL · SWC_054 2020-09-01"]


def test_a_style_chosen_before_does_not_take_the_stamp_away(session):
    plt.rcdefaults()
    plots.stamp(session)
    assert stamp_of(plt.figure()) == ["synthetic sample · seed 1"]


def test_psychometric_says_what_is_drawn(capsys):
    plots.psychometric({"mouse": curve([0, 0.1, 0.9, 0.9, 1])})
    said = " ".join(capsys.readouterr().out.split())
    assert said == (
        "mouse: reports right in 0 % of 50 trials at −100 % contrast and in 100 % of 50 at +100 %, so it follows the "
        "stimulus; at 0 % contrast 90 % of 50 are right, more than half."
    )


def test_psychometric_says_when_there_is_no_effect(capsys):
    plots.psychometric({"bored": curve([0.5, 0.5, 0.5, 0.5, 0.52]), "absent": curve([0, 0, 0, 0, 0]).iloc[:0]})
    said = " ".join(capsys.readouterr().out.split())
    assert "no clear effect of the stimulus" in said and "50 % of 50 are right, not told apart from half" in said
    assert said.endswith("absent: no trials.")


def test_an_unnamed_curve_and_an_unstamped_figure_are_noticed():
    with pytest.raises(TypeError, match=r"psychometric\(\{'my mouse': curve\}\)"):
        plots.psychometric(curve([0, 0.1, 0.5, 0.9, 1]))
    code = "import matplotlib.pyplot as plt, bwm_tutorials.plots; print(plt.figure().texts[0].get_text())"
    said = subprocess.check_output([sys.executable, "-c", code], text=True, env=os.environ | {"MPLBACKEND": "Agg"})
    assert said.startswith("not stamped")


def test_more_curves_than_colours_are_refused():
    with pytest.raises(ValueError, match="5 curves cannot be told apart"):
        plots.psychometric({str(i): curve([0, 0.1, 0.5, 0.9, 1]) for i in range(5)})


def test_one_trial_says_what_the_tables_say(session, probe, capsys):
    trial = example_trial(session)
    fig = plots.one_trial(trial, session.wheel, session.licks, probe.good_spikes, probe.clusters)
    said = " ".join(capsys.readouterr().out.split())
    assert "100 % contrast on the right: the mouse reported right" in said and "was rewarded" in said
    assert "counter-clockwise (position rises)" in said
    assert len([ax for ax in fig.axes]) == 4
    first, last = np.searchsorted(probe.good_spikes.times, trial["stimOn_times"] + np.array(fig.axes[-1].get_xlim()))
    assert f"fire {last - first} spikes" in said


def test_a_left_report_turns_the_wheel_clockwise(session, capsys):
    table = session.trials
    table = table.dropna(subset="stimOn_times")
    for _, trial in table[(table["choice"] == 1) & (table["feedbackType"] == 1)].iloc[:5].iterrows():
        plots.one_trial(trial, session.wheel)
        said = " ".join(capsys.readouterr().out.split())
        assert "reported left" in said and "clockwise (position falls)" in said and "counter" not in said


@pytest.mark.parametrize("choice", [-1, 0, 1])
def test_one_trial_of_any_outcome_draws(session, choice, capsys):
    trial = session.trials[session.trials["choice"] == choice].iloc[0]
    plots.one_trial(trial, session.wheel, session.licks)
    plots.one_trial(trial)
    assert {-1: "reported right", 0: "made no choice", 1: "reported left"}[choice] in capsys.readouterr().out


def test_a_trial_without_a_stimulus_time_is_refused(session):
    with pytest.raises(ValueError, match="stimOn_times is NaN"):
        plots.one_trial(session.trials[session.trials["stimOn_times"].isna()].iloc[0])


def test_one_trial_with_the_seven_columns_of_a_training_session(real, capsys):
    fig = plots.one_trial(example_trial(real))
    assert len(fig.axes) == 1 and "rewarded" in capsys.readouterr().out


def test_what_sessions_have_says_who_lacks_what(session, real, capsys):
    has = pd.concat([s.available["present"] for s in (session, real)], axis=1, keys=["synthetic", "real"])
    fig = plots.what_sessions_have(has)
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("All of these 2 have trials. Some have wheel (1)") and "insertion probe00 (1)" in said
    filled, empty = (line.get_xydata() for line in fig.axes[0].lines)
    assert (len(filled), len(filled) + len(empty)) == (has.eq(True).sum().sum(), has.size)
    assert fig.axes[0].get_yticklabels()[int(filled[0][1])].get_text() == "trials"


def test_what_sessions_have_where_all_is_the_same(capsys):
    plots.what_sessions_have(pd.DataFrame({"a": [True, False], "b": [True, False]}, index=["trials", "wheel"]))
    assert capsys.readouterr().out == "All of these 2 have trials. None has wheel.\n"


def test_download_prices_say_what_is_cheapest_and_what_is_lacking(capsys):
    fig = plots.download_prices(pd.Series({"spikes": 480.0, "wheel": 0.0, "trials": 0.06, "licks": 0.3}))
    assert " ".join(capsys.readouterr().out.split()) == (
        "From 0.06 MB for trials to 480 MB for spikes, 8,000 times as much. The session has no wheel."
    )
    (ax,) = fig.axes
    assert ax.get_xscale() == "log" and [t.get_text() for t in ax.get_yticklabels()] == ["trials", "licks", "spikes"]
    assert [t.get_text() for t in ax.texts] == ["0.06", "0.3", "480"]


def test_download_prices_of_one_thing_and_of_none(capsys):
    plots.download_prices(pd.Series({"trials": 0.018}))
    assert capsys.readouterr().out == "0.018 MB for trials.\n"
    plots.download_prices(pd.Series({"trials": 0.0}))
    assert capsys.readouterr().out == "The session has no trials.\n"


def test_psychometric_by_hand_says_how_likely_each_is(session, capsys):
    table = bwm.trials.psychometric(session.trials)
    best = bwm.trials.fit_psychometric(table)
    flat = {"bias": 0, "threshold": 50, "lapse_low": 0.5, "lapse_high": 0.5}
    fig = plots.psychometric_by_hand(table, [flat, best], best)
    said = " ".join(capsys.readouterr().out.split())
    chance = table["n_trials"].sum() * np.log(0.5)
    assert f"lapse rates 0.5 and 0.5: {chance:.1f};".replace("-", "−") in said
    assert said.endswith(f"The best fit has {best['log_likelihood']:.1f}.".replace("-", "−"))
    fitted, drawn = fig.axes[1].lines[-2:]
    assert np.allclose(fitted.get_ydata(), drawn.get_ydata())


def test_session_course_shows_where_stimuli_were_likely_and_says_how_it_ended(session, capsys):
    table = session.trials
    running = bwm.trials.performance(table, bwm.trials.response_latency(table))
    above, _, below = plots.session_course(table, running).axes
    said = " ".join(capsys.readouterr().out.split())
    none = (table["choice"] == 0).sum()
    assert said.startswith(f"{len(table)} trials, {none} of them without a choice. Rewarded: ")
    assert f"and {running['correct'].iloc[-1]:.0%} at the end".replace("%", " %") in said
    _, ticks = above.lines
    unseen = table[["contrastLeft", "contrastRight"]].max(axis=1) == 0
    right = ticks.get_ydata()[table["choice"][unseen] == -1]
    assert len(ticks.get_xdata()) == unseen.sum() and (right > 1).all()
    assert below.get_yscale() == "log"


def test_session_course_of_a_training_day_without_blocks(real, capsys):
    (eid,) = real.one.search(date_range="2020-08-21")
    table = bwm.Session(eid, real.one).trials
    plots.session_course(table, bwm.trials.performance(table, bwm.trials.response_latency(table)))
    assert capsys.readouterr().out.startswith(f"{len(table)} trials, 0 of them without a choice.")


def test_beliefs_say_how_they_follow_the_block(session, capsys):
    p_left = session.trials["probabilityLeft"]
    fig = plots.beliefs(p_left, {"rule": p_left, "its opposite": 1 - p_left}, slice(0, 50))
    said = " ".join(capsys.readouterr().out.split())
    assert said == f"Correlation with the block over all {len(p_left)} trials: rule 1.00, its opposite −1.00."
    assert [len(line.get_xdata()) for line in fig.axes[0].lines] == [50, 50]


def test_a_session_that_ends_before_its_first_block_is_drawn_too(capsys):
    fig = plots.beliefs(np.full(30, 0.5), {"rule": np.full(30, 0.5)})
    assert [len(line.get_xdata()) for line in fig.axes[0].lines] == [30]
    assert "In all 30 trials P(left) was 0.5: there is no block to follow." in capsys.readouterr().out
    plots.psychometric({"left block": curve([0, 0.1, 0.5, 0.9, 1], 400).iloc[:0]})
    assert capsys.readouterr().out == "left block: no trials.\n"


def test_learning_and_many_mice_say_what_was_fitted(capsys):
    days = {"monday": curve([0.3, 0.4, 0.5, 0.6, 0.7], 400), "friday": curve([0, 0.1, 0.5, 0.9, 1], 400)}
    fig = plots.learning(days)
    fits = pd.DataFrame({day: bwm.trials.fit_psychometric(table) for day, table in days.items()}).T
    said = " ".join(capsys.readouterr().out.split())
    assert f"friday: threshold {fits['threshold']['friday']:.0f} %, lapse rate 0 % (mean of both sides)." in said
    assert [ax.get_title() for ax in fig.axes] == ["monday", "friday"]
    fig = plots.among_mice(fits, {"threshold": (fits["threshold"]["friday"] - 1, fits["threshold"]["friday"] + 1)})
    assert capsys.readouterr().out == "Of 2 sessions inside the range of the real mice: threshold 1.\n"
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["monday", "friday"]


def test_a_number_and_its_percent_sign_stay_on_one_line(capsys):
    for width in range(20):
        plots.style.say("x" * width + " 100 % of trials" * 12)
    assert "\n%" not in capsys.readouterr().out


def test_scorecard_holds_what_was_found_against_the_rest(capsys):
    null = np.linspace(-1, 1, 201)
    fig = plots.scorecard(
        {
            "shift (%)": {"found": 2.5, "put_in": 2.25, "null": null, "published": "3 [1]"},
            "slope (s)": {"found": -0.5, "put_in": None, "null": null},
            "rate": {"found": 120.0, "put_in": np.nan},
            "nothing": {"found": np.nan, "null": null},
        }
    )
    said = " ".join(capsys.readouterr().out.split())
    assert said == (
        "shift (%): found 2.5; put in 2.25; 95 % of the null lies from −0.95 to 0.95, and what was found lies outside. "
        "slope (s): found −0.5; put in unknown; 95 % of the null lies from −0.95 to 0.95, and what was found lies "
        "inside: these data cannot tell it from nothing. rate: found 120; put in unknown. nothing: could not be "
        "computed here."
    )
    texts = [text.get_text() for text in fig.texts]
    assert texts.count("unknown") == 3 and texts.count("no null") == 1 and texts.count("–") == 4 and "3 [1]" in texts
    # Zero is always in view.
    assert all(ax.get_xlim()[0] <= 0 <= ax.get_xlim()[1] for ax in fig.axes)


def test_figures_keep_their_labels_units_and_width(session, probe):
    for fig in (
        plots.one_trial(example_trial(session), session.wheel, session.licks, probe.good_spikes, probe.clusters),
        plots.psychometric({"mouse": bwm.trials.psychometric(session.trials)}),
        plots.what_sessions_have(
            pd.DataFrame({f"SIM-00{i} 2001-01-08": session.available["present"] for i in range(10)})
        ),
        plots.download_prices(pd.Series({"trials": 0.06, "spikes": 480.0})),
        plots.session_course(
            session.trials, bwm.trials.performance(session.trials, bwm.trials.response_latency(session.trials))
        ),
    ):
        assert fig.get_size_inches()[0] <= 9
        labels = [ax.get_ylabel() for ax in fig.axes] + [fig.axes[-1].get_xlabel()]
        assert any("(" in label for label in labels) and fig.axes[-1].get_xlabel()


def test_a_session_of_few_trials_is_drawn_and_said_to_be_too_short(session, said):
    few = session.trials.iloc[:20]
    running = bwm.trials.performance(few, bwm.trials.response_latency(few))
    figure = plots.session_course(few, running)
    assert len(figure.axes) == 3 and "20 trials" in (words := said()) and "too few for a running window" in words


@pytest.mark.parametrize("column", ["choice", "feedbackType", "response_times"])
def test_a_trial_that_is_not_wholly_known_is_drawn_with_what_is_known(column, session, said):
    row = session.trials.iloc[120].astype(float).copy()
    row[column] = np.nan
    plots.one_trial(row, session.wheel, session.licks)
    plots.trial_panels(row.to_frame().T, session.wheel)
    words = said()
    assert "nan" not in words and "contrast on the" in words
    if column != "response_times":
        assert "not known" in words


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_sentences_are_printed_on_any_terminal(encoding):
    code = (
        "from bwm_tutorials.plots.style import say; say('-5 %, a mean of -.3 × 2 µm')\n"
        "import bwm_tutorials as bwm; session = bwm.Session(one=bwm.connect('real'))\n"
        "for lesson in ('00', '04', '08'):\n"
        "    check, hint, solution = bwm.exercises(lesson, session)\n"
        "    for said in (hint(f'{lesson}.1'), solution(f'{lesson}.1'), check(f'{lesson}.1', ...)):\n"
        "        print(said, repr(said))\n"
        "bwm.plots.stamp(session); bwm.plots.psychometric({'→ mouse': bwm.trials.psychometric(session.trials)})\n"
        "bwm.plots.trial_panels(bwm.trials.select(session.trials)[:1]); bwm.provenance(session); bwm.progress()"
    )
    env = os.environ | {"PYTHONIOENCODING": encoding, "MPLBACKEND": "agg"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    said = done.stdout.decode(encoding)
    assert said.startswith("-5 %, a mean of -.3 × 2 µm" if encoding == "cp1252" else "-5 %, a mean of -.3 x 2 um")
    assert "-> mouse" in said and "REAL" in said and "?" not in said.partition("-> mouse")[2]
