# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 07 · Pose and video
#
# After this lesson you can
#
# - say when a frame was taken, by the camera's clock and not by counting;
# - read tracked points with their likelihood, compare them between cameras, and know which paw is which;
# - make licks of lick times, and speeds of points;
# - hold a unit that tells the choice against the movement that makes it, and say what that cannot decide.

# %% [markdown]
# | | |
# |---|---|
# | You need | [00](00_start_here.ipynb), [04](04_wheel_and_reaction_times.ipynb), [06](06_neural_responses.ipynb) |
# | Time | 25 minutes to read, 20 to practise; the extras another 30 |
# | Data | the synthetic sample (300 MB, built on this computer) |
# | Where you are | seventh on the student's path: 04 → 05 → 06 → **07** → 08 |
#
# Words in *italics* are in the [glossary](glossary.md).

# %% [markdown] tags=["teacher"]
# **Teacher's notes.** 45 minutes: 10 for the clocks and their exercise, 10 for the points and the player, 10 for licks
# with an exercise, 10 for the paws with the hunt, 5 for choice and movement. Before section 5 ask: "how would you tell
# a neuron that decides from one that turns the wheel?" and leave the answers on the board. When late, leave out the
# player.
#
# Misconceptions (wrong beliefs to listen for), each recognised by an exercise:
#
# - Frames come at the rate that the camera was set to.
# - Every lick time is a lick.
# - paw_r is the mouse's right paw.

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
check, hint, solution = bwm.exercises("07", session)
session

# %% [markdown]
# **Remember?** (1) Lesson 04: may you date the onset of a movement by a filtered velocity? (2) Lesson 06: why did we
# compare choices only among trials of the same side?
#
# <details><summary>Answers</summary>(1) No: it knows its future. (2) Most left choices follow a stimulus on the
# left, and a unit may know the stimulus.</details>

# %% [markdown]
# ## 1 · Three cameras, three clocks
#
# Two cameras film the mouse's face and paws from the left and the right, a third its body from above. They are set to
# 60, 150 and 30 frames a second. A network found the same points of the mouse in every frame (*pose*); one table for
# each camera, one row a frame. We read the points that we need, and no others: an hour of the right camera is half a
# million rows.
#
# **Predict.** After an hour at 150 frames a second, how wrong is it to say that frame *i* comes at *i*/150 s: (a) less
# than .1 s, (b) some seconds, (c) more than ten seconds?

# %% tags=["nbval-check-output"]
points = {"left": "paw_r", "right": "paw_r", "body": "tail_start"}
cameras = {name: session.get("pose", name, keypoints=point) for name, point in points.items()}
clocks = {name: bwm.pose.clock(pose["times"]) for name, pose in cameras.items() if pose is not None}
bwm.plots.style.need(clocks, "tracked videos")
print(pd.DataFrame(clocks).map("{:.6g}".format))

# %% [markdown]
# As a rule no camera runs at the rate it was set to, none starts with the recording, and the right one drops frames: it
# does not store them, and does not say so. So take a frame's time from `times`, always. Older recordings have more
# times than frames; then the first times are dropped, because the video starts late. If there are fewer times than
# frames, nobody knows, and `session.pose` refuses.
#
# **Exercise 07.1.** Someone puts frame *i* of the right camera *i*/150 s after its first frame. By how many seconds is
# the last frame then too late?

# %%
right = session.pose("right", keypoints=["paw_l", "paw_r"])

# %%
answer = ...
check("07.1", answer)

# %% [markdown]
# ## 2 · Points, and how sure they are
#
# Each point has `_x`, `_y` (px, y downwards) and `_likelihood`. The picture itself is not in the sample, and seldom
# needed: in the release it is `_iblrig_leftCamera.raw.mp4` in `raw_video_data`, some gigabytes a session (lesson 02
# tells how to fetch it, and any video reader finds frame *i*). Here are three frames redrawn from their points. Hollow
# is a likelihood below .9.
#
# **Say**, before you run it: which points will be hollow while the mouse waits?

# %%
left = session.pose("left", keypoints=[*bwm.plots.pose.POINTS]).filter(regex="times|_[xy]$|_likelihood")

# %%
trials = session.trials
wheel, probe = session.get("wheel"), session.get(lambda session: session.insertions[-1])
filmed = trials[trials["stimOn_times"] > left["times"].iloc[0]]
easy = bwm.trials.select(filmed, contrast=100, outcome="rewarded", timing="in time")
bwm.plots.style.need(easy, "rewarded trials of full contrast")
trial = easy.iloc[0]
moved, fed = (trial[event] - trial["stimOn_times"] for event in ("firstMovement_times", "feedback_times"))
spikes = probe.good_spikes if probe else None
fig = bwm.plots.trial_pose(left, trial, [-0.2, (moved + fed) / 2, fed + 0.3], wheel=wheel, spikes=spikes)

# %% [markdown]
# The tongue is hollow while it is in the mouth, as it should be. Now the share of frames in which each point is below
# .9:

# %%
lost = bwm.pose.likelihood_filter(left).filter(regex="_x$").isna().mean()
print(lost.rename(lambda column: column.removesuffix("_x")).round(3).to_string())

# %% [markdown]
# If the nose is lost in many frames, look at it in the figure: it is where a nose belongs. These are points of
# *Lightning Pose*, whose likelihoods are not on the scale of DeepLabCut, for which .9 is the custom. A threshold of 0
# takes nothing, and 1 all that is not certain. Look at each point before you choose one.
#
# A paw can be hidden. Then its likelihood falls, and its place is a guess. A mask leaves holes there, not at random: a
# moving paw is hidden more often.
#
# **Modify.** Go through a trial; the cell needs a running notebook. Find a moment at which a paw lets go of the wheel
# and reaches back.

# %%
bwm.widgets.pose_player(session, probe)

# %% [markdown]
# ## 3 · Licks
#
# `session.licks` has the times of all frames, of both side cameras, in which the tongue moves. **Predict.** A mouse
# licks about seven times a second. How many of these times are there in a second of licking: (a) 7, (b) 14, (c) 100?

# %%
licks = session.licks
onsets = bwm.pose.lick_onsets(licks)
outcome = trials["feedbackType"].map({1: "reward", -1: "no reward"}).rename("feedback")
counted = {"lick times": licks, "licks": onsets}
counted = {name: {"times": times, "clusters": np.zeros(len(times), int)} for name, times in counted.items()}
window = {"window": (-0.5, 2), "bin_size": 0.05, "condition": outcome}
rates = {name: bwm.spikes.peth(times, trials["feedback_times"], **window) for name, times in counted.items()}
rewarded = trials[trials["feedbackType"] == 1].dropna(subset="feedback_times")
bwm.plots.style.need(rewarded, "rewards")
rewards = rewarded["feedback_times"].to_numpy()
fig = bwm.plots.licks(licks, onsets, rates, rewards[0])

# %% [markdown]
# (c): the cameras together take 210 frames a second, and in a lick the tongue moves for a tenth of a second. With one
# camera there are fewer times, and about as many licks. `lick_onsets` begins a lick where the tongue has not moved for
# 35 ms.
#
# **Exercise 07.2.** How many licks are there on average in the second after a reward? Rewards are the `feedback_times`
# of trials whose `feedbackType` is 1.

# %%
answer = ...
check("07.2", answer)

# %% [markdown]
# ## 4 · Which paw?
#
# The network was trained on the left camera. So that it could serve for the right one, that video was mirrored for it.
# In either video `paw_r` is the paw *nearer to the camera*: the mouse's left paw in the left video, its right paw in
# the right one. The stored x of the right camera are mirrored back (640 − x), so in its video the mouse faces the other
# way. And a picture of the left camera is twice as large: `bwm.pose` halves it, to px that the cameras share.
#
# **Exercise 07.3, a hunt.** Both cameras see both paws, so the speed of one paw must agree between them. This script
# finds less than that. Mend it, so that it compares the same paw; give the correlation.

# %%
one_paw = bwm.pose.speed(left, "paw_r", "left")
same_paw = bwm.pose.speed(right, "paw_r", "right")
print(round(np.corrcoef(one_paw, np.interp(left["times"], right["times"], same_paw))[0, 1], 4))

# %%
answer = ...
check("07.3", answer)

# %% [markdown]
# Now the near paw and the wheel around the first movement. *Velocity* along x has a sign, *speed* has none.
#
# **Predict.** Which of them differs between left and right choices?

# %%
moves = trials["firstMovement_times"]
speed = bwm.pose.speed(left, "paw_r", "left")
velocity = bwm.pose.velocity(left, "paw_r", "left")["x"]

# %%
wheel = session.wheel
times, position = bwm.wheel.interpolate(wheel.timestamps, wheel.position, freq=250)
turning = bwm.wheel.velocity(times, position)
traces = {"paw along x (px/s)": (left["times"], velocity), "paw speed (px/s)": (left["times"], speed)}
traces["wheel (rad/s)"] = (times, turning)
shown = {name: bwm.pose.around(*trace, moves, (-0.3, 0.6)) for name, trace in traces.items()}
fig = bwm.plots.paw_and_wheel(shown, trials["choice"])

# %% [markdown]
# A choice *is* a movement to one side; that is how the mouse reports. So the wheel's velocity nearly is the choice. The
# paw is less strict with it, since it lets go, reaches back and grips again.
#
# ## 5 · Choice, or the movement that makes it?
#
# We count spikes from .1 s before the first movement to .2 s after it. First: which units follow the paw's speed from
# trial to trial? The null shuffles trials within their blocks.

# %%
probe = session.insertions[-1]
around = bwm.spikes.around(moves, (-0.1, 0.2))
counts = bwm.spikes.counts_in_intervals(probe.good_spikes, around)
paw_speed = bwm.pose.mean_in_intervals(left["times"], speed, around)
orders = bwm.blocks.shuffled_within_blocks(trials["probabilityLeft"], 1000, seed=1)
follows = bwm.responses.rank_correlations(counts, paw_speed, orders)
print(f"follow the paw's speed: {(follows['p'] < 0.05).sum()} of {len(follows)} units with p below .05, "
      f"{(follows['p_adjusted'] < 0.05).sum()} when corrected")  # fmt: skip

# %% [markdown]
# **Modify.** Take the speed of `bwm.pose.likelihood_filter(left)` in its place: guesses are gone, and with them some of
# the movement.
#
# Then: which units tell the choice? And which still do among trials of equal movement, in ten classes from slow to
# fast, or from left to right?
#
# **Predict.** Where the movement to one side is equal, are there fewer because (a) those units only moved the paw, or
# (b) few trials differ in choice and not in movement?

# %%
truth = session.get("truth")
made = trials["choice"].where((trials["choice"] != 0) & counts.notna().all())
equal = {"paw speed": paw_speed, "paw velocity": bwm.pose.mean_in_intervals(left["times"], velocity, around)}
equal["wheel velocity"] = bwm.pose.mean_in_intervals(times, turning, around)
classes = {f"equal {name}": pd.qcut(values, 10, labels=False, duplicates="drop") for name, values in equal.items()}
classes = {"all trials": None} | classes
pairs = {name: bwm.responses.comparable_pairs(made, each) for name, each in classes.items()}
tests = {name: bwm.responses.selectivity(counts, made, classes[name]) for name, n in pairs.items() if n}
knows = probe.truth["choice_gain"] != 0 if truth else None
fig = bwm.plots.choice_at_equal_movement(tests, pairs, knows)

# %% [markdown]
# Both may be true, and the count alone does not tell. In the sample one can look: if units are lost that know the
# choice by construction, that loss is no proof of (a). And movement that no camera sees, or that we did not ask for,
# stays uncontrolled. Say "the choice or the movement that reports it", unless your trials hold one still and vary the
# other.
#
# ## 6 · What was put in
#
# The nulls: for licks, the same seconds moved at random by up to 20 s; for units that follow the paw, trials shuffled
# within blocks, each held against others. Put in is the share of units that follow the *wheel's* speed: no simulated
# unit knows the paw.

# %%
rows = {}
moved = rewards + np.random.default_rng(1).uniform(-20, 20, (200, rewards.size))


def per_reward(times, rewards=rewards):
    return np.diff(np.searchsorted(times, [rewards, rewards + 1]), axis=0)[0].mean(axis=-1)


rows["licks in the second after a reward"] = {
    "found": per_reward(onsets),
    "put_in": per_reward(truth.licks["times"]) if truth else None,
    "null": per_reward(onsets, moved),
}

# %%
row = {"found": np.nanmedian(paw_speed), "put_in": None}
if truth:
    true_speed = bwm.pose.speed(truth.video, "paw_r", "left")
    row["put_in"] = np.nanmedian(bwm.pose.mean_in_intervals(truth.video["times"], true_speed, around))
rows["paw speed around the movement, median (px/s)"] = row

# %%
by_chance = [bwm.responses.rank_correlations(counts, paw_speed[order], orders[60:260]) for order in orders[:60]]
rows["follow the paw's speed, p < .05 (fraction)"] = {
    "found": (follows["p"] < 0.05).mean(),
    "put_in": (probe.truth["wheel_gain"] != 0).reindex(follows.index).mean() if truth else None,
    "null": [(table["p"] < 0.05).mean() for table in by_chance],
}

# %%
fig = bwm.plots.scorecard(rows)

# %% [markdown]
# So a unit that follows the paw need not "encode the paw": wheel, paw and whatever else moves go together. And a unit
# that is not found may follow the wheel all the same: one third of a second of each trial tells little.
#
# ## Recap
#
# - A frame's time is in `times`; counting frames drifts by many seconds.
# - A likelihood is worth what its tracker and its point make it. Look before you filter.
# - A lick time is a frame; a lick is several.
# - `paw_r` is the paw nearer to the camera, in both side videos.
# - A choice is reported by a movement: hold one still, or name both.
#
# ## Exit ticket
#
# 1. Between two frames 26 ms pass, elsewhere 6.6 ms. What happened, and what does a speed by the median interval say?
# 2. "Mice lick 90 times a second after a reward." What was counted?
# 3. At equal wheel velocity no unit tells the choice any more. Does no unit know the choice?
#
# <details><summary>Answers</summary>
#
# 1. Three frames were dropped; that step is taken for four times as fast as it was.
# 2. Frames with a moving tongue, of two cameras.
# 3. Not shown: hardly any trials with equal velocity differ in their choice, so little could be found.
#
# </details>
#
# ## What is next
#
# [Lesson 08](08_passive.ipynb), the passive protocol: the same neurons, and no wheel to turn. Before you leave, save
# the notebook (Ctrl+S) and run the last cell: it packs your work.
#
# ## References
#
# 1. International Brain Laboratory, [A brain-wide map of neural activity during complex
#    behaviour](https://doi.org/10.1038/s41586-025-09235-0). *Nature* (2025).
# 2. Biderman et al., [Lightning Pose: improved animal pose estimation via semi-supervised learning, Bayesian ensembling
#    and cloud-native open-source tools](https://doi.org/10.1038/s41592-024-02319-1). *Nature Methods* (2024).
# 3. Mathis et al., [DeepLabCut: markerless pose estimation of user-defined body parts with deep
#    learning](https://doi.org/10.1038/s41593-018-0209-y). *Nature Neuroscience* (2018).
# 4. Musall et al., [Single-trial neural dynamics are dominated by richly varied
#    movements](https://doi.org/10.1038/s41593-019-0502-4). *Nature Neuroscience* (2019).

# %% [markdown] tags=["extra"]
# ---
# # Extras
#
# ## Extra A · Two trackers
#
# The release has each video tracked twice: by DeepLabCut [3], one network, and by Lightning Pose [2], several networks
# and a smoother. Here are both, where they differ most.

# %% tags=["extra"]
found = {name: session.pose("left", name, "paw_r") for name in ("dlc", "lightningPose")}
errors = {}
apart = np.hypot(*(found["dlc"] - found["lightningPose"])[["paw_r_x", "paw_r_y"]].to_numpy().T)
middle = found["dlc"]["times"][int(np.nanargmax(apart))]
tracks = found | ({"put in": truth.video} if truth else {})
near = {name: pose[abs(pose["times"] - middle) < 1] for name, pose in tracks.items()}
near = {name: (pose["times"].to_numpy(), pose["paw_r_x"].to_numpy()) for name, pose in near.items()}
for name, pose in found.items() if truth else ():
    true = [np.interp(pose["times"], truth.video["times"], truth.video[f"paw_r_{axis}"]) for axis in "xy"]
    errors[name] = np.hypot(pose["paw_r_x"] - true[0], pose["paw_r_y"] - true[1])
fig = bwm.plots.trackers(near, "paw_r, x (px)", errors)

# %% [markdown] tags=["extra"]
# Median errors flatter a tracker that jumps: a jump of 200 px for three frames is nothing to a median, and everything
# to a speed. Is the jump filtered by its likelihood?

# %% tags=["extra"]
if truth:
    jumped = pd.Series(errors["dlc"]) > 20
    sure = found["dlc"]["paw_r_likelihood"] >= 0.9
    print(f"DeepLabCut is off by more than 20 px in {jumped.sum()} frames, and sure of it in {(jumped & sure).sum()}.")

# %% [markdown] tags=["extra"]
# ## Extra B · Pupil, whiskers and arousal
#
# The pupil's diameter comes from its four points. `pupilDiameter_raw` is that of single frames, `_smooth` the smoothed
# one. Where smoothing takes away much, there was little pupil to see. The release's quality control wants the variance
# of the smooth trace to be 5 times (left camera) or 10 times (right) that of what was smoothed away.
#
# **Exercise 07.4.** What is this ratio in the left video, the *signal-to-noise ratio*? Leave out frames that are NaN.

# %% tags=["extra"]
pupil = session.pupil

# %% tags=["extra"]
answer = ...
check("07.4", answer)

# %% [markdown] tags=["extra"]
# Motion energy is the mean change from frame to frame within the whisker pad. **Predict.** After a reward, which of the
# two rises, and which falls back first?

# %% tags=["extra"]
energy = session.motion_energy("left")
outcome = trials["feedbackType"].map({1: "reward", -1: "no reward"})
traces = {"pupil (px)": (pupil["times"], pupil["pupilDiameter_smooth"])}
traces["motion energy (grey levels)"] = (energy["times"], energy["energy"])
after = {name: bwm.pose.around(*trace, trials["feedback_times"], (-1, 3)) for name, trace in traces.items()}
fig = bwm.plots.arousal(after, outcome)

# %% [markdown] tags=["extra"]
# Whiskers move when the mouse licks, so motion energy is no pure arousal. And a pupil lags what moves it by about a
# second: compare trials by it only with that in mind.

# %% [markdown] tags=["extra"]
# ## Extra C · Which comes first?
#
# Correlate a paw's speed with a unit's rate at many lags, over the whole task. How large must a correlation be? If bins
# were independent, 1/√n would be its scale, as in shuffled bins. But a moving paw still moves in the next bin, and a
# fast unit is still fast: both are *autocorrelated*, so there are fewer independent moments than bins. Shift one
# against the other by more than 20 s: all of their slowness is kept, and their relation gone.

# %% tags=["extra"]
step, spikes = 0.1, session.insertions[-1].good_spikes
bwm.plots.style.need(spikes.times, "spikes of good units")
start = max(left["times"].iloc[0], trials["intervals_0"].iloc[0], spikes.times[0])
stop = min(left["times"].iloc[-1], trials["intervals_1"].iloc[-1], spikes.times[-1])
edges = np.arange(start, stop, step)
bins = np.c_[edges[:-1], edges[1:]]
paw = bwm.pose.mean_in_intervals(left["times"], bwm.pose.speed(left, "paw_r", "left"), bins)
paw = pd.Series(paw).interpolate(limit_direction="both").to_numpy()
rho = bwm.responses.circular_correlations(paw, bwm.spikes.counts_in_intervals(spikes, bins), step)
far = rho.loc[:, np.abs(rho.columns) > 20]
bwm.plots.style.need(far.columns, "shifts of more than 20 s")
p = far.abs().ge(rho[0.0].abs(), axis=0).mean(axis=1)
fig = bwm.plots.lags(rho, rho[0.0].abs().idxmax(), 20, p)

# %% [markdown] tags=["extra"]
# The sign of the best lag says which comes first, not which causes which; and both may follow a third.
#
# **Exercise 07.5, a hunt.** This script asks how many units correlate with the paw's speed at lag 0 in the null
# session, whose neurons know nothing. About 5 % should. Mend its null: how many units have p below .05?

# %% tags=["extra"]
counts = bwm.spikes.counts_in_intervals(session.null.insertions[-1].good_spikes, bins)
at_zero = bwm.responses.circular_correlations(paw, counts, step)[0.0]
shuffled = np.array([np.random.default_rng(i).permutation(paw) for i in range(60)])
by_chance = np.corrcoef(counts, shuffled)[: len(counts), len(counts) :]
print((np.mean(np.abs(by_chance) >= np.abs(at_zero.to_numpy())[:, None], axis=1) < 0.05).sum(), "of", len(counts))

# %% tags=["extra"]
answer = ...
check("07.5", answer)

# %% [markdown] tags=["extra"]
# ## Extra D · The same by other hands
#
# **With IBL's own tools** (ibllib, not installed with the lessons) you get the same licks, pupil and speed, but for the
# frames beside a dropped one. Ask for the cameras that there are: by default it wants all three, and reads DeepLabCut.
#
# ```python
# from brainbox.behavior import dlc as ibl_pose
# from brainbox.io.one import SessionLoader
#
# loader = SessionLoader(one=one, eid=session.eid)
# loader.load_pose(views=["left"], tracker="lightningPose", likelihood_thr=0.9)
# pose = loader.pose["leftCamera"]
# lick_times = ibl_pose.get_licks(pose, pose["times"].to_numpy())
# diameter = ibl_pose.get_pupil_diameter(pose)
# paw_speed = ibl_pose.get_speed(pose, pose["times"].to_numpy(), "left", "paw_r")
# ```

# %%
bwm.provenance(session)
bwm.progress()
bwm.save()
