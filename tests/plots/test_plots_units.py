"""Figures of units: their sentences say what the tables say, and they draw where something is missing."""

import io
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from helpers.figures import check_figure

import bwm_tutorials as bwm
from bwm_tutorials import plots
from bwm_tutorials.paths import ROOT
from bwm_tutorials.plots.sorting import describe_fault
from bwm_tutorials.plots.units import describe_unit
from bwm_tutorials.simulate.probe import NOISE, voltage

pytestmark = pytest.mark.usefixtures("stamped")


def test_voltage_names_the_spikes_of_the_table_that_lie_in_view(probe, said):
    start, stop, sites = 120.0, 120.05, np.arange(40, 140)
    volts = voltage(np.random.default_rng(0), probe.spikes, probe.waveforms, start, stop)
    fig = check_figure(plots.voltage(volts, start, sites, probe.channels, probe.spikes, probe.clusters))
    seen = (probe.spikes.times >= start) & (probe.spikes.times < stop)
    units = probe.spikes.clusters[seen]
    depths = probe.clusters["depths"].to_numpy()[units]
    um = probe.channels["axial_um"][sites]
    units = units[(depths >= um.min() - 10) & (depths <= um.max() + 10)]
    assert units.size > 3
    text = said()
    assert f"{units.size} spikes of {np.unique(units).size} units in 50 ms" in text and "Simulated" in text
    assert "SIMULATED" in fig.axes[0].get_title()
    assert sorted(int(note.get_text().split(":")[0]) for note in fig.axes[1].texts) == sorted(units)
    noise = int(re.search(r"about (\d+) µV", text).group(1))
    assert 9 <= noise <= 15


def test_criteria_show_one_that_passes_and_one_that_fails_each_alone(probe, said):
    fig = check_figure(plots.criteria(probe.spikes, probe.clusters, probe.truth))
    text = said()
    failing = [int(unit) for unit in re.findall(r"unit (\d+): [^;]+?, fails", text)]
    passing = [int(unit) for unit in re.findall(r"unit (\d+): [^;]+?, passes", text)]
    assert probe.clusters.loc[failing, "bitwise_fail"].to_list() == [1, 2, 4]
    assert (probe.clusters.loc[passing, "label"] == 1).all()
    assert probe.truth.loc[failing, "fault"].to_list() == ["contaminated", "cut off", "small"]
    assert text.count("put in: no fault") == 3 and "lost)" in text and "from another)" in text
    other = check_figure(plots.criteria(probe.spikes, probe.clusters, probe.truth, which=1))
    assert other.axes[3].get_title() != fig.axes[3].get_title()


def test_criteria_draw_where_no_unit_fails_and_nothing_is_known(probe, said):
    good = probe.clusters[probe.clusters["label"] == 1]
    fig = plots.criteria(probe.spikes, good)
    assert "fails" not in said() and sum("no unit fails" in t.get_text() for ax in fig.axes for t in ax.texts) == 3
    assert not any("put in" in ax.get_title() for ax in fig.axes)


def test_faults_are_described_as_they_were_put_in(probe):
    told = probe.truth.apply(describe_fault, axis=1).groupby(probe.truth["fault"]).agg(["first", "nunique"])
    assert told.loc["", "first"] == "no fault"
    assert re.fullmatch(r"(3[5-9]|4\d|50) % from another", told.loc["contaminated", "first"])
    assert re.fullmatch(r"(2[5-9]|3\d|4\d|50) % lost", told.loc["cut off", "first"])
    assert re.fullmatch(r"small, (2[2-9]|3\d|40) µV", told.loc["small", "first"])


def test_unit_panels_say_what_the_table_says(probe, said):
    fig = check_figure(plots.unit_panels(probe.spikes, probe.clusters, probe.waveforms, [3, 0]))
    for unit in (3, 0):
        row = probe.clusters.loc[unit]
        assert f"Unit {unit} in {row['acronym']}, {row['depths']:.0f} µm" in (told := describe_unit(row))
        assert f"amplitude {1e6 * row['amp_median']:.0f} µV" in told
    assert said().count("Unit ") == 2 and len(fig.axes) == 8
    # Rates of half minutes: their mean is that of the table.
    heights = fig.axes[0].patches[0].get_data().values
    assert heights.mean() == pytest.approx(probe.clusters.loc[3, "firing_rate"], rel=0.02)


def test_a_unit_without_spikes_and_measures_draws(probe, said):
    clusters = probe.clusters.copy()
    clusters.loc[7, ["firing_rate", "max_confidence", "noise_cutoff", "amp_median", "label"]] = 0, *[np.nan] * 3, 0
    kept = probe.spikes.clusters != 7
    spikes = {name: values[kept] for name, values in probe.spikes.items()}
    plots.unit_panels(spikes, clusters, probe.waveforms, [7])
    assert "0 Hz: label 0 (confidence ? %" in said()


def test_the_browser_draws_what_the_plain_function_draws(probe, said):
    handle, picture, words, _ = bwm.widgets.unit_browser(probe, units=[5, 2, 9]).children
    assert handle.options == (5, 2, 9) and "Unit 5 " in words.value
    handle.value = 2
    expected = io.BytesIO()
    plots.unit_panels(probe.spikes, probe.clusters, probe.waveforms, [2]).savefig(expected, bbox_inches="tight")
    assert picture.value == expected.getvalue() and "Unit 2 " in words.value
    assert len(bwm.widgets.unit_browser(probe).children[0].options) == len(probe.clusters)


def test_regions_are_counted_with_those_that_are_none_apart(said):
    units = pd.DataFrame(
        {
            "label": [1, 1, 2 / 3, 1, 1, 1, 0],
            "Beryl": ["CA1", "CA1", "CA1", "CA1", "PO", "root", "void"],
            "Cosmos": ["HPF", "HPF", "HPF", "HPF", "TH", "root", "void"],
            "side": ["left", "left", "left", "right", "left", "left", "left"],
        }
    )
    fig = check_figure(plots.units_by_region(units))
    assert said() == (
        "5 good units of 7; of the good ones 1 in no region. Most good units of a region: 3 in CA1; fewest: 1 in PO."
    )
    rows = [label.get_text() for label in fig.axes[0].get_yticklabels()]
    assert rows[:3] == ["HPF · CA1, left", "HPF · CA1, right", "TH · PO, left"]
    assert rows[3:] == ["root, left: no region", "void, left: no region"]
    plots.units_by_region(units[5:])
    assert said() == "1 good units of 2; of the good ones 1 in no region."


def test_mixtures_are_counted_at_ten_percent(said):
    confidence = pd.DataFrame({0: [100, 95, 92], 0.1: [99, 95, 40], 0.3: [10, 80, 0]}, index=[4, 7, 9])
    fig = check_figure(plots.confidence_of_mixtures(confidence, pd.Series({4: 5.0, 7: 1.0, 9: 1.9, 11: 30.0})))
    assert said() == (
        "With 10 % of another's spikes among their own, there pass 1 of 1 units of 2 Hz or more and 1 of 2 units of "
        "below 2 Hz."
    )
    slow = fig.axes[0].lines[1].get_ydata()
    assert slow.tolist() == [100, 50, 0]
    plots.confidence_of_mixtures(confidence[:1], pd.Series({4: 5.0}))
    assert "1 of 1 units of 2 Hz or more." in said()


def test_confidence_by_rate_says_who_passes(said):
    units = pd.DataFrame(
        {"firing_rate": [10, 3, 0.1], "max_confidence": [100, 91, 2], "n_spikes_below2": [0, 1, 0]}, dtype=float
    )
    check_figure(plots.confidence_by_rate(units, 120))
    assert said() == (
        "3 units in 120 s, median rate 3 Hz: 2 pass the refractory criterion, the slowest at 3 Hz. 1 fail without two "
        "spikes 2 ms or less apart."
    )
    plots.confidence_by_rate(units[2:], 120)
    assert "0 pass the refractory criterion. 1 fail" in said()


def test_the_raster_counts_every_spike_once_and_measures_the_drift(probe, said):
    times, um = np.arange(0, 3600.0), np.where(np.arange(3600) < 1800, -3.0, 3.0)
    spikes = {"times": probe.spikes.times[::50], "depths": probe.spikes.depths[::50].copy()}
    spikes["depths"][3] = np.nan
    fig = check_figure(plots.session_raster(spikes, times, np.c_[um, um + 2], (100.0, 2000.0)))
    assert "slips by 3 µm (root mean square), at most 3 µm" in (text := said())
    assert f"{spikes['times'].size - 1:,} spikes in 60 min" in text
    drawn = (10 ** fig.axes[0].images[0].get_array() - 1) * 10
    assert drawn.sum() == pytest.approx(spikes["times"].size - 1)
    plots.session_raster(spikes, times, um)


def test_narrow_waveforms_are_counted(said):
    ms = (np.arange(82) - 41) / 30
    widths = np.array([0.3, 0.5, 0.6])
    shapes = np.array([-np.exp(-((ms / 0.1) ** 2)) + 0.3 * np.exp(-(((ms - w) / 0.1) ** 2)) for w in widths])
    fig = check_figure(plots.waveform_widths(shapes, widths))
    assert said() == "From trough to peak 0.50 ms in the median of 3 units, 0.32 to 0.59 in 90 % of them."
    assert sum(patch.get_height() for patch in fig.axes[1].patches) == 3
    assert sum(patch.get_height() for patch in fig.axes[1].containers[1]) == 1, "the narrow one"


def test_mean_waveforms_are_largest_on_the_unit_s_own_channel(probe):
    shapes, near = probe.waveforms.waveforms, probe.waveforms.channels
    assert shapes.shape == (len(probe.clusters), 82, 32) and near.shape == (len(probe.clusters), 32)
    assert (near[:, 0] == probe.clusters["channels"]).all()
    assert (np.ptp(shapes, axis=1).argmax(axis=1) == 0).all()


# Lesson 05


def test_the_lesson_goes_on_where_the_truth_is_unknown(small_sample, tmp_path, play):
    """As on a real recording that has everything else."""
    shutil.copytree(small_sample, tmp_path / "one")
    text = play(ROOT / "notebooks" / "05_spike_sorting.py", SOURCE=str(tmp_path / "one"))
    assert "what was put into it is not known" in text and "put in unknown" in text and "put in: " not in text


def train(rng, rate, seconds=3600.0, refractory=0.0025):
    times = np.sort(rng.uniform(0, seconds, rng.poisson(rate * seconds)))
    return times[np.diff(times, prepend=-np.inf) > refractory]


@pytest.mark.parametrize("rate, low, high", [(2, 0.15, 0.4), (10, 0.5, 0.85)])
def test_of_units_with_ten_percent_foreign_spikes_so_many_pass(rate, low, high):
    rng = np.random.default_rng(0)
    mixed = (np.sort(np.append(train(rng, 0.9 * rate), train(rng, 0.1 * rate))) for _ in range(120))
    passes = [bwm.quality.sliding_refractory_period(times)["max_confidence"] >= 90 for times in mixed]
    assert low < np.mean(passes) < high


def test_a_unit_of_half_a_spike_a_second_cannot_pass_in_an_hour():
    times = np.arange(1800) * 2.0  # no two spikes are close
    assert bwm.quality.sliding_refractory_period(times)["max_confidence"] < 90


def test_shares_of_real_units_that_pass_and_are_narrow(real_folder):
    units = pd.read_parquet(real_folder / "calibration" / "clusters_bwm_147.pqt")
    assert units.index.get_level_values(0).nunique() == 87
    passes = units["slidingRP_viol"] == 1, units["noise_cutoff"] < 5, units["amp_median"] > 50e-6, units["label"] == 1
    assert [round(100 * each.mean()) for each in passes] == [18, 24, 64, 9]
    waveforms = np.load(real_folder / "calibration" / "mean_waveforms_goodunits_82samples.npz")["waveforms_uV"]
    trough = waveforms.argmin(axis=1)
    after = np.where(np.arange(82) > trough[:, None], waveforms, -np.inf)
    assert round(100 * ((after.argmax(axis=1) - trough) / 30 < 0.4).mean()) == 13


def test_noise_of_real_channels(real_folder):
    channels = pd.read_parquet(real_folder / "calibration" / "channels_bwm.pqt")
    assert np.allclose(channels["noise_rms"].quantile([0.05, 0.5, 0.95]), NOISE[1:4], rtol=0.05)
