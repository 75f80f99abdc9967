# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 08 · The passive protocol
#
# After this lesson you can
#
# - name the three parts that follow the task, and say what a mouse does not do in them;
# - map the receptive fields of all units at once;
# - test them, where the best of hundreds of pixels looks good by chance;
# - ask whether a unit answers a stimulus otherwise when nothing is asked.

# %% [markdown]
# | | |
# |---|---|
# | You need | lessons [00](00_start_here.ipynb) and [06](06_neural_responses.ipynb) |
# | Time | 25 minutes to read, 20 to practise; the extras another 25 |
# | Data | the synthetic sample (300 MB, built on this computer) |
# | Where you are | eighth on the student's path: 06 → 07 → **08** → 09 |

# %% [markdown] tags=["teacher"]
# **Teacher's notes.** 45 minutes: 5 for the three parts, 10 for the stimulus with the hunt, 10 for the maps and the
# handles, 10 for the null with its exercise, 10 for the replay. Before section 4 let everyone bet how many units have a
# field. In section 5 write the two counts on the board, "in the task" and "in the replay", and ask what follows, before
# anyone computes the difference. When late, leave out the handles.
#
# Misconceptions (wrong beliefs to listen for), each recognised by an exercise:
#
# - The best of many pixels can be tested like one.
# - Significant here and not there means different.
# - The first index of an image is x.

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
check, hint, solution = bwm.exercises("08", session)
session

# %% [markdown]
# **Remember?** (1) Lesson 06: a unit fires after the stimulus. Why need it not answer the stimulus? (2) Lesson 03:
# which null do blocks need, and why?
#
# <details><summary>Answers</summary>(1) The wheel often moves in the same window. (2) Pseudosessions: blocks are slow,
# and so are choices and rates, so they agree by accident.</details>
#
# ## 1 · When nothing is asked
#
# After the task the mouse stays where it is, and the rig goes on for a quarter of an hour. First a grey screen, for
# *spontaneous activity*. Then small squares, which map *receptive fields*: where on the screen a neuron looks. Then the
# *replay*: gabors (the patches of the task), openings of the valve, tones and noise, one after the other in random
# order. No movement is asked and none is answered: the wheel moves nothing on the screen, and no reward can be earned.
#
# **Predict.** Which of these still happen: the mouse (a) moves, (b) licks, (c) decides?

# %%
passive = session.passive
has = bwm.passive.parts(passive)
events = bwm.passive.replayed(passive) if "taskReplay" in has else None
frame = passive.rf_frames[-1] if "RFM" in has else None
fig = bwm.plots.passive_protocol(passive.intervals, events, frame)

# %% [markdown]
# (a) and (b), when it likes: nothing asked is not nothing done. Whether (c), nobody knows. In sessions of the release
# parts may be missing: of 459, 424 have the times of the parts, 352 the stimuli as well [4].
#
# ## 2 · A stimulus drawn by chance
#
# The screen has 15 × 15 pixels of 8°. Each is grey, and now and then white or black for .2 s, drawn by chance and apart
# from all others: *sparse noise*. It comes as frames, 60 a second, and the time of each.

# %% tags=["nbval-check-output"]
mapping = bwm.passive.part(passive, "RFM")
frames, times = mapping["rf_frames"], mapping["rf_times"]
print(frames.shape, frames.dtype, "values", np.unique(frames))
print(f"{times[-1] - times[0]:.0f} s; lit at a time: {(frames != 128).mean():.1%} of the pixels")

# %% [markdown]
# **Exercise 08.1, a hunt.** This script counts white flashes as jumps upwards from one frame to the next. It finds too
# many. How many are there, from grey (128) to white (255)?

# %%
print((np.diff(frames, axis=0) > 0).sum())

# %%
answer = ...
check("08.1", answer)

# %% [markdown]
# A flash is its beginning; the frames after it belong to the same one. `flashes` lists all of them.
#
# ## 3 · Maps
#
# Count each unit's spikes from .05 to .25 s after each flash, and average over the flashes of a pixel. In five minutes
# a pixel has about 15 flashes of each shade, so a map is noisy. It is therefore also smoothed a little, and compared
# with what the unit fires after any flash, in standard errors: `z`.

# %%
truth = session.get("truth")
probe = session.insertions[0]
spikes = probe.good_spikes

# %%
flashes = bwm.passive.flashes(times, frames)
window = bwm.spikes.around(flashes["time"], (0.05, 0.25))
counts = bwm.spikes.counts_in_intervals(spikes, window)
maps = bwm.passive.rf_maps(counts, flashes)
best = pd.Series(maps.z.max(axis=(1, 2, 3)), maps.units)
print(maps.rate.shape, "units, shades, rows, columns;", len(flashes), "flashes")

# %% [markdown]
# **Predict.** Here are the units with the two largest `z`, and the one with the smallest. They were chosen for it. Will
# the third be empty?

# %%
fig = bwm.plots.rf_maps(maps, [*best.nlargest(2).index, best.idxmin()])

# %% [markdown]
# Noise has bright pixels too, here and there. A field is not a bright pixel but several side by side. Elevation is up,
# azimuth to the right of the middle; in the array the first index is the row, counted from the top.
#
# **Modify.** Look at other units. Begin before the flash (a lag below 0): what should be left? When does a field
# appear? The cell needs a running notebook.

# %%
bwm.widgets.rf_browser(session, probe)

# %% [markdown]
# ## 4 · The best of 450
#
# Does a unit have a field? A single pixel, chosen beforehand, lies above `z` 1.64 in 5 % of cases by chance.
#
# **Predict.** In which share of units is the *best* pixel above it: (a) 5 %, (b) 25 %, (c) nearly all?

# %%
print((best > 1.64).sum(), "of", len(best), "units")

# %% [markdown]
# (c), whatever the units know: 225 pixels, white and black, are 450 chances. The best of 450 has to be held against the
# best of 450. Where from? The rig drew the pixels by chance, so we may draw again: same spikes, same flashes, and which
# pixel flashed is shuffled. Blocks were too slow to be shuffled. Here a shuffle is right, for it repeats what the
# experiment did, however much the unit drifts.

# %%
chance = bwm.passive.best_by_chance(counts, flashes, n=500)
low, high = chance.stack().quantile([0.05, 0.95])
print(f"{chance.shape[1]} draws for each of {len(chance)} units: 90 % of the best lie from {low:.1f} to {high:.1f}")

# %% [markdown]
# **Exercise 08.2.** How many units have a field? Use `maps` and `chance`, and correct for the number of units too.

# %%
answer = ...
check("08.2", answer)

# %%
fields = bwm.passive.receptive_fields(maps, chance)
fig = bwm.plots.best_pixels(fields, chance, probe.truth if truth else None)

# %% [markdown]
# Each side of the brain sees the other side of the screen. On the left, what is filled lies beyond what chance gives.
# Still, one that lies far from the rest may be one of the few that the correction lets through. A unit without a field
# here need not be blind: it may fire too little in five minutes, or look beside the screen.
#
# ## 5 · The same stimulus, and no decision
#
# Lesson 06 left a question: units fire after the stimulus, but do they answer the stimulus? In the replay a gabor comes
# without a decision. To compare like with like, draw from the task as many trials of each side and contrast as were
# replayed.

# %%
events = bwm.passive.replayed(bwm.passive.part(passive, "taskReplay"))
gabors = events[events["kind"] == "gabor"]
trials = session.trials
task = pd.DataFrame({"time": trials["stimOn_times"], "side": bwm.trials.stimulus_side(trials)})
task = task.assign(contrast=trials["contrastLeft"].fillna(trials["contrastRight"])).dropna()
task = task.iloc[bwm.passive.matched(task, gabors)]
response, baseline = (0.03, 0.23), (-0.2, 0.0)
in_task = bwm.responses.responsive_units(spikes, task["time"], response, baseline)
in_replay = bwm.responses.responsive_units(spikes, gabors["time"], response, baseline)
task_n, replay_n = ((table["p_adjusted"] < 0.05).sum() for table in (in_task, in_replay))
print(f"{task_n} of {len(in_task)} units respond in the task, {replay_n} in the replay")

# %% [markdown]
# Tempting: the units of the task alone do not answer the stimulus, but the decision. Two things are wrong with it. A
# test that finds nothing has not shown that there is nothing. And a difference between two results has to be tested
# itself [2]: `change` is what the stimulus adds to each count, in the task and in the replay.

# %%
shown = pd.concat([task.assign(part="task"), gabors.assign(part="replay")], ignore_index=True)
after = bwm.spikes.counts_in_intervals(spikes, bwm.spikes.around(shown["time"], response))
change = after - bwm.spikes.counts_in_intervals(spikes, bwm.spikes.around(shown["time"], baseline))

# %% [markdown]
# **Exercise 08.3.** In how many units does `change` differ between task and replay, corrected? Compare stimuli of the
# same side and contrast only, as in lesson 06: `bwm.responses.selectivity(counts, variable, condition)`.

# %%
answer = ...
check("08.3", answer)

# %%
knows = probe.truth["stimulus_gain"] != 0 if truth else None
differ = bwm.responses.selectivity(change, shown["part"], shown[["side", "contrast"]])["p_adjusted"] < 0.05
fig = bwm.plots.task_against_replay(in_task, in_replay, differ, knows)

# %% [markdown]
# Between the two counts lies the region of "we do not know". And where a difference is shown, it has several causes:
# movement, which the replay mostly lacks; reward at stake, arousal, an hour of thirst less; drift of the unit itself.
# In the simulation a replayed gabor is answered half as strongly as one of the task, so units of the stimulus differ
# too. In mice, brain-wide activity differs between engaged and passive viewing even before the stimulus [3].
#
# ## 6 · What was put in
#
# The null of the fields: each draw by chance, tested as if it were the recording. That of the gabors: the same test
# around times moved at random by up to 5 s.

# %%
rows = {}
known = probe.truth.loc[fields.index] if truth else None
rows["have a receptive field (fraction)"] = {
    "found": (fields["p"] < 0.05).mean(),
    "put_in": known["rf_row"].notna().mean() if truth else None,
    "null": (chance.rank(axis=1, ascending=False) <= 0.05 * chance.shape[1]).mean(),
}
rows["azimuth of the fields, median (°)"] = {
    "found": fields["azimuth"][fields["p_adjusted"] < 0.05].median(),
    "put_in": 8 * known["rf_column"].median() - 56 if truth else None,
}

# %%
rng = np.random.default_rng(1)
moved = [gabors["time"] + rng.uniform(-5, 5, len(gabors)) for _ in range(40)]
by_chance = [bwm.responses.responsive_units(spikes, at, response, baseline) for at in moved]
rows["respond to the replayed gabor (fraction)"] = {
    "found": (in_replay["p"] < 0.05).mean(),
    "put_in": knows.reindex(in_replay.index).mean() if truth else None,
    "null": [(table["p"] < 0.05).mean() for table in by_chance],
}

# %%
fig = bwm.plots.scorecard(rows)

# %% [markdown]
# Both shares are of p below .05, and hold the 5 % that come by chance. If fewer units respond to the gabor than know
# it, that is power: 179 gabors, many of them faint, and slow units. A share "inside the null" is no evidence, for or
# against.
#
# ## Recap
#
# - After the task: a grey screen, sparse noise, a replay. Nothing is asked; much is still done.
# - The best of many is held against the best of as many.
# - What the experiment drew by chance may be shuffled; what is slow may not.
# - Not shown is not shown absent; to claim a difference, test it.
#
# ## Exit ticket
#
# 1. You test 225 pixels in each of 400 units that see nothing, and call the best pixel significant if p is below .05.
#    How many units "have a field"?
# 2. Why may the pixels be shuffled, and the blocks not?
# 3. "30 units respond in the task and 4 in the replay, so 26 need the decision." What do you ask?
#
# <details><summary>Answers</summary>
#
# 1. Nearly all 400: the chance that no pixel passes is .95 to the power of 225, about .00001.
# 2. Pixels were drawn anew for each flash; blocks last, as drift does.
# 3. In how many the difference is significant; how many trials each had; what else differs.
#
# </details>
#
# ## What is next
#
# One session is one mouse. [Lesson 09](09_release_and_history.ipynb): all of them, what their numbers count, and how
# they were corrected. Before you leave, save the notebook (Ctrl+S) and run the last cell: it packs your work.
#
# ## References
#
# 1. International Brain Laboratory, [A brain-wide map of neural activity during complex
#    behaviour](https://doi.org/10.1038/s41586-025-09235-0). *Nature* (2025).
# 2. Nieuwenhuis, Forstmann & Wagenmakers, [Erroneous analyses of interactions in neuroscience: a problem of
#    significance](https://doi.org/10.1038/nn.2886). *Nature Neuroscience* (2011).
# 3. Steinmetz et al., [Distributed coding of choice, action and engagement across the mouse
#    brain](https://doi.org/10.1038/s41586-019-1787-x). *Nature* (2019).
# 4. CatalystNeuro, [IBL to NWB](https://github.com/catalystneuro/IBL-to-nwb), on what each session has.

# %% [markdown] tags=["extra"]
# ---
# # Extras
#
# ## Extra A · Where on the screen, and what shade
#
# **Exercise 08.4.** For the unit with the fourth largest `z`: at which azimuth, in degrees, is the middle of its best
# pixel? Pixel 7, counted from 0, is the middle of the screen.

# %% tags=["extra"]
unit = best.nlargest(4).index[-1]
z = maps.z[maps.units.get_loc(unit)]
print("unit", unit, "z has the shape", z.shape)

# %% tags=["extra"]
answer = ...
check("08.4", answer)

# %% [markdown] tags=["extra"]
# Units that like white, and units that like black: *on* and *off* fields. Some like both.

# %% tags=["extra"]
fig = bwm.plots.on_off(maps, fields, probe.truth if truth else None)

# %% [markdown] tags=["extra"]
# **Modify.** A check that costs nothing: the same analysis before the flash, from −.25 to −.05 s. What share of units
# should have p below .05?

# %% tags=["extra"]
early = bwm.spikes.counts_in_intervals(spikes, bwm.spikes.around(flashes["time"], (-0.25, -0.05)))
by_chance = bwm.passive.best_by_chance(early, flashes, n=100)
p = bwm.passive.receptive_fields(bwm.passive.rf_maps(early, flashes), by_chance)["p"]
print("before the flash:", (p < 0.05).sum(), "of", len(p), "units have p below .05")

# %% [markdown] tags=["extra"]
# <details><summary>What we saw</summary>5 %, on average. Of 60 units that is 3, and chance alone gives anything from
# none to 7.</details>

# %% [markdown] tags=["extra"]
# ## Extra B · The table that was one off
#
# On the rig the first gabor was blank, and each later one showed what was planned for the one before. The table of 2023
# lists what was planned (180 rows); that of 2025, by which it was corrected, what was shown (179).

# %% tags=["extra"]
old = bwm.brainwide.release.as_of(session, "alf/_ibl_passiveGabor.table.csv", "2025-12-01")
new = bwm.passive.part(passive, "taskReplay")["gabor"]
print(len(old), "and", len(new), "rows")

# %% [markdown] tags=["extra"]
# **Exercise 08.5, a hunt.** This script asks how many gabors stand on the wrong side in the old table, and finds none.
# Mend it. How many are there?

# %% tags=["extra"]
print((old["position"][: len(new)].to_numpy() != new["position"]).sum())

# %% tags=["extra"]
answer = ...
check("08.5", answer)

# %% [markdown] tags=["extra"]
# Whoever compared left with right by the first table compared two mixtures of both, and got a clean "no effect".
#
# ## Extra C · Rest and task
#
# Do units fire less when nothing is asked? The grey screen comes after the task, and rates drift: so hold the two
# parts against the two halves of the task.

# %% tags=["extra"]
begin, end = session.trials["intervals_0"].iloc[0], session.trials["intervals_1"].iloc[-1]
half, rest = (begin + end) / 2, bwm.passive.part(passive, "spontaneousActivity")["interval"]
parts = {"task": (begin, end), "spontaneous": tuple(rest), "first half": (begin, half), "second half": (half, end)}
edges = pd.DataFrame(parts, index=["start", "stop"]).T
in_parts = bwm.spikes.counts_in_intervals(spikes, edges)

# %% [markdown] tags=["extra"]
# **Exercise 08.6.** How many units fire at a higher rate in the spontaneous part than in the task? Make `rates` (Hz)
# of `in_parts` and `edges` first.

# %% tags=["extra"]
answer = ...
check("08.6", answer)

# %% tags=["extra"]
rates = in_parts / (edges["stop"] - edges["start"])
fig = bwm.plots.rates_by_part(rates)

# %% [markdown] tags=["extra"]
# If the halves of the task scatter nearly as much, most of the change between task and rest is time, not rest.
#
# **With IBL's own tools.** brainbox, a part of ibllib, which is not installed with the lessons, maps fields by depth
# along the probe. What it calls `x_pos` is the row:
#
# ```python
# from brainbox.io.one import load_passive_rfmap
# from brainbox.task.passive import get_on_off_times_and_positions, get_rf_map_over_depth
#
# rf = load_passive_rfmap(session.eid, one=one)
# frame_times, positions, by_pixel = get_on_off_times_and_positions(rf)
# spikes = probe.good_spikes
# binned = {"d_bin": 80, "pre_stim": 0.05, "post_stim": 0.3}
# by_depth, depths = get_rf_map_over_depth(
#     frame_times, positions, by_pixel, spikes.times, spikes.depths, **binned
# )
# ```

# %%
bwm.provenance(session)
bwm.progress()
bwm.save()
