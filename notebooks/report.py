# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% tags=["parameters"]
SOURCE = "sample"  # or "sample-release", "real", "aws", "openalyx", or the path of a folder of recordings
PID = None  # an insertion's id; None takes the first probe of the source's main session

# %%
import bwm_tutorials as bwm
import numpy as np
import pandas as pd
from iblatlas.regions import BrainRegions
from IPython.display import Markdown, display

one = bwm.connect(SOURCE)
probe = bwm.Insertion(PID, one) if PID else bwm.Session(one=one).insertions[0]
session = probe.session
bwm.plots.stamp(session)
origin = f"SYNTHETIC: a program made this (seed {session.seed})" if session.synthetic else "REAL: recorded from a mouse"
title = f"# {origin.partition(':')[0]} · {session.name} {probe.name}"
display(Markdown(f"{title}\n\n{origin}. Insertion `{probe.pid}` of the lab {session.details['lab']}."))

# %%
spikes = probe.spikes
bwm.keep_going()  # without spikes there is no report; without anything else there is

# %% [markdown]
# ## 1 · Behaviour
#
# Where the stimuli were likely and what the mouse reported; below, rewards and the time to a response, each in a
# running window of 50 trials.

# %%
trials = session.trials
running = bwm.trials.performance(trials, bwm.trials.response_latency(trials))
fig = bwm.plots.session_course(trials, running)

# %% [markdown]
# The Brain Wide Map's analyses keep the trials that break none of these rules: six columns must be known, and the
# first movement must come neither early (before .08 s from the stimulus) nor late (after 2 s).

# %%
broken = ~bwm.trials.bwm_rules(trials)
kept = bwm.trials.bwm_mask(trials)
print(f"{kept.sum()} of {len(kept)} trials are kept ({100 * kept.mean():.0f} %).")
alone = broken[broken.sum(axis=1) == 1]
removed = pd.DataFrame({"trials that break it": broken.sum(), "that break nothing else": alone.sum()})
display(removed[removed["trials that break it"] > 0].rename_axis(columns="rule"))

# %% [markdown]
# ## 2 · Choices and latencies
#
# Reports of *right* at each contrast, by block: where the stimulus is likely on one side, a mouse that knows it reports
# that side more often. Bars are 95 % limits.

# %%
blocks = {"left block": 0.8, "right block": 0.2, "no block": 0.5}
of_block = {name: trials[trials["probabilityLeft"] == p] for name, p in blocks.items()}
fig = bwm.plots.psychometric({name: bwm.trials.psychometric(part) for name, part in of_block.items()})

# %%
latencies = bwm.trials.latencies(trials)
bwm.plots.style.need(latencies.columns, "latencies")
ends = {name: latencies[name] for name in (latencies.columns[0], latencies.columns[-1])}
curves = {name: bwm.trials.chronometric(trials, latency, signed=False) for name, latency in ends.items()}
fig = bwm.plots.latencies(latencies, curves)

# %% [markdown]
# ## 3 · Units
#
# A *unit* is a group of spikes that the sorter took for one neuron. It is *good* if it passes three criteria: it keeps
# a refractory period, its small spikes are not cut off, and its median amplitude is above 50 µV (dashed).

# %%
rates = bwm.spikes.firing_rates(spikes)
first, last = spikes["times"][[0, -1]]
print(f"{spikes['times'].size:,} spikes of {len(rates)} units in {(last - first) / 60:.0f} min.")
print(f"The median unit fires at {rates.median():.2g} Hz.")

# %%
clusters = probe.clusters
fig = bwm.plots.quality_by_depth(clusters)

# %% [markdown]
# A good unit may still come and go. Each row is a good unit (any unit, if none is good); ticks on top are moments at
# which the voltage left the probe's range.

# %%
seen = clusters.loc[rates.index].sort_values("depths", ascending=False)  # from the uppermost to the tip
good = seen[seen["label"] == 1]
shown = good if len(good) else seen
edges = np.linspace(first, last, max(round((last - first) / 60), 2) + 1)  # steps of about a minute
steps = pd.DataFrame({"start": edges[:-1], "stop": edges[1:]})
counts = bwm.spikes.counts_in_intervals(spikes, steps.set_index(edges[:-1]), shown.index)
fig = bwm.plots.presence(counts, shown["depths"], probe.get("saturation"))

# %% [markdown]
# ## 4 · The whole session
#
# All spikes of the probe, good units' and others'. Bands that end, begin or bend are units that are lost or found, or a
# brain that slipped along the probe.

# %%
drift = probe.get("drift") or {"times": None, "um": None}
task = session.get(lambda session: (session.trials["intervals_0"].iloc[0], session.trials["intervals_1"].iloc[-1]))
fig = bwm.plots.session_raster(spikes, drift["times"], drift["um"], task, probe.get("channels"))

# %% [markdown]
# ## 5 · Regions
#
# By the channel on which a unit is largest, in the Allen atlas' regions of the size that analyses use (*Beryl*), from
# the uppermost to the one at the tip. root and void are places that belong to no region.

# %%
atlas = BrainRegions()
units = seen.assign(region=atlas.acronym2acronym(seen["acronym"], mapping="Beryl"))
names = dict(zip(atlas.acronym[atlas.id >= 0], atlas.name[atlas.id >= 0], strict=True))
units["name"], units["side"] = units["region"].map(names), np.where(units["x"] < 0, "left", "right")
by_region = (
    units["firing_rate"].where(units["label"] == 1).groupby([units["region"], units["name"], units["side"]], sort=False)
)
table = pd.DataFrame({"units": by_region.size(), "good units": by_region.count()})
table["median rate of good units (Hz)"] = by_region.median().round(1)
nowhere = good.index.isin(units.index[units["region"].isin(["root", "void"])]).sum()
print(f"{len(good)} of {len(seen)} units are good; {nowhere or 'none'} of the good ones outside of all regions.")
display(table.reset_index(["name", "side"]).rename_axis(index=None, columns="region"))

# %% [markdown]
# ## 6 · Responses
#
# Each row is a good unit: its rate around three events, against its mean over all panels.

# %%
bwm.plots.style.need(good, "good units")
events = {plain: trials[name] for name, plain in bwm.plots.responses.EVENTS.items() if name in trials}
around = {plain: bwm.spikes.peth(spikes, on, (-0.5, 1), 0.02, good.index) for plain, on in events.items()}
fig = bwm.plots.alignments(around, good["depths"])

# %% [markdown]
# Counts after each event against counts before it, trial by trial (Wilcoxon's signed-rank test). A unit that responds
# in the window of one event may answer another that comes within it: after the stimulus, the movement.

# %%
windows = {
    "stimulus": ((0.03, 0.13), (-0.1, 0.0)),
    "first movement": ((0.0, 0.2), (-0.2, 0.0)),
    "feedback": ((0.0, 0.2), (-0.2, 0.0)),
}
tests = {name: bwm.responses.responsive_units(spikes, on, *windows[name], good.index) for name, on in events.items()}
fig = bwm.plots.responding(tests, units["region"])

# %% [markdown]
# ## 7 · Video
#
# Frames of each camera, by their times, and in which share of them the tracker was sure of a point (likelihood .9 or
# more). The tongue is left out, for it is mostly not to be seen.

# %%
points = {"left": ["paw_r", "paw_l", "pupil_top_r"], "right": ["paw_r", "paw_l", "pupil_top_r"], "body": ["tail_start"]}
cameras = {}
for camera, names in points.items():
    tracker = next((name for name in ("lightningPose", "dlc") if session.has("pose", camera, name)), None)
    if tracker is None:
        print(f"No pose of the {camera} camera.")
        continue
    pose = session.pose(camera, tracker, keypoints=names)
    sure = {f"{name} sure": (pose[f"{name}_likelihood"] >= 0.9).mean() for name in names}
    cameras[camera] = {"tracker": tracker} | dict(bwm.pose.clock(pose["times"])) | sure
bwm.plots.style.need(cameras, "tracked videos")
table = pd.DataFrame.from_dict(cameras, orient="index").rename_axis(columns="camera")
display(table.round(3).astype({"frames": int, "dropped": int}).fillna(""))

# %%
pupil = session.pupil
ratio = bwm.pose.signal_to_noise(pupil["pupilDiameter_smooth"], pupil["pupilDiameter_raw"])
least = bwm.pose.MIN_SIGNAL_TO_NOISE["left"]
verdict = "enough" if ratio >= least else "too little: do not use it"
print(f"Pupil of the left camera: signal-to-noise ratio {ratio:.1f}, {verdict} (at least {least}).")

# %%
licks = session.licks
print(f"{licks.size:,} times of a moving tongue, in {bwm.pose.lick_onsets(licks).size:,} licks.")

# %% [markdown]
# ## 8 · What there is, and where it comes from
#
# A file whose quality is CRITICAL is there, but not loaded. What else is wrong with files stands in a table at the end.

# %%
everything = one.list_datasets(session.eid, details=True, qc="CRITICAL")
quality = everything["qc"].value_counts()
print(f"{len(everything)} files, by quality: {', '.join(f'{n} {qc}' for qc, n in quality.items() if n)}.")
has = session.available["present"]
table = session.available.assign(present=np.where(has, "yes", "no"))
table["MB"] = table["MB"].astype(object).where(has, "")
display(table.rename_axis(index=None, columns="session has"))

# %%
pd.set_option("display.max_colwidth", None)
if len(problems := session.problems):
    display(problems.rename_axis(index=None, columns="wrong with a file"))

# %%
bwm.provenance(session)
