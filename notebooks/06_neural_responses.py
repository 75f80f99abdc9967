# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 06 · Neural responses
#
# After this lesson you can
#
# - make a peri-event time histogram in five lines, in Hz, and then in one;
# - choose the event that a response belongs to, and say what the others hide;
# - test which units respond, correct for their number, and ask what it is that they respond to;
# - tell a unit that knows the block from one that drifts.

# %% [markdown]
# | | |
# |---|---|
# | You need | [00](00_start_here.ipynb), [03](03_decision_task.ipynb), [04](04_wheel_and_reaction_times.ipynb) |
# | Time | 25 minutes to read, 20 to practise; the extras another 30 |
# | Data | the synthetic sample (300 MB, built on this computer) |
# | Where you are | sixth on the student's path: 03 → 04 → 05 → **06** → 07; last of the class |
#
# Words in *italics* are in the [glossary](glossary.md).

# %% [markdown] tags=["teacher"]
# **Teacher's notes.** 45 minutes: 10 for the histogram and its exercise, 10 for the events and the handles, 15 for the
# test with hunt and exercise, 10 for the block. Before section 4 ask: "name three things that happen within .15 s of
# the stimulus." Do not skip section 5: its figure is the one that people remember. When late, leave out the handles.
#
# Misconceptions (wrong beliefs to listen for), each recognised by an exercise:
#
# - The height of a histogram is a rate.
# - A unit that fires after the stimulus responds to the stimulus.
# - A rate that differs between blocks knows the block.

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
check, hint, solution = bwm.exercises("06", session)
session

# %% [markdown]
# **Remember?** (1) Lesson 04: how soon after the stimulus can a movement answer it? (2) Lesson 05: what is a good unit?
#
# <details><summary>Answers</summary>(1) Not before some 80 ms. (2) One that passes all three tests of quality: `label`
# 1.</details>

# %% [markdown]
# ## 1 · Five lines, and one
#
# A neuron fires some spikes a second, in no visible order. To see what an event does to it, line up many trials at the
# event and count in short bins: a *peri-event time histogram*, PETH. We take the good units of the last probe, and of
# these the one that changes most at feedback. It was *chosen* for that: the figure will show a response, and prove
# none.

# %%
trials = session.trials
probe = session.insertions[-1]
spikes = probe.good_spikes
table = bwm.responses.responsive_units(spikes, trials["feedback_times"], (0.0, 0.3), (-0.3, 0.0))
unit = table["effect"].abs().idxmax()

# %% tags=["nbval-check-output"]
times = spikes.times[spikes.clusters == unit]
events = trials["feedback_times"].dropna()
around = [times[(times > event - 0.2) & (times < event + 0.5)] - event for event in events]
in_bin, edges = np.histogram(np.concatenate(around), bins=70, range=(-0.2, 0.5))
print(f"unit {unit}: {in_bin.max()} spikes in the fullest of {len(in_bin)} bins, {len(events)} events")

# %% [markdown]
# **Exercise 06.1.** What is the rate of this unit in the fullest bin, in Hz? Use `in_bin`, `events`, and the width of a
# bin, .01 s.

# %%
answer = ...
check("06.1", answer)

# %% [markdown]
# In one line, for all units at once, with the standard error over trials. An event whose window leaves the recording is
# left out, not counted as silence. `condition` splits the trials.

# %%
outcome = trials["feedbackType"].map({1: "reward", -1: "no reward"}).rename("feedback")
rates = bwm.spikes.peth(spikes, trials["feedback_times"], condition=outcome)
aligned = bwm.spikes.aligned(spikes, unit, trials["feedback_times"])
fig = bwm.plots.raster(aligned, rates, unit)

# %% [markdown]
# Each row is a trial, each tick a spike. Look down the rows as well: if the unit fires more in some parts of the
# session than in others, that is *drift*, and will matter in section 5.
#
# ## 2 · Which event?
#
# Stimulus, movement and feedback follow each other within a second. Whatever one of them does to a unit is seen around
# all three.
#
# **Predict.** Our unit was chosen for feedback. Around the stimulus, is its response (a) as sharp, (b) broader and
# lower, (c) gone?

# %%
names = [name for name in ("stimOn_times", "firstMovement_times", "feedback_times") if name in trials]
wide = {name: bwm.spikes.peth(spikes, trials[name], (-0.5, 1.5), 0.02) for name in names}
fig = bwm.plots.rates_around(list(wide.values()), unit)

# %% [markdown]
# (b): latencies vary from trial to trial. The sharpest alignment is the best of those you tried; what always follows
# the event closely, as licks follow a reward, it does not tell apart. What ramps up between two events is sharp around
# neither.
#
# **Modify.** Look at other units, other events, other conditions. The cell needs a running notebook. Wide bins and
# smoothing make a curve pretty and its times wrong.

# %%
bwm.widgets.peth_explorer(session, probe)

# %% [markdown]
# ## 3 · Which units respond?
#
# For each unit compare its count after the stimulus with its count before, trial by trial: *Wilcoxon's signed-rank
# test* asks whether the differences lie about 0. Of 60 units, 3 have p below .05 by chance. `p_adjusted` is corrected
# for that: on average, 5 % or less of those below .05 have no difference at all (*Benjamini–Hochberg*). `effect` goes
# from −1, less in every trial, to 1.

# %%
on = trials["stimOn_times"]
response, baseline = (0.05, 0.15), (-0.1, 0.0)
truth = session.get("truth")
tests = bwm.responses.responsive_units(spikes, on, response, baseline)
knows = probe.truth["stimulus_gain"] != 0 if truth else None
fig = bwm.plots.responsive(tests, probe.clusters["acronym"], knows)

# %% [markdown]
# `root` is no region: the channel lies outside all that have a name. Do not count it as one.
#
# **Exercise 06.2, a hunt.** This script counts the units that fire 1.5 times as much after the stimulus as before it.
# Its two windows last equally long, but it finds too few. Take the .2 s before the stimulus for the baseline, and give
# the number.

# %%
before = bwm.spikes.counts_in_intervals(spikes, bwm.spikes.around(on, (-0.1, 0.1)))
after = bwm.spikes.counts_in_intervals(spikes, bwm.spikes.around(on, (0.0, 0.2)))
print((after.mean(axis=1) > 1.5 * before.mean(axis=1)).sum())

# %%
answer = ...
check("06.2", answer)

# %% [markdown]
# ## 4 · Respond to what?
#
# The test is right: these units do fire otherwise after the stimulus than before. The sentence "they respond to the
# stimulus" is another matter. In many trials the wheel moves within the window.
#
# **Exercise 06.3.** Repeat the test in those trials only in which the first movement comes later than .15 s after the
# stimulus, when the window is over. How many units have `p_adjusted` below .05 now? `on.where(...)` keeps the times of
# some trials and makes the others NaN, which are left out.

# %%
latency = bwm.trials.movement_latency(trials)
print((latency > 0.15).sum(), "of", len(trials), "trials")

# %%
answer = ...
check("06.3", answer)

# %% [markdown]
# What is lost may be units that follow the movement, or power: fewer trials are left, and of weaker stimuli. What is
# kept may still belong to the movement: some units fire before the wheel turns.
#
# **Modify.** Take as many trials, chosen by chance (`on.sample((latency > 0.15).sum())`), to see what fewer trials
# alone do.
#
# ## 5 · The block trap
#
# Which units know the block? Before the stimulus comes, the count of a unit that knows should differ between blocks.
# `selectivity(counts, variable)` tests whether counts tell two values of a variable apart. The *null session* is the
# twin of this one: the same behaviour, and neurons that know nothing.
#
# **Predict.** Which share of its units has p below .05: (a) 0 %, (b) 5 %,
# (c) 25 %?


# %%
def before_stimulus(probe):
    return bwm.spikes.counts_in_intervals(probe.good_spikes, bwm.spikes.around(on, (-0.4, -0.1)))


pseudo = bwm.blocks.pseudosessions(len(trials), 1000, seed=1)
block = trials["probabilityLeft"].where((pseudo != 0.5).all(axis=0))  # the first 90 trials are in no block
nothing = before_stimulus(session.null.insertions[-1])
shuffled = bwm.responses.selectivity(nothing, block)["p"]
right = bwm.responses.selectivity(nothing, block, null=pseudo)["p"]
fig = bwm.plots.p_values({"trials shuffled": shuffled, "pseudosessions": right}, "the null session")

# %% [markdown]
# With shuffled trials (c), on average: 5 to 40 % in one simulated session or another. Rates drift over minutes, blocks
# last minutes, and two slow things agree by accident. Shuffled blocks jump from trial to trial and cannot do that.
# *Pseudosessions* (lesson 03) are as slow as the real blocks [4]. The same trap waits for every slow variable: arousal,
# thirst, the trial's number.
#
# ## 6 · What was put in
#
# The null of the stimulus: the same test around times moved at random by up to 20 s. That of the block: each of some
# pseudosessions taken for the real one. In the sample many units know things, so that 60 are enough to learn from; in
# the brain it is far fewer.

# %%
rows = {}
rng = np.random.default_rng(1)
moved = [on + rng.uniform(-20, 20, len(on)) for _ in range(40)]
found = [bwm.responses.responsive_units(spikes, at, response, baseline) for at in moved]
rows["respond after the stimulus (fraction)"] = {
    "found": (tests["p_adjusted"] < 0.05).mean(),
    "put_in": knows.reindex(tests.index).mean() if truth else None,
    "null": [(table["p_adjusted"] < 0.05).mean() for table in found],
    "published": ".004 its side [1]",
}

# %%
before, taken = before_stimulus(probe), np.where(np.isnan(block), np.nan, pseudo[:100])
knowing = bwm.responses.selectivity(before, block, null=pseudo)["p"] < 0.05
by_chance = [(bwm.responses.selectivity(before, each, null=pseudo)["p"] < 0.05).mean() for each in taken]
rows["know the block, p < .05 (fraction)"] = {
    "found": knowing.mean(),
    "put_in": (probe.truth["block_gain"] != 0).reindex(before.index).mean() if truth else None,
    "null": by_chance,
    "published": ".053 [2]",
}

# %%
fig = bwm.plots.scorecard(rows)

# %% [markdown]
# Two shares that are alike need not be of the same units. The figure of section 3 says how many of those that respond
# know the stimulus; section 4 says why others respond. And see how wide the null of the block is. All units of a
# session share one sequence of blocks, so they are wrong together: a share that is far from 5 % in one session need not
# mean a thing. The published shares are of other tests each, and not to be mixed: [1] of a strict one, [2] of a looser
# one of its preprint.
#
# ## Recap
#
# - A rate is spikes per trial and per second.
# - Align to several events before you say what a response belongs to.
# - Correct for the number of units. Then ask what else happened in the window.
# - What is slow needs a null that is as slow.
#
# ## Exit ticket
#
# 1. A histogram over 200 trials, in bins of 20 ms, peaks at 80 spikes. How many Hz?
# 2. 40 of 400 units have p below .05. How many would by chance? What do you report?
# 3. "9 % of units encode the block (p < .05, trials shuffled)." What do you ask?
#
# <details><summary>Answers</summary>
#
# 1. 80 / 200 / .02 s = 20 Hz.
# 2. 20; how many are left when corrected, and the size of the effects.
# 3. What the same test finds against pseudosessions, or in a recording without blocks.
#
# </details>
#
# ## What is next
#
# Much of what units do goes along with movement: [lesson 07](07_pose.ipynb), pose and video. Before you leave, save the
# notebook (Ctrl+S) and run the last cell: it packs your work.
#
# ## References
#
# 1. International Brain Laboratory, [A brain-wide map of neural activity during complex
#    behaviour](https://doi.org/10.1038/s41586-025-09235-0). *Nature* (2025).
# 2. Its [preprint](https://doi.org/10.1101/2023.07.04.547681). *bioRxiv* (2023).
# 3. Steinmetz et al., [Distributed coding of choice, action and engagement across the mouse
#    brain](https://doi.org/10.1038/s41586-019-1787-x). *Nature* (2019).
# 4. Harris, [Nonsense correlations in neuroscience](https://doi.org/10.1101/2020.11.29.402719). *bioRxiv* (2020).

# %% [markdown] tags=["extra"]
# ---
# # Extras
#
# ## Extra A · All units at once
#
# Each row is a unit, in all panels the same; red is more, blue is less than its mean. Rows are sorted by the time of
# their largest deviation, which makes a diagonal of noise as well.

# %% tags=["extra"]
short = {plain: wide[name] for name, plain in bwm.plots.responses.EVENTS.items() if name in wide}
fig = bwm.plots.alignments(short)

# %% [markdown] tags=["extra"]
# The rates of all units at one moment are a point; over time it moves. The two directions in which it moves most
# (*principal components*) make a map.

# %% tags=["extra"]
made_side = trials["choice"].map({1: "left", -1: "right"}).rename("choice")
rates = bwm.spikes.peth(spikes, trials["firstMovement_times"], (-0.4, 0.6), 0.02, condition=made_side)
path = bwm.spikes.smoothed(rates, 0.03).mean.unstack("choice").T.swaplevel().sort_index()
path = path - path.mean()
_, _, components = np.linalg.svd(path, full_matrices=False)
bwm.plots.style.need(components[1:], "two units")
plane = path @ components[:2].T
fig = bwm.plots.trajectories({name: plane.loc[name] for name in path.index.unique("choice")})

# %% [markdown] tags=["extra"]
# ## Extra B · Choice, at equal stimulus and block
#
# Left choices mostly follow left stimuli. To ask for the choice alone, compare trials of the same side and block: the
# *condition-combined* test [3] counts, among pairs of such trials, how often the one with the left choice has more
# spikes, and shuffles choices among them.

# %% tags=["extra"]
made = trials["choice"].where(trials["choice"] != 0)
condition = pd.DataFrame({"side": bwm.trials.stimulus_side(trials), "block": trials["probabilityLeft"]})
window = bwm.spikes.around(trials["firstMovement_times"], (-0.1, 0.0))
counts = bwm.spikes.counts_in_intervals(spikes, window)
all_trials = bwm.responses.selectivity(counts, made)
print("tell the choice, all trials together:", (all_trials["p_adjusted"] < 0.05).sum())

# %% [markdown] tags=["extra"]
# **Exercise 06.4.** How many do, with `p_adjusted` below .05, among trials of the same side and block?

# %% tags=["extra"]
answer = ...
check("06.4", answer)

# %% [markdown] tags=["extra"]
# ## Extra C · Two more traps
#
# **Exercise 06.5, a hunt.** Each unit fires more for one side. This script chooses that side, and tests whether the
# unit really does, one-sided. It finds too many. Choose in the even trials and test in the
# odd ones. How many units are left?

# %% tags=["extra"]
from scipy.stats import mannwhitneyu


def sided(counts, choose, test):
    mean = [counts[:, choose & (side == which)].mean(axis=1) for which in ("left", "right")]
    left, right = (counts[:, test & (side == which)] for which in ("left", "right"))
    p_left = mannwhitneyu(left, right, axis=1, alternative="greater").pvalue
    p_right = mannwhitneyu(right, left, axis=1, alternative="greater").pvalue
    return (np.where(mean[0] > mean[1], p_left, p_right) < 0.05).sum()


# %% tags=["extra"]
side = bwm.questions.variable(trials, "stimulus side").values[on.notna()].to_numpy()
even = np.arange(len(side)) % 2 == 0
odd, every = ~even, even | ~even
seen = bwm.spikes.around(on[on.notna()], response)
counted = bwm.spikes.counts_in_intervals(spikes, seen).to_numpy()
print("this session:", sided(counted, every, every), "of", len(counted))

# %% tags=["extra"]
answer = ...
check("06.5", answer)

# %% [markdown] tags=["extra"]
# **Exercise 06.6.** And the other trap, in this session: how many units of its probe have p below .05 for the block,
# against pseudosessions? The scorecard has their share.

# %% tags=["extra"]
answer = ...
check("06.6", answer)

# %% [markdown] tags=["extra"]
# One null session is one draw. `bwm.audit` gives a function of yours 20 sessions that no lesson shows, and their null
# twins: how many of the units that know the block does it find (its *power*), and how many in nothing (its
# *false-positive rate*)? Try it; the first call builds the sessions, which takes a minute. Then add what makes it pass.
#
# ```python
# def knows_the_block(session):
#     block = session.trials["probabilityLeft"].replace(0.5, np.nan)
#     window = bwm.spikes.around(session.trials["stimOn_times"], (-0.4, -0.1))
#     counts = bwm.spikes.counts_in_intervals(session.insertions[0].good_spikes, window)
#     return bwm.responses.selectivity(counts, block)["p"]
#
#
# result = bwm.audit(knows_the_block, effect="block")
# bwm.plots.audit(result)
# ```

# %% [markdown] tags=["extra"]
# ## Extra D · How strong, how soon
#
# A unit that sees should fire more for a stronger stimulus, and sooner. We take the one that tells the sides of strong
# stimuli best. It was chosen for the side; weak stimuli were not asked.

# %% tags=["extra"]
contrast = abs(bwm.trials.signed_contrast(trials))
classes = pd.cut(contrast, [-1, 7, 26, 100], labels=["0 or 6 %", "12 or 25 %", "100 %"])
strength = pd.Series(classes, name="contrast")
answers = bwm.spikes.counts_in_intervals(spikes, bwm.spikes.around(on, response))
auc = bwm.responses.selectivity(answers, condition["side"].where(contrast >= 25))["auc"]
sees = (auc - 0.5).abs().idxmax()
at = {name: on.where(condition["side"] == which) for name, which in (("left", -1), ("right", 1))}
at = [times.rename(f"stimulus, {name}") for name, times in at.items()]
rates = [bwm.spikes.peth(spikes, times, (-0.1, 0.4), 0.02, [sees], strength) for times in at]
fig = bwm.plots.rates_around([bwm.spikes.smoothed(each, 0.02) for each in rates], sees)

# %% [markdown] tags=["extra"]
# When does a response begin? Take the first of two bins in a row in which the rate is 3 standard deviations above that
# before the stimulus, for the units that respond. Where a latency was put in, it stands beside.

# %% tags=["extra"]
strong = bwm.spikes.peth(spikes, on.where(contrast >= 25), (-0.3, 0.3), 0.01).mean
before = strong.loc[:, strong.columns < 0]
z = strong.sub(before.mean(axis=1), axis=0).div(before.std(axis=1), axis=0)
above = (z > 3) & (z.shift(-1, axis=1) > 3) & (z.columns > 0)
begins = above.idxmax(axis=1).where(above.any(axis=1)).rename("found (s)").to_frame()
if truth:
    begins["put in (s)"] = probe.truth["stimulus_latency"].where(knows)
    begins["movement or choice put in"] = (probe.truth[["choice_gain", "wheel_gain"]] != 0).any(axis=1)
print(begins[tests["p_adjusted"] < 0.05].dropna(subset="found (s)").round(3))

# %% [markdown] tags=["extra"]
# A threshold is passed after the response has begun, the later the weaker it is: latencies by it are too long. Noise
# can pass it too early. And a unit of the movement may seem to answer sooner than one that sees, where the wheel was on
# its way already.

# %% [markdown] tags=["extra"]
# **With IBL's own tools.** brainbox, a part of ibllib, which is not installed with the lessons, computes the same rates
# and a similar test:
#
# ```python
# from brainbox.singlecell import calculate_peths
# from brainbox.task.closed_loop import responsive_units
#
# spikes = probe.good_spikes
# events = session.trials["stimOn_times"].dropna().to_numpy()
# good = probe.clusters.query("label == 1").index
# binned = {"pre_time": 0.2, "post_time": 0.5, "bin_size": 0.01, "smoothing": 0}
# peths, _ = calculate_peths(spikes.times, spikes.clusters, good, events, **binned)
# windows = {"pre_time": (0.1, 0), "post_time": (0.05, 0.15)}
# ids, _, p, _ = responsive_units(spikes.times, spikes.clusters, events, **windows)
# ```

# %%
bwm.provenance(session)
bwm.progress()
bwm.save()
