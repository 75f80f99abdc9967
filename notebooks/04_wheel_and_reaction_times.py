# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04 · Wheel and reaction times
#
# After this lesson you can
#
# - turn the edges of an encoder into position, velocity and movements, and say what each step may not be used for;
# - tell a left from a right report by the wheel alone;
# - name three latencies that are all called reaction time, and choose the one that answers your question;
# - say what a movement that begins too early can tell, and what it cannot.

# %% [markdown]
# | | |
# |---|---|
# | You need | [lesson 00](00_start_here.ipynb); [lesson 03](03_decision_task.ipynb) helps |
# | Time | 25 minutes to read, 20 to practise; the extras another 30 |
# | Data | the synthetic sample (300 MB, built on this computer); Extra B builds ten more sessions (500 MB, a minute) |
# | Where you are | fourth on the student's path: 00 → 01 → 03 → **04** → 05 → 06 → 07 |
#
# Words in *italics* are in the [glossary](glossary.md).

# %% [markdown] tags=["teacher"]
# **Teacher's notes.** 45 minutes: 10 for edges and movements with an exercise, 5 for the viewer, 10 for the latencies
# with an exercise, 15 for the early movements and the hunt, 5 for the scorecard. Let them look for an early movement in
# the viewer before section 5. Ask before its figure: "may the two curves differ, and where must they meet a half?" When
# late, leave out the scorecard.
#
# Misconceptions (wrong beliefs to listen for), each recognised by an exercise:
#
# - Every sample of the wheel stands for the same time.
# - A reaction time ends with the response.
# - The way the wheel ends is the way it began.

# %% [markdown]
# The next cell says which recording the lesson runs on. Leave it for now.

# %% tags=["parameters"]
SOURCE = "sample"  # or "real", or the path of a folder of recordings
EID = None  # a session's id; None opens the source's main session

# %%
import bwm_tutorials as bwm

bwm.keep_going()  # a cell that needs what this recording lacks says so, and the lesson goes on
one = bwm.connect(SOURCE)
session = bwm.Session(EID, one)
bwm.plots.stamp(session)
check, hint, solution = bwm.exercises("04", session)
session

# %% [markdown]
# **Remember lesson 00?** (1) A mouse reports left. What is `choice`, and does the position of the wheel rise or fall?
# (2) What must the wheel do before a stimulus comes?
#
# <details><summary>Answers</summary>(1) +1, and it falls. (2) Rest for the quiescent period, about half a
# second.</details>
#
# ## 1 · Edges
#
# A *rotary encoder* on the wheel's axle reports an *edge* each time the wheel has turned by 1/4096 of a turn, 1.5 mrad,
# to either side. The files hold the time and the position of each edge, and nothing else: a wheel at rest gives no
# samples.
#
# **Predict.** How long is the time from one edge to the next: (a) always the same, (b) anything from less than a
# millisecond to a second?

# %% tags=["nbval-check-output"]
import numpy as np
import pandas as pd

wheel = session.wheel
gaps = 1000 * np.diff(wheel.timestamps)
long = gaps > 100
few, half, most = np.percentile(gaps, [5, 50, 95])
print(f"5 % of the gaps are below {few:.1f} ms, half below {half:.1f}, 95 % below {most:.1f}")
print(f"gaps above 100 ms: {long.mean():.0%} of the gaps, {gaps[long].sum() / gaps.sum():.0%} of the time")

# %% [markdown]
# (b). Few gaps hold most of the time. What you average over these samples is weighted by how far the wheel turned.
#
# ## 2 · Position, velocity, movements
#
# So first put the position on a regular grid, 1000 samples a second, with straight lines between the edges. Its
# differences jump between nothing and an edge; so the velocity is smoothed by a low-pass filter, which lets pass what
# is slower than 20 Hz. It runs over the recording forwards and then backwards, so that it shifts nothing
# (*zero-phase*). The price: it is *acausal*. Each value depends on what comes after it.
#
# Movements are found in the position: where it changes by more than eight edges within .2 s. A movement's *onset* is
# where the wheel last was within 1.5 edges of where it had stood. The release stores these as `wheel_moves`.
#
# **Predict.** We cut the recording at an onset and filter again. Just before the cut, is the velocity the same?

# %%
times, position = bwm.wheel.interpolate(wheel.timestamps, wheel.position)
velocity = bwm.wheel.velocity(times, position)
intervals, amplitudes = bwm.wheel.movements(times, position)

# %%
trials = session.trials
easy = bwm.trials.select(trials, contrast=100, outcome="rewarded", timing="in time")
bwm.plots.style.need(easy, "rewarded trials of full contrast")
onset = easy["firstMovement_times"].iloc[0]
past = bwm.wheel.velocity(times[times <= onset], position[times <= onset])
fig = bwm.plots.wheel_movements(wheel, times, position, velocity, intervals, past)

# %% [markdown]
# If the dashed line stays near zero where the solid one has left it, the filter has seen the movement before the mouse
# made it. It is a matter of milliseconds, but so are the leads and lags of neurons; and an onset read off the velocity
# is early or late as its threshold is chosen. Use velocity for how fast, movements for when, and say how you dated
# them.
#
# **Modify.** Smooth more, with `cutoff=5` in both calls of `velocity`. How early does it begin now?
#
# **Exercise 04.1.** What fraction of the time between the first and the last edge does the wheel move? A row of
# `intervals` is one movement, from onset to offset in seconds.

# %%
answer = ...
check("04.1", answer)

# %% [markdown]
# ## 3 · Left and right
#
# How far does the wheel turn from the stimulus to the response? `displacement` gives rad, positive counter-clockwise.
#
# **Predict.** The median of it for choices of +1 (left): (a) about +0.3, (b) about −0.3, (c) near 0?

# %% tags=["nbval-check-output"]
turned = bwm.wheel.displacement(wheel.timestamps, wheel.position, trials["stimOn_times"], trials["response_times"])
print(pd.Series(turned).groupby(trials["choice"]).median().round(2).rename("median turn (rad)"))

# %% [markdown]
# (b): the position falls for a left report. The size is that of the threshold: 35° on the screen [2], at 4° a mm of a
# rim 31 mm from the axle. Now a few trials (the darker the panel, the stronger the stimulus):

# %%
kinds = [{"side": 1, "outcome": "rewarded"}, {"side": -1, "outcome": "rewarded"}, {"outcome": "not rewarded"}]
examples = pd.concat([bwm.trials.select(trials, **kind).iloc[1:2] for kind in kinds])
fig = bwm.plots.trial_panels(examples, session.get("wheel"), session.get("licks"))

# %% [markdown]
# Now look through the trials yourself. `timing` is that of the first movement: *early* is before 80 ms, *late* after 2
# s.
#
# **Say** what you see in ten early trials, and in ten unrewarded ones.

# %%
bwm.widgets.trial_viewer(session)

# %% [markdown]
# ## 4 · Three latencies
#
# "Reaction time" is any of three numbers:
#
# | from – to | used by | answers |
# |---|---|---|
# | stimulus – first movement | the Brain Wide Map [1] | when did what the mouse saw first reach the wheel? |
# | go cue – first movement | `load_wheel_reaction_times` | the same, counted from the tone |
# | stimulus – response | `compute_reaction_time` | how long did the answer take, with the turn itself? |
#
# (The functions are brainbox's, IBL's library.) `firstMovement_times` is the onset of the first movement of .1 rad or
# more that begins later than .2 s before the go cue. A response comes when the wheel has passed the threshold, or after
# 60 s without a choice.

# %% tags=["nbval-check-output"]
latencies = bwm.trials.latencies(trials)
(1000 * latencies.iloc[1:5]).round()

# %% [markdown]
# A latency whose columns are missing is left out; what follows takes the first that there is. The *chronometric* curve
# is that of latency against contrast.
#
# **Predict.** At which contrast are the first and the last latency farthest apart?

# %%
shown = [name for name in latencies if not name.startswith("go cue")]
curves = {name: bwm.trials.chronometric(trials, latencies[name], signed=False) for name in shown}
fig = bwm.plots.latencies(latencies, curves)

# %% [markdown]
# In seconds, where latencies are long; but the axis is logarithmic: equal distances are equal ratios. Where a mouse
# decides on evidence, weak stimuli take longer. What lies between movement and response is a second process: speed,
# pauses, changes of direction. A result "on reaction times" may come from either. Medians (bars: 95 % limits), because
# a few trials last up to 60 s.
#
# **Exercise 04.2.** What is the median reaction time of this session as the Brain Wide Map defines it, in ms?

# %%
answer = ...
check("04.2", answer)

# %% [markdown]
# ## 5 · Too early to be an answer
#
# In the release 22.8 % of first movements begin less than 80 ms after the stimulus [1], some before it: the rig asks
# for rest only to within 2°, so a slow creep passes. Eye, brain and muscles take that long: such a movement is no
# answer to the stimulus.
#
# **Predict.** How often are trials with an early movement rewarded: (a) in half of them, (b) about as often as others?

# %%
latency = latencies.iloc[:, 0]
bins = pd.cut(latency, [-np.inf, 0, 0.08, 0.12, 0.16, 0.2, 0.3, 0.5, 1, 2, np.inf])
rewarded = bwm.trials.proportions(trials["feedbackType"] == 1, bins)
print(latency.name)
rewarded.round(2)

# %% [markdown]
# Often (b). Have they seen the stimulus, then, in less than 80 ms?
#
# **Exercise 04.3, a hunt.** This script says so: it computes how often an early movement goes towards the stimulus. One
# line takes in more than the early movement. Mend it: count the turn only until 80 ms after the stimulus. Give the
# fraction. (`stimulus_side` is −1 for left and +1 for right.)

# %%
early = latency < 0.08
start, stop = trials["firstMovement_times"], trials["response_times"]
turned = bwm.wheel.displacement(wheel.timestamps, wheel.position, start, stop)
towards = pd.Series(np.sign(turned) == bwm.trials.stimulus_side(trials))
print(round(towards[early].mean(), 3))

# %%
answer = ...
check("04.3", answer)

# %% [markdown]
# For all latencies: the turn in the first 50 ms of each movement, beside the reward.

# %%
holds = {"rewarded in the end": rewarded}
start = trials["firstMovement_times"]
first = np.sign(bwm.wheel.displacement(wheel.timestamps, wheel.position, start, start + 0.05))
towards = np.where(np.isnan(first), np.nan, first == bwm.trials.stimulus_side(trials))
holds["towards the stimulus at first"] = bwm.trials.proportions(towards, bins)

# %%
fig = bwm.plots.early_movements(latency, holds)

# %% [markdown]
# If early movements go to either side alike, there is no sign that the mouse had seen the stimulus: it corrected the
# wheel where it had gone wrong. More than half would be no proof either, for the block tells which side is likely.
#
# The Brain Wide Map keeps trials whose first movement comes .08 to 2 s after the stimulus [1]. Say how many that leaves
# out.
#
# ## 6 · What was put in
#
# The onsets of the simulated mouse's first movements are known, small ones included. `firstMovement_times` passes over
# what is smaller than .1 rad, and gives the next movement in its place. **Predict.** Is its median latency too short or
# too long? We look for first movements of any size too.
#
# For the null we shuffle the trials within their blocks, so that a latency and a contrast are no longer of one trial.
# Fair, because contrasts are drawn anew in each trial.

# %%
found = {latency.name: latency}
start, until = trials["stimOn_times"].to_numpy(), trials["feedback_times"].to_numpy()
first = bwm.wheel.first_movement_times(intervals, amplitudes, start, until, min_quiescence=0.4, min_amplitude=0)
found["stimulus to movement of any size"] = pd.Series(first - start)

# %%
true = pd.Series(np.nan, trials.index)  # known of a simulated mouse alone
onsets = session.truth.trials["movement_onset"]
true = onsets - session.truth.trials["stimOn_times"]
off = 1000 * (first - onsets)
print(f"Onsets, of any size, are off by {off.abs().median():.1f} ms (median).")

# %%
statistics = {
    "median (ms)": lambda seconds: 1000 * seconds.dropna().median(),
    "below 80 ms (%)": lambda seconds: 100 * (seconds.dropna() < 0.08).mean(),
}
published = {("stimulus to movement", "below 80 ms (%)"): "22.8 % [1]"}
rows = {f"{name}, {what}": {"found": f(seconds), "put_in": f(true), "published": published.get((name, what))}
        for what, f in statistics.items() for name, seconds in found.items()}  # fmt: skip
contrast = pd.Series(np.abs(bwm.trials.signed_contrast(trials)))
bwm.plots.style.need(np.unique(contrast)[1:], "two contrasts")
orders = bwm.blocks.shuffled_within_blocks(trials["probabilityLeft"], 200, seed=1)
shuffled = [contrast.corr(pd.Series(latency.to_numpy()[order]), method="spearman") for order in orders]
follows = {"found": contrast.corr(latency, method="spearman"), "null": shuffled}
follows["put_in"] = contrast.corr(true, method="spearman")
rows[f"{latency.name}, rank correlation with contrast"] = follows

# %%
fig = bwm.plots.scorecard(rows)

# %% [markdown]
# Too long, where small movements come first. Which movement counts as the first is a definition, and can change a
# reaction time far more than errors of onsets do. So state it, and keep to one.
#
# ## Recap
#
# - The wheel is stored as edges: no samples while it rests. Interpolate before you count or average.
# - The velocity knows its future: say how you date a movement.
# - A left report is choice +1, and the position falls.
# - Say from when to when a reaction time goes.
# - Before 80 ms a movement is no answer, even if the trial is rewarded.
#
# ## Exit ticket
#
# 1. A colleague reports that neurons fire 15 ms before movement onset. What do you ask first?
# 2. One paper gives a median reaction time of .2 s, another .8 s, of the same mouse. How can both be right?
# 3. Trials with a movement before the stimulus are rewarded as often as others. Can the mouse foresee the stimulus?
#
# <details><summary>Answers</summary>
#
# 1. How the onset was dated. By a filtered velocity it may lie too early or too late by more than that.
# 2. One goes from the stimulus to the first movement, the other to the response.
# 3. Not by this: the reward depends on where the wheel ends. Look at where it went first, and against the block.
#
# </details>
#
# ## What is next
#
# [Lesson 05](05_spike_sorting.ipynb): spikes, and the units they are sorted into. Before you leave, save the notebook
# (Ctrl+S) and run the last cell.
#
# ## References
#
# 1. International Brain Laboratory, [A brain-wide map of neural activity during complex
#    behaviour](https://doi.org/10.1038/s41586-025-09235-0). *Nature* (2025).
# 2. International Brain Laboratory, [Standardized and reproducible measurement of decision-making in
#    mice](https://doi.org/10.7554/eLife.63711). *eLife* (2021).
# 3. International Brain Laboratory, data release *2025 Brain Wide Map*, listed in the
#    [AWS open data registry](https://registry.opendata.aws/ibl-brain-wide-map/). CC BY 4.0.

# %% [markdown] tags=["extra"]
# ---
# # Extras
#
# ## Extra A · Changes of mind, and vigour
#
# A *change of mind*, as we define it here: between its first movement and the response the wheel turns .05 rad or more
# against the side that is chosen in the end; and the first movement comes 80 ms after the stimulus or later, because
# before that there is no mind to change. `turn_against` gives how far the wheel went against the choice (rad).

# %% tags=["extra"]
start, stop, side = trials["firstMovement_times"], trials["response_times"], bwm.trials.chosen_side(trials)
against = bwm.wheel.turn_against(wheel.timestamps, wheel.position, start, stop, side)

# %% [markdown] tags=["extra"]
# **Exercise 04.4.** In what fraction of the trials with a choice whose first movement comes at 80 ms or later is there
# a change of mind?

# %% tags=["extra"]
answer = ...
check("04.4", answer)

# %% [markdown] tags=["extra"]
# *Vigour* is how fast a movement is made. We take the highest speed between first movement and response; `chronometric`
# gives medians of any number per trial. **Predict** how each depends on the contrast.

# %% tags=["extra"]
answers = (latency >= 0.08).to_numpy() & ~np.isnan(against)
changes = bwm.trials.proportions(against[answers] >= 0.05, contrast[answers])
peak = bwm.wheel.peak_speed(times, velocity, start, stop)
vigour = bwm.trials.chronometric(trials[answers], peak[answers], signed=False)
fig = bwm.plots.changes_and_vigour(changes, vigour)

# %% [markdown] tags=["extra"]
# A large movement is also a fast one, so compare vigour only between movements of one size: here all cross the same
# threshold. Over all movements of the session:

# %% tags=["extra"]
fastest = pd.Series(bwm.wheel.peak_speed(times, velocity, *intervals.T))
print("rank correlation of size and speed:", round(fastest.corr(pd.Series(abs(amplitudes)), method="spearman"), 2))
change = against[answers] >= 0.05
print(bwm.trials.proportions(trials["feedbackType"][answers] == 1, np.where(change, "change", "none")).round(2))

# %% [markdown] tags=["extra"]
# ## Extra B · A wheel that turned the wrong way
#
# In 62 sessions of the release, all of one laboratory, the recorded wheel had its sign flipped: the task was not
# affected, the file was [3]. A revision of 2024-05-06 corrects it. Could you have found it without being told?
#
# `connect("sample-release")` has ten synthetic sessions. In those of one mouse the wheel was flipped, and
# corrected later. Here are all of them as they were on 2024-01-01. (The tables of one session are older than a
# correction of its trials. The loader says so, and takes the newest file.)

# %% tags=["extra"]
mice, turns = bwm.connect("sample-release"), {}
for eid in mice.search():
    s = bwm.Session(eid, mice)
    old = mice.load_dataset(eid, "_ibl_wheel.position.npy", collection="alf", revision="2024-01-01")
    turned = bwm.wheel.displacement(s.wheel.timestamps, old, s.trials["stimOn_times"], s.trials["response_times"])
    turns[s.name] = pd.DataFrame({"choice": s.trials["choice"], "turned": turned})

# %% [markdown] tags=["extra"]
# **Exercise 04.5, a hunt.** This script takes the session whose wheel turns most to one side on average. It finds a
# mouse that prefers a side, which is no fault of a file. Mend it: what does a flipped wheel change between `turned` and
# `choice`, that a preference does not? Give the mouse's name in quotes, without the date.

# %% tags=["extra"]
max(turns, key=lambda name: abs(turns[name]["turned"].mean()))

# %% tags=["extra"]
answer = ...
check("04.5", answer)

# %% [markdown] tags=["extra"]
# To keep clear of it in the release: load by default, which gives the correction, or name a revision not before
# 2024-05-06.

# %% [markdown] tags=["extra"]
# ## Extra C · A real wheel
#
# Three minutes of a wheel that a real mouse turned come with the lessons (`data/NOTICE`; which mouse is not known). Its
# encoder counted two edges of each pulse where the release counts four.

# %% tags=["extra"]
real = bwm.connect("real")
excerpt = bwm.Session(real.search(subject="wheel_excerpt")[0], real)
with_wheel, traces = [s for s in (session, excerpt) if s.has("wheel")], {}
for s in with_wheel:
    grid = bwm.wheel.interpolate(s.wheel.timestamps, s.wheel.position)
    traces[s.label] = (*grid, bwm.wheel.movements(*grid)[0])
bwm.plots.stamp(*with_wheel)
fig = bwm.plots.wheel_traces(traces)
bwm.plots.stamp(session)

# %% tags=["extra"]
pd.DataFrame({label: {
    "time moving (fraction)": np.diff(found).sum() / np.ptp(grid),
    "movements a minute": 60 * len(found) / np.ptp(grid),
    "median duration (s)": np.median(np.diff(found)),
} for label, (grid, _, found) in traces.items()}).round(2)  # fmt: skip

# %% [markdown] tags=["extra"]
# ## Extra D · The same by other hands
#
# **With IBL's own tools** (ibllib, not installed with the lessons) you get the same position, velocity, movements and
# latencies. Mind the order of what is returned, and that its reaction time is counted from the go cue:
#
# ```python
# import numpy as np
# from brainbox.behavior import wheel as ibl_wheel
# from brainbox.io.one import load_wheel_reaction_times
#
# edges = session.wheel
# position, times = ibl_wheel.interpolate_position(edges.timestamps, edges.position, freq=1000)
# velocity, acceleration = ibl_wheel.velocity_filtered(position, 1000)
# edge = 2 * np.pi / 4096
# thresholds = {"pos_thresh": 8 * edge, "pos_thresh_onset": 1.5 * edge}
# onsets, offsets, amplitudes, peaks = ibl_wheel.movements(times, position, freq=1000, **thresholds)
# latency = load_wheel_reaction_times(session.eid, one=one)
# ```

# %%
bwm.provenance(session)
bwm.progress()
bwm.save()
