# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 00 · Start here
#
# After this lesson you can
#
# - say what the Brain Wide Map is, and what one of its sessions holds;
# - open a session and read one trial: stimulus, wheel, licks and spikes on one clock;
# - compute and draw a psychometric curve, of a simulated mouse and of a real one;
# - tell left from right in the signs of this dataset, and seconds from milliseconds.

# %% [markdown]
# | | |
# |---|---|
# | You need | a little Python (there is a five-line test below); no neuroscience |
# | Time | 12 minutes to read, 8 to practise |
# | Data | the synthetic sample (60 MB, built on this computer) and a small real recording (2 MB, in the repository) |
# | Where you are | the first lesson of every path |

# %% [markdown] tags=["teacher"]
# **Teacher's notes.** 20 minutes: 5 for the numbers and the task, 7 for one trial, 8 for the curve.
# Ask before the second figure: "what would a mouse that ignores the screen look like here?"
# When late, leave out the blocks.
#
# Misconceptions, each recognised by an exercise:
#
# - A choice of +1 is a report of right.
# - Times are stored in milliseconds.
# - A trial starts with its stimulus.

# %% [markdown]
# > **Synthetic and real.** Unless a figure is stamped REAL, a program made its data, not a mouse. We know the answer
# > because we wrote it: good for learning, and worthless as evidence. A method that fails here should not be trusted on
# > real data; one that works here may still fail there.

# %% [markdown]
# The next cell says which recording the lesson runs on. Leave it for now. Later, put another source or session here and
# run the lesson again: nothing else needs to change.

# %% tags=["parameters"]
SOURCE = "sample"  # or "real", or the path of a folder of recordings
EID = None  # a session's id; None opens the source's main session

# %%
import bwm_tutorials as bwm

one = bwm.connect(SOURCE)
session = bwm.Session(EID, one)
bwm.plots.stamp(session)
check, hint, solution = bwm.exercises("00", session)
session

# %% [markdown]
# ## Can you read this Python?
#
# Say what each line prints, then run the cell.

# %% tags=["nbval-check-output"]
import numpy as np

times = np.array([0.5, 1.5, 4.0])
print(times[1:])
print(np.diff(times).max())
print(times[times > 1] * 1000)

# %% [markdown]
# If one surprised you, take an hour with the [Python tutorial](https://docs.python.org/3/tutorial/) and
# [NumPy for absolute beginners](https://numpy.org/doc/stable/user/absolute_beginners.html), and come back.

# %% [markdown]
# ## 1 · The Brain Wide Map
#
# Where in the brain is a decision made? Twelve laboratories of the International Brain Laboratory (IBL) trained mice in
# the same task, and recorded from nearly every part of the mouse brain with *Neuropixels* probes: needles thinner than
# a hair, with hundreds of electrodes along them. The result is public:
#
# | the release | |
# |---|---|
# | sessions (one mouse, one day) | 459 |
# | probe insertions | 699 |
# | mice | 139 |
# | units found by spike sorting | 621,733 |
# | of which pass quality control | 75,708 |
# | brain regions with enough units for the paper's analyses (as the release page counts them) | 241 |
#
# A *unit* is a cluster of spikes with the same shape: a putative neuron, and not always a single one. Numbers are those
# of the data release [1]; the map itself is in the paper [2].

# %% [markdown]
# ## 2 · The task
#
# The mouse sits in front of a screen with its front paws on a wheel.
#
# 1. It holds the wheel still for about half a second, the *quiescent period*.
# 2. A striped patch appears on the left or on the right, together with a tone, the *go cue*. Its *contrast* varies from
#    100 % (plain to see) to 0 % (nothing to see).
# 3. Turning the wheel moves the patch. When the patch reaches the centre, that is a correct choice: a drop of sugar
#    water. When it leaves by the other side, that is an error: noise, and a pause of two seconds.
#
# For the first 90 trials left and right are equally likely. Then the patch comes from one side in 80 % of trials, for a
# *block* of 20 to 100 trials, then from the other side, and so on. Nothing tells the mouse, but it can learn it.

# %% [markdown]
# What did this session record? A session is a folder of files; `available` lists what a session can have, and says what
# this one has and lacks. A *revision* is the date of a correction: more in lesson 01.

# %%
session.available

# %% [markdown]
# ## 3 · One trial
#
# **Predict.** Which comes first after the patch appears: (a) the wheel moves, (b) the mouse licks, (c) the reward?

# %% [markdown]
# The trials are a table with one row for each trial. Here are five of its columns.

# %%
trials = session.trials
trials[["stimOn_times", "contrastLeft", "contrastRight", "choice", "feedbackType"]].head()

# %% [markdown]
# A contrast is stored as a fraction. `NaN`, "not a number", stands on the side where nothing was shown, and wherever a
# time was not measured. We take a trial with a full-contrast patch on the right, which the mouse got right.

# %%
timed = trials.dropna(subset="stimOn_times")
easy = (timed["contrastRight"] == 1) & (timed["feedbackType"] == 1)
trial = timed[easy].iloc[5]

# %% [markdown]
# Then everything else that was recorded at that time. What a session lacks is said, and left out.

# %%
wheel = session.get("wheel")
licks = session.get("licks")
probes = session.get("insertions")
spikes = probes[0].good_spikes if probes else None
units = probes[0].clusters if probes else None

# %% tags=["picture"]
fig = bwm.plots.one_trial(trial, wheel, licks, spikes, units)

# %% [markdown]
# Each row is one recording, and all share one clock. Where there is a probe, each tick is one spike, drawn at its depth
# along the probe, measured from the tip. Brain regions have the short names of the Allen atlas: VIS begins the visual
# areas of the cortex, CA1 and DG belong to the hippocampus, LP and PO to the thalamus.
#
# **Modify.** Look at the trial before: `iloc[4]`. Then at one with the patch on the left. Which way does the wheel
# turn?

# %% [markdown]
# **Exercise 00.1.** How long after the stimulus appeared was feedback given in `trial`, in milliseconds? The columns
# that hold times end in `_times`. (`hint("00.1")` helps, `solution("00.1")` tells.)

# %%
answer = ...
check("00.1", answer)

# %% [markdown]
# ## 4 · A first psychometric curve
#
# A *psychometric curve* shows how often a choice is made, against the strength of the evidence for it. Evidence for
# *right* is the *signed contrast*: positive for a patch on the right, negative on the left, in percent.
#
# **Predict.** A mouse that sees well, but sometimes does not look: where does its curve lie at 100 % contrast?
# (a) at 1; (b) a little below 1; (c) at one half.

# %% tags=["nbval-check-output"]
curve = bwm.trials.psychometric(trials)
curve.round(2)

# %% [markdown]
# `p_right` is a fraction of trials; `low` and `high` are its 95 % confidence limits. Beside it we set a real mouse,
# SWC_054, on a day on which it did the same task and nothing was recorded from its brain.

# %%
real = bwm.Session(one=bwm.connect("real"))
real_curve = bwm.trials.psychometric(real.trials)
bwm.plots.stamp(session, real)
fig = bwm.plots.psychometric({session.name: curve, real.name: real_curve})

# %% [markdown]
# The lines are fits with four numbers: *bias* (where the curve crosses), *threshold* (how much contrast it takes), and
# two *lapse rates* (how far it stays from 0 and from 1 when the evidence is plain).
#
# **Modify.** Does the mouse use the blocks? Split the trials by the probability that the patch is on the left.

# %%
bwm.plots.stamp(session)
blocks = {p: trials[trials["probabilityLeft"] == p] for p in (0.2, 0.5, 0.8)}
curves = {f"P(left) = {p}": bwm.trials.psychometric(block) for p, block in blocks.items()}
fig = bwm.plots.psychometric(curves)

# %% [markdown]
# **Exercise 00.2.** How much more often did the mouse report right at +100 % than at −100 %? Give P(right) at +100 %
# minus P(right) at −100 %, as a fraction. First try it from `trials`, then compare with `curve`.

# %%
answer = ...
check("00.2", answer)

# %% [markdown]
# ## 5 · Signs, units, clocks
#
# Keep this card.
#
# | quantity | in the files | mind |
# |---|---|---|
# | `choice` | +1 left, −1 right, 0 none | the sign of the wheel's turn is the opposite |
# | wheel position | rad, rises counter-clockwise, which reports *right* | sampled only when the wheel moves |
# | signed contrast | percent, right positive | computed here, not stored |
# | `contrastLeft`, `contrastRight` | fraction, NaN on the other side | a 0 % trial keeps its side |
# | `feedbackType` | +1 reward, −1 error or no choice | |
# | `probabilityLeft` | .2, .5 or .8 | the block, not what the mouse believes |
# | all times | seconds on the session's clock | 0 is the start of the recording, not of the task |
# | `spikes.depths` | µm from the tip of the probe | not the depth in the brain |
# | `spikes.amps` | volts | |
# | `x`, `y`, `z` of units | m from bregma, a point on the skull: right, front, up | µm in the files |

# %% [markdown]
# ## Recap
#
# - A session is one mouse on one day; a trial is one row of its `trials` table; all times are seconds on one clock.
# - `choice` is +1 for left: the sign is not what you expect.
# - A psychometric curve gives bias, threshold and lapses.
# - A figure without REAL on it shows a simulation.

# %% [markdown]
# ## Exit ticket
#
# 1. `choice` is −1. Which way did the wheel turn?
# 2. `contrastLeft` is 0 and `contrastRight` is NaN. What was on the screen?
# 3. Why can a real mouse's curve stay below 1 at 100 % contrast?
#
# <details><summary>Answers</summary>
#
# 1. Counter-clockwise: its position rose, and the mouse reported right.
# 2. Nothing to see; the trial was assigned to the left, and a report of left was rewarded.
# 3. Lapses: it did not look, did not care, or followed the block instead of the patch.
#
# </details>

# %% [markdown]
# ## What is next
#
# Three paths lead on. Lessons appear in this folder as they are ready.
#
# - Student: 01 data structure → 03 task → 04 wheel → 05 spike sorting → 06 neural responses → 07 pose
# - Postdoc: 02 data download → 05 spike sorting → 06 neural responses → 09 the release and its history
# - Class: 03 task → 05 spike sorting → 06 neural responses
#
# ## References
#
# 1. International Brain Laboratory. *2025 Brain Wide Map* data release, as listed in the
#    [AWS open data registry](https://registry.opendata.aws/ibl-brain-wide-map/). CC BY 4.0.
# 2. International Brain Laboratory. A brain-wide map of neural activity during complex behaviour. *Nature* (2025).
#    [doi:10.1038/s41586-025-09235-0](https://doi.org/10.1038/s41586-025-09235-0)
# 3. International Brain Laboratory. Standardized and reproducible measurement of decision-making in mice. *eLife* 10,
#    e63711 (2021). [doi:10.7554/eLife.63711](https://doi.org/10.7554/eLife.63711)

# %%
bwm.provenance(session)
