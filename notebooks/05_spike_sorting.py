# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 05 · Spike sorting outputs
#
# After this lesson you can
#
# - say how a voltage becomes spikes and units, and what can go wrong on the way;
# - read the three criteria of quality and the label made of them, and say what the label does not see;
# - look at a unit before you trust it;
# - count the units of a brain region, and leave out those that lie in none.

# %% [markdown]
# | | |
# |---|---|
# | You need | [lesson 00](00_start_here.ipynb); sections 5 and 6 of [lesson 01](01_data_structure.ipynb) help |
# | Time | 25 minutes to read, 20 to practise; the extras another 40 |
# | Data | the synthetic sample (300 MB, built on this computer) and 120 s of a real probe (1 MB, in the repository) |
# | Where you are | on every path: student 04 → **05** → 06; postdoc 02 → **05** → 06; class 03 → **05** → 06 |

# %% [markdown] tags=["teacher"]
# **Teacher's notes.** 45 minutes: 10 for voltage and tables, 15 for the criteria and the label, 5 to look at units, 15
# for regions and the hunt. Let them mix two units by hand in section 3, each with shares of their own, and collect the
# results on the board. Before the scorecard ask: "is a unit that fails a bad unit?" When late, leave out section 2.
#
# Misconceptions (wrong beliefs to listen for), each recognised by an exercise:
#
# - A unit is a neuron.
# - bitwise_fail is a category.
# - Depth is the depth in the brain.

# %% [markdown]
# The next cell says which recording the lesson runs on. Leave it for now.

# %% tags=["parameters"]
SOURCE = "sample"  # or "real", or the path of a folder of recordings
EID = None  # a session's id; None opens the source's main session

# %%
import bwm_tutorials as bwm
import numpy as np
import pandas as pd

bwm.keep_going()  # a cell that needs what this recording lacks says so, and the lesson goes on
one = bwm.connect(SOURCE)
session = bwm.Session(EID, one)
bwm.plots.stamp(session)
check, hint, solution = bwm.exercises("05", session)
session

# %%
probe = session.insertions[0]
put_in = probe.get("truth")  # what was put in; of a real recording nobody knows

# %% [markdown]
# **Remember?** (1) Lesson 01: how do you get from a spike to its region? (2) Lesson 00: what is a unit?
#
# <details><summary>Answers</summary>(1) spike → cluster → channel → region, each step a row looked up by its number.
# (2) A group of spikes of similar shape and place; a putative neuron.</details>
#
# ## 1 · From voltage to units
#
# A probe measures 384 voltages, 30,000 times a second. A neuron that fires near it is seen for a millisecond on ten or
# twenty neighbouring channels, largest on the nearest. A *spike sorter* looks for such moments, and groups those that
# look alike and lie at the same place. The group is a *cluster*, or *unit*.
#
# **Predict.** The noise of a channel is about 12 µV in real probes, 8 to 20 in most [4]. Which spikes will be lost in
# it: those of 30 µV, of 60, of 120?

# %%
spikes = probe.spikes
clusters, channels = probe.clusters, probe.channels
bwm.plots.style.need(spikes["times"], "spikes")
fired = clusters.loc[np.unique(spikes["clusters"])]  # all units, where none is silent

# %%
from bwm_tutorials.simulate.probe import voltage

largest = fired.sort_values(["label", "amp_median"]).index[-1]  # of the good units
start = np.take(spikes["times"][spikes["clusters"] == largest], 400, mode="wrap") - 0.02  # s; 20 ms before a spike
volts = voltage(np.random.default_rng(1), spikes, probe.waveforms, start, start + 0.04)
near = range(max(clusters["channels"][largest] - 50, 0), min(clusters["channels"][largest] + 50, 384))
fig = bwm.plots.voltage(volts, start, near, channels, spikes, clusters)

# %% [markdown]
# Raw voltage is not in the sample, and a real session's is 45 GB. So this snippet is simulated, on every recording: the
# mean *waveform* of each unit, put where the table of spikes says, and noise. (Extra D says how to stream a real one.)
#
# Sizes are from trough to peak. Of 30 µV some 20 are trough, less than twice the noise: such spikes are lost first,
# those of 60 sometimes. A spike can also be given to the wrong unit, and two neurons be taken for one.
#
# **Modify.** Draw another moment: put another number in place of 400.
#
# ## 2 · Spikes, clusters, channels
#
# The sorter's output is `spikes`, arrays with a value for each spike; `clusters`, a table with a row for each unit; and
# `channels`, with one for each site. **A unit is a row of `clusters`**; `spikes["clusters"]` gives its number for every
# spike.

# %%
print({name: values.shape for name, values in spikes.items()})
print("clusters", clusters.shape, "channels", channels.shape)
print(clusters[["channels", "acronym", "depths", "firing_rate", "label"]].head(3).to_string(float_format="%.2f"))

# %% [markdown]
# If you select rows of `clusters`, keep their numbers. After `reset_index` they are counted anew, and the spikes of
# that number are somebody else's.
#
# ## 3 · Three criteria
#
# A unit can be wrong in three ways, and the release has a test for each [2].
#
# - **It holds spikes of another neuron.** A neuron is silent for some milliseconds after a spike, its *refractory
#   period*. If 10 % of the spikes were foreign, how often would chance make more close pairs than there are?
#   `max_confidence` ≥ 90 % passes (it is the best over several lengths of the period).
# - **Its small spikes are lost.** A histogram of amplitudes should fade out on both sides. How abruptly does it end on
#   the left? `noise_cutoff` < 5 passes.
# - **It is too small to tell from others.** `amp_median` > 50 µV passes.
#
# **Predict.** Which of the three can a clean, complete, large unit fail?

# %%
fig = bwm.plots.criteria(spikes, clusters, put_in)

# %% [markdown]
# Above, a unit that passes all three; below, units that fail one. In the first column look at the left end, against the
# dashed line, what chance gives: one neuron has next to no pairs there. In the second the arrow marks the lowest bin
# but one; `noise_cutoff` is by how many standard deviations it exceeds the right tail.
#
# Mostly the first. To be sure that something never happens, one must have waited long enough: a unit of half a
# spike a second cannot pass in an hour. A unit that fails need not be bad; one cannot tell.
#
# **Modify.** Spoil a unit yourself. `mix` replaces a share of a unit's spikes by those of another. From which share on
# is the test no longer sure? One draw tells little: run the cell several times.

# %%
rng = np.random.default_rng(1)


def mix(own, foreign, share):
    kept = own[rng.random(own.size) >= share]
    added = foreign[rng.random(foreign.size) < share * own.size / foreign.size]
    return np.sort(np.append(kept, added))


# %%
trains = {unit: spikes["times"][spikes["clusters"] == unit] for unit in clusters.index}
by_rate = fired.query("label == label.max()").sort_values("firing_rate").index
busiest, middle = by_rate[-1], by_rate[len(by_rate) // 2]
for share in (0, 0.05, 0.1, 0.2, 0.4):
    mixture = mix(trains[middle], trains[busiest], share)
    print(share, round(bwm.quality.sliding_refractory_period(mixture)["max_confidence"], 1))

# %% [markdown]
# ## 4 · The label, and what it costs
#
# `label` is the share of criteria passed: 0, 1/3, 2/3 or 1. A *good* unit has 1. `bitwise_fail` tells which failed, as
# a sum: 1 for the refractory period, 2 for the noise cutoff, 4 for the amplitude. So 3 is the first two. One column
# misleads: `slidingRP_viol` is 1 where a unit *passes*.
#
# **Predict.** How many of 100 units of a real probe are good: 12, 50, 90?

# %%
units = pd.concat({each.name: each.clusters for each in session.insertions})
faults = pd.Series("unknown", units.index)
faults = session.truth.units.set_index(["probe", "cluster_id"])["fault"].replace("", "none")

# %% tags=["nbval-check-output"]
print(pd.crosstab(faults.rename("put in"), units["label"].round(2)))

# %% [markdown]
# In the release 12.2 %: 75,708 of 621,733 [1] (the simulated probes have more on purpose).
#
# Where the truth is known, read the rows. Units with a fault and label 1 are *false accepts*. The faults put in here
# are gross; milder ones get through (Extra A). Those without a fault and a lower label are *false rejects*, slow units
# most of all. None of the three sees whether a unit was there all the time, or is half of a neuron.
#
# **Exercise 05.1.** How many of `units` (all probes) fail the noise cutoff? Use `bitwise_fail`; `a & 2` is 2 where that
# bit is set, and 0 elsewhere.

# %%
answer = ...
check("05.1", answer)

# %% [markdown]
# How clean are the good ones? Count pairs of spikes within 2 ms, against chance. For the null, each spike is moved by
# up to 50 ms either way, at random: that keeps the rate and breaks the refractory period. If a share f of spikes is
# another neuron's, 2 f (1 − f) of the pairs are mixed, and only those can be that close: with 10 % foreign spikes, 18 %
# of chance.


# %%
def close_pairs(times):
    return bwm.quality.autocorrelogram(times, bin_size=0.002, n_bins=1)[0]


def moved(times):
    return np.sort(times + rng.uniform(-0.05, 0.05, times.size))


# %%
groups, rows = {"good units": "label == 1", "units that fail the first": "bitwise_fail % 2 == 1"}, {}
for group, test in groups.items():
    chosen = [trains[unit] for unit in clusters.query(test).index]
    found = sum(close_pairs(times) for times in chosen)
    null = np.array([sum(close_pairs(moved(times)) for times in chosen) for _ in range(10)])
    chance = null.mean() or np.nan  # none, without such units
    rows[f"close pairs, {group} (of chance)"] = {"found": found / chance, "null": null / chance}

# %%
share = {"found": (units["label"] == 1).mean(), "published": "12.2 % [1]"}
foreign = probe.truth["contamination"]
share["put_in"] = (faults == "none").mean()
for row, test in zip(rows.values(), groups.values(), strict=True):
    pairs = clusters.query(test)["spike_count"] ** 2.0  # as many as that, but for a factor
    row["put_in"] = (2 * foreign * (1 - foreign) * pairs).sum() / (pairs.sum() or np.nan)

# %%
fig = bwm.plots.scorecard({"good units (fraction)": share} | rows)

# %% [markdown]
# To lie outside the null says no more than that there is a refractory period: units half foreign do too. How clean a
# unit is, its distance from 0 tells.
#
# ## 5 · Look at units
#
# **Predict.** A unit has lost its small spikes. How will its amplitudes look, and how the pairs?

# %%
kinds = clusters.sort_values("spike_count", ascending=False).drop_duplicates("bitwise_fail")
three = kinds.sort_values("bitwise_fail").index[:3]  # the one with most spikes of each kind
fig = bwm.plots.unit_panels(spikes, clusters, probe.waveforms, three)

# %% [markdown]
# Left to right: does it fire all the time? Do amplitudes fade out on both sides, or are they cut? (The dashed line is
# the 50 µV of the third criterion; a cut can lie anywhere, and adds no close pairs.) Is there a gap at 0 ms? Is the
# waveform that of a spike, largest on one channel (blue) and smaller on its neighbours (grey)?
#
# **Modify.** Browse. Find a unit that you would leave out though its label is 1, or keep though it fails.

# %%
bwm.widgets.unit_browser(probe)

# %% [markdown]
# ## 6 · Where the probe was
#
# A unit's `acronym` is that of its channel, in the finest division of the Allen atlas, where each layer of cortex
# counts apart. Analyses group them: *Beryl* has some 300 regions, *Cosmos* ten large parts. The sign of `x` is the
# hemisphere: negative is left. `root` and `void` are no regions, but places that belong to none.

# %%
from iblatlas.regions import BrainRegions

atlas = BrainRegions()
for mapping in ("Beryl", "Cosmos"):
    units[mapping] = atlas.acronym2acronym(units["acronym"], mapping=mapping)
units["side"] = np.where(units["x"] < 0, "left", "right")
fig = bwm.plots.units_by_region(units)

# %% [markdown]
# The map's analyses kept regions with enough units, in more than one session [3].
#
# **Exercise 05.2.** How many good units of this session lie in a region of Beryl?

# %%
answer = ...
check("05.2", answer)

# %% [markdown]
# **Exercise 05.3, a hunt.** This script counts the good units of `probe` in the uppermost 500 µm of the brain. It looks
# at the wrong end. Mend it. (Of `channels`, `axial_um` is the place along the probe, and `labels` is 3 out of the
# brain.)

# %%
good = clusters.query("label == 1")
print((good["depths"] < 500).sum())

# %%
answer = ...
check("05.3", answer)

# %% [markdown]
# ## Recap
#
# - A unit is a row of `clusters`: what a sorter took for one neuron.
# - Three criteria: spikes of others, lost spikes, size. `label` 1 passes all; `bitwise_fail` is a sum of bits.
# - Failing means "cannot tell" for slow units. Passing is no promise: look.
# - Depth is counted from the tip. Regions depend on the mapping; root and void are none.
#
# ## Exit ticket
#
# 1. `bitwise_fail` is 5. Which criteria failed, and what is `label`?
# 2. A unit has no two spikes within 3 ms, and fails the refractory criterion. How?
# 3. Two papers count regions in the same recordings, and differ by a third. Name two reasons.
#
# <details><summary>Answers</summary>
#
# 1. Refractory period and amplitude; 1/3.
# 2. It has so few spikes that chance alone would give next to none.
# 3. The mapping; all units or good ones; how many make a region count; root and void.
#
# </details>
#
# ## What is next
#
# [Lesson 06](06_neural_responses.ipynb): what makes these units fire. Before you leave, save the notebook (Ctrl+S) and
# run the last cell: it packs your work.
#
# ## References
#
# 1. International Brain Laboratory, data release *2025 Brain Wide Map*, listed in the
#    [AWS open data registry](https://registry.opendata.aws/ibl-brain-wide-map/). CC BY 4.0.
# 2. International Brain Laboratory, [Spike sorting pipeline for the International Brain
#    Laboratory](https://doi.org/10.6084/m9.figshare.19705522), white paper.
# 3. International Brain Laboratory, [A brain-wide map of neural activity during complex
#    behaviour](https://doi.org/10.1038/s41586-025-09235-0). *Nature* (2025).
# 4. International Brain Laboratory, [analysis code and tables on the reproducibility of
#    recordings](https://github.com/int-brain-lab/paper-reproducible-ephys): channels of 91 probes, clusters of 87.

# %% [markdown] tags=["extra"]
# ---
# # Extras
#
# ## Extra A · How sure is 90 % sure?
#
# "90 % sure of less than 10 %" does not mean that what passes has less. Mix every good unit with the busiest one, and
# see what still passes.

# %% tags=["extra"]
shares = (0, 0.05, 0.1, 0.15, 0.2, 0.3)
own = [unit for unit in clusters.query("label == 1").index if unit != busiest]
mixtures = {share: [mix(trains[unit], trains[busiest], share) for unit in own] for share in shares}
sure = {
    share: [bwm.quality.sliding_refractory_period(times)["max_confidence"] for times in mixed]
    for share, mixed in mixtures.items()
}
fig = bwm.plots.confidence_of_mixtures(pd.DataFrame(sure, index=own), clusters["firing_rate"])

# %% [markdown] tags=["extra"]
# Were the rates constant and silence after a spike 2.5 ms, of units with exactly 10 % of foreign spikes a quarter would
# pass at 2 Hz, and two thirds at 10 Hz: many spikes make a test surer, not stricter. Mixtures of recorded trains, whose
# rates change, can pass more often still.
#
# **Exercise 05.4.** How many of `units` (all probes) fail the refractory criterion although no two of their spikes are
# within 2 ms (`n_spikes_below2`)?

# %% tags=["extra"]
answer = ...
check("05.4", answer)

# %% [markdown] tags=["extra"]
# **A real probe.** 120 s of it are in the repository: times and unit numbers alone, no amplitudes and no depths
# (`data/NOTICE`). Two criteria cannot be computed. What does the first say?

# %% tags=["extra"]
source = bwm.connect("real")
real = bwm.Session(source.search(subject="probe_excerpt")[0], source)
times, of_unit = real.insertions[0].spikes["times"], real.insertions[0].spikes["clusters"]
rows = {unit: bwm.quality.sliding_refractory_period(times[of_unit == unit]) for unit in np.unique(of_unit)}
table = pd.DataFrame(rows).T
table["firing_rate"] = pd.Series(of_unit).value_counts() / np.ptp(times)
bwm.plots.stamp(real)
fig = bwm.plots.confidence_by_rate(table, np.ptp(times))
bwm.plots.stamp(session)

# %% [markdown] tags=["extra"]
# In two minutes only fast units can be vouched for. Circles at the bottom are not dirty, they are unknown; squares have
# close pairs.

# %% [markdown] tags=["extra"]
# ## Extra B · The whole session, and drift
#
# A brain is soft. If it slips along the probe, a unit moves to other channels, its spikes change their shape, and a
# sorter may lose it or give it a new name.

# %% tags=["extra"]
drift = probe.drift
task = session.trials["intervals_0"].iloc[0], session.trials["intervals_1"].iloc[-1]
fig = bwm.plots.session_raster(spikes, drift["times"], drift["um"], task)

# %% [markdown] tags=["extra"]
# Look for bands that end, or begin, or bend: units are lost and found there. The simulated brain slips by a few µm, a
# fraction of a row, so that none bends. A real one can also jump.

# %% [markdown] tags=["extra"]
# ## Extra C · Narrow and wide
#
# Some inhibitory neurons have narrow spikes. The width is the time from the trough to the peak after it. It says
# something about a neuron's kind, and does not prove it.

# %% tags=["extra"]
shapes = probe.waveforms["waveforms"][:, :, 0]  # V; of each unit, where it is largest
trough = shapes.argmin(axis=1)
after = np.where(np.arange(shapes.shape[1]) > trough[:, None], shapes, -np.inf)
width = (after.argmax(axis=1) - trough) / 30  # ms
good_units = (clusters["label"] == 1).to_numpy()
fig = bwm.plots.waveform_widths(shapes[good_units], width[good_units])

# %% [markdown] tags=["extra"]
# Of real good units 13 % are below .4 ms [4].
#
# **Exercise 05.5.** Which share of the good units of `probe` is narrow (below .4 ms)?

# %% tags=["extra"]
answer = ...
check("05.5", answer)

# %% [markdown] tags=["extra"]
# ## Extra D · When the voltage ran out
#
# Now and then the voltage leaves the range of the probe, as when the mouse licks or moves. Nothing can be sorted then.
# The release lists these moments, in samples of the probe.
#
# **Exercise 05.6, a hunt.** This script says when the longest one began, and how many spikes fall into all of them. It
# should find none. Mend it, and give the start of the longest in s, to the millisecond. (`clock` has two columns:
# samples of the probe, and seconds of the session at the same moments; `np.interp` reads between them.)

# %% tags=["extra"]
folder = f"raw_ephys_data/{probe.name}"
clock = one.load_dataset(session.eid, "_spikeglx_*.timestamps.npy", folder)
samples = one.load_dataset(session.eid, "_iblqc_ephysSaturationAP.samples.pqt", folder).to_numpy()
intervals = samples / 30_000
longest = intervals[np.diff(intervals, axis=1).argmax()]
print(longest.round(2), np.diff(np.searchsorted(spikes["times"], intervals), axis=1).sum(), "spikes")

# %% tags=["extra"]
answer = ...
check("05.6", answer)

# %% [markdown] tags=["extra"]
# The voltage itself can be *streamed*, with ibllib and a network: a second of it costs some MB. (Not run here.)
#
# ```python
# from brainbox.io.one import SpikeSortingLoader
#
# loader = SpikeSortingLoader(pid=probe.pid, one=one)
# reader = loader.raw_electrophysiology(band="ap", stream=True)
# first = int(loader.samples2times(start, direction="reverse"))
# volts = reader[first : first + 1200, : -reader.nsync]
# ```

# %% [markdown] tags=["extra"]
# **With IBL's own tools.** ibllib, which is not installed with the lessons, loads and joins the three tables, converts
# samples to seconds, and computes the metrics anew:
#
# ```python
# from brainbox.io.one import SpikeSortingLoader
# from brainbox.metrics.single_units import quick_unit_metrics
# from iblatlas.atlas import AllenAtlas
#
# loader = SpikeSortingLoader(pid=probe.pid, one=one, atlas=AllenAtlas(mock=True))  # mock: no images
# spikes, clusters, channels = loader.load_spike_sorting()
# clusters = loader.merge_clusters(spikes, clusters, channels)
# metrics = quick_unit_metrics(spikes["clusters"], spikes["times"], spikes["amps"], spikes["depths"])
# seconds = loader.samples2times(30_000)
# ```

# %%
bwm.provenance(session)
bwm.progress()
bwm.save()
