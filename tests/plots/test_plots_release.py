"""Figures of the release: their sentences say what their tables say, and they draw where something is missing."""

import re

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
import pytest

from bwm_tutorials import plots
from bwm_tutorials.brainwide import release

pytestmark = pytest.mark.usefixtures("stamped")


def stamp_of(fig):
    (text,) = (text.get_text() for text in fig.texts if text.get_gid() == "stamp")
    return text


@pytest.fixture
def counts():
    steps = ["all units", "good units", "in enough sessions"]
    return pd.DataFrame({"units": [100, 50, 5], "regions": [9, 8, 2]}, pd.Index(steps, name="step"))


@pytest.fixture
def published(counts):
    return pd.DataFrame({"units": [621733, 75708, 62990], "regions": [281, 268, 210]}, counts.index)


def test_steps_say_what_is_left_and_which_step_takes_most(counts, published, said):
    fig = plots.selection_steps(counts, published)
    assert said() == (
        "Here 5 of 100 units are left, in 2 of 9 regions; the step “in enough sessions” takes most, 90 %. Published: "
        "62,990 of 621,733, in 210 of 281; most regions, 58, go at “in enough sessions”."
    )
    units, regions = fig.axes
    assert [label.get_text() for label in units.get_yticklabels()] == list(counts.index)
    assert {"100", "621,733"} <= {note.get_text() for note in units.texts} and "210" in {
        t.get_text() for t in regions.texts
    }
    here, theirs = (next(line for line in units.lines if line.get_color() == c) for c in ("#0072B2", "k"))
    assert here.get_xdata().tolist() == [100, 50, 5] and theirs.get_xdata().tolist() == [621733, 75708, 62990]
    assert "synthetic" in stamp_of(fig)
    assert (units.get_xscale(), regions.get_xscale()) == ("log", "linear") and regions.get_xlim()[0] == 0


def test_steps_that_leave_nothing_draw(counts, published, said):
    plots.selection_steps(counts.assign(units=[10, 5, 0], regions=[2, 1, 0]), published).canvas.draw()
    assert "Here 0 of 10 units are left, in 0 of 2 regions; the step “in enough sessions” takes most, 100 %" in said()
    plots.selection_steps(counts * 0, published).canvas.draw()
    assert said() == "There are no sorted units here."


def test_history_says_what_is_published_and_is_stamped_so(said):
    changelog = release.changelog()
    fig = plots.history(changelog)
    kinds, inferred = changelog["kind"].value_counts(), (changelog["link"] == "inferred").sum()
    assert said() == (
        f"12 entries from 2022-Q4 to 2025-Q4: {kinds['added']} added, {kinds['modified']} modified, {kinds['fixed']} "
        f"fixed. Not on the page: 1. Link to the files inferred: {inferred}."
    )
    told = [note.get_text() for note in fig.axes[0].texts]
    assert "wheel polarity · 62 sessions" in told and "audio" in told and "passive gabors · not on the page" in told
    assert stamp_of(fig) == "REAL · the release, as published"
    assert sum(len(line.get_xdata()) for line in fig.axes[0].lines) == len(changelog)
    fig.canvas.draw()
    (ax,) = fig.axes
    assert all(ax.bbox.x0 <= note.get_window_extent().x0 < note.get_window_extent().x1 <= ax.bbox.x1
               for note in ax.texts)  # fmt: skip
    assert mdates.num2date(ax.get_xlim()[1]).strftime("%Y-%m-%d") == "2025-12-31", "nothing comes after the last"


def test_two_sortings_are_counted(said):
    table = pd.DataFrame({"depths": [0.0, 20, 40, 60], "firing_rate": [1.0, 2, 3, 4], "label": [1, 1, 1 / 3, 1]})
    fig = plots.two_sortings(table[:2], table)
    assert "has 2 units, 2 of them good; the newer 4 and 3: 2.00 times as many units" in said()
    assert [ax.get_title() for ax in fig.axes] == ["superseded: 2 units, 2 good", "newer: 4 units, 3 good"]
    plots.two_sortings(table[2:3], table[2:3]).canvas.draw()
    assert "has 1 units, 0 of them good" in said()


@pytest.mark.parametrize("sign, verdict", [(-1, "as it should be"), (1, "flipped")])
def test_the_sign_of_a_wheel_is_told(sign, verdict, said):
    choice = pd.Series([1, -1, 1, -1, 0])
    turned = pd.DataFrame({"file": sign * choice * 0.3 + [0.01, 0, 0, 0, 0.2]})
    plots.wheel_versions(turned, choice).canvas.draw()
    assert said().startswith(f"file: correlation of turn and choice {'−' if sign < 0 else ''}1.00, {verdict}")


def by_region(rates, n_sessions=4, n_units=6):
    """Units of regions, in each of the same sessions; ``rates`` by region and session."""
    rows = [
        {"Beryl": region, "eid": f"{session}", "firing_rate": rates(region, session) * (1 + 0.1 * unit)}
        for region in ("CA1", "PO", "DG")
        for session in range(n_sessions)
        for unit in range(n_units)
    ]
    return pd.DataFrame(rows)


def test_regions_are_drawn_with_their_sessions(said):
    units = by_region(lambda region, session: 1.0 + (region == "PO"))[:-3]
    fig = plots.regions_by_session(units, "firing_rate", "rate (Hz)")
    (ax,) = fig.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["DG · 21 in 4", "CA1 · 24 in 4", "PO · 24 in 4"]
    areas = ax.collections[1].get_sizes()
    assert np.allclose(np.sort(areas) / areas.min(), [1] + 11 * [2])
    assert "69 units of 3 regions." in said()
    plots.regions_by_session(units[:2], "firing_rate", "rate (Hz)")
    assert said() == "2 units of 1 regions."


def test_what_sessions_and_regions_differ_by_is_held_against_shuffled_units(said):
    """A region apart from the others, a session apart from the others, and neither."""
    cases = (
        (lambda region, session: 1.0 + 9 * (region == "PO"), "no more than", "more than"),
        (lambda region, session: 1.0 + 9 * (session == 0), "more than", "no more than"),
        (lambda region, session: 1.0, "no more than", "no more than"),
    )
    for rates, within, between in cases:
        plots.regions_by_session(by_region(rates, n_units=40), "firing_rate", "rate (Hz)")
        first, second = re.findall(r": ((?:no )?more than) chance gives", said().replace("\n", " "))
        assert (first, second) == (within, between)


def test_the_largest_difference_of_small_samples_is_large_by_chance(said):
    """One distribution for all: the fewer units a session has, the more its medians differ, and chance says so."""
    rng = np.random.default_rng(3)
    told = []
    for n_units in (2, 40):
        units = by_region(lambda *_: 1.0, n_units=n_units)
        units["firing_rate"] = rng.lognormal(0, 1, len(units))
        plots.regions_by_session(units, "firing_rate", "rate (Hz)")
        found = re.search(r"by up to ([\d.]+) times; with shuffled units by ([\d.]+)", said().replace("\n", " "))
        told.append([float(number) for number in found.groups()])
    assert told[0][1] > 2 * told[1][1]
