"""A simulated snippet of voltage: the noise of real channels, and each spike where and as large as the table says."""

import numpy as np
import pytest
from iblutil.util import Bunch

from bwm_tutorials.simulate.probe import NOISE, NOISE_QUANTILES, voltage

NOTHING = Bunch(times=np.empty(0), clusters=np.empty(0, int), amps=np.empty(0))


@pytest.fixture(scope="module")
def shapes():
    """Two units: one peaks at sample 41 on channel 10, the other on 383."""
    waveform = np.zeros((82, 3))
    waveform[41] = -1, -0.5, -0.25
    waveform[60] = 0.5, 0.25, 0.125
    return Bunch(waveforms=np.array([waveform, 2 * waveform]), channels=np.array([[10, 11, 9], [383, 382, 381]]))


def spikes_alone(spikes, shapes, start, stop):
    with_spikes, without = (voltage(np.random.default_rng(3), s, shapes, start, stop) for s in (spikes, NOTHING))
    return with_spikes - without


def test_noise_is_that_of_real_channels(shapes):
    level = [voltage(np.random.default_rng(seed), NOTHING, shapes, 0, 0.05).std(axis=0) for seed in range(10)]
    assert np.allclose(np.quantile(level, NOISE_QUANTILES[1:4]), NOISE[1:4], rtol=0.05)
    assert NOISE[1:4] == [8e-6, 12e-6, 20e-6]


def test_a_spike_is_at_its_time_on_its_channels_and_as_large_as_its_amplitude(shapes):
    spikes = Bunch(times=np.array([100.01, 100.02]), clusters=np.array([0, 1]), amps=np.array([90e-6, 150e-6]))
    seen = spikes_alone(spikes, shapes, 100, 100.03)
    assert seen.shape == (900, 384) and seen.dtype == np.float32
    for sample, channel, size in ((300, 10, 90e-6), (600, 383, 150e-6)):
        assert seen[:, channel].argmin() == sample
        assert np.ptp(seen[:, channel]) == pytest.approx(size, rel=1e-3)
    assert seen[300, 11] == pytest.approx(seen[300, 10] / 2, rel=1e-3)
    assert not seen[:, [8, 12, 200, 380]].any()


def test_what_is_cut_by_the_ends_is_there_in_part(shapes):
    """A snippet shows what a longer one shows there, whichever spikes begin before or end after it."""
    times = np.sort(np.random.default_rng(0).uniform(0.99, 1.06, 400))
    spikes = Bunch(times=times, clusters=np.arange(400) % 2, amps=np.full(400, 1e-4))
    whole = spikes_alone(spikes, shapes, 1.0, 1.05)
    part = spikes_alone(spikes, shapes, 1.01, 1.04)
    assert np.allclose(part, whole[300:1200], atol=1e-9)


def test_the_same_seed_gives_the_same_voltage(probe):
    first, same, other = (
        voltage(np.random.default_rng(seed), probe.spikes, probe.waveforms, 60, 60.02) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, same) and not np.array_equal(first, other)


def test_large_spikes_of_the_sample_stand_out_of_the_noise(probe):
    """At the largest unit's spikes its channel is far below what noise alone reaches."""
    largest = probe.clusters["amp_median"].idxmax()
    times = probe.spikes.times[probe.spikes.clusters == largest][:20]
    for time in times:
        volts = voltage(np.random.default_rng(0), probe.spikes, probe.waveforms, time - 0.002, time + 0.002)
        assert volts[55:66, probe.waveforms.channels[largest, 0]].min() < -100e-6
