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
# - tell left from right, and seconds from milliseconds, in this dataset.

# %% [markdown]
# | | |
# |---|---|
# | You need | a little Python (there is a test below); no neuroscience |
# | Time | 12 minutes to read, 8 to practise |
# | Data | the synthetic sample (300 MB, built on this computer) and a small real recording (2 MB, in the repository) |
# | Where you are | the first lesson of every path |

# %% [markdown] tags=["teacher"]
# **Teacher's notes.** 20 minutes: 5 for the numbers and the task, 7 for one trial with its exercise, 8 for the curve
# with its exercise. Ask before the second figure: "what would a mouse that ignores the screen look like here?" When
# late, leave out the blocks and the card.
#
# Misconceptions (wrong beliefs to listen for), each recognised by an exercise:
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
# run it again. The cell after it opens the session. With `keep_going`, a cell that lacks what it needs says so, and the
# lesson goes on. `stamp` signs the figures; `check`, `hint` and `solution` belong to the exercises.

# %% tags=["parameters"]
SOURCE = "sample"  # or "real", or the path of a folder of recordings
EID = None  # a session's id; None opens the source's main session

# %%
import bwm_tutorials as bwm

bwm.restore()
bwm.keep_going()
one = bwm.connect(SOURCE)
session = bwm.Session(EID, one)
bwm.plots.stamp(session)
check, hint, solution = bwm.exercises("00", session)
session

# %% [markdown]
# ## Can you read this Python?
#
# What does each line print?

# %% tags=["nbval-check-output"]
import pandas as pd

table = pd.DataFrame({"seconds": [0.5, 1.5, 4.0], "right": [True, False, True]})
print(len(table))
print(table["right"].mean().round(3))
print(table[table["right"]]["seconds"].max() * 1000)

# %% [markdown]
# If one surprised you, spend an hour with the [Python tutorial](https://docs.python.org/3/tutorial/) and
# [10 minutes to pandas](https://pandas.pydata.org/docs/user_guide/10min.html).

# %% [markdown]
# ## 1 · The Brain Wide Map
#
# Where in the brain is a decision made? Twelve laboratories of the International Brain Laboratory (IBL) trained mice in
# the same task, and recorded from nearly every part of the mouse brain with *Neuropixels* probes: needles thinner than
# a hair, with hundreds of electrodes along them. A neuron signals with brief pulses of voltage, *spikes*; *spike
# sorting* groups the recorded spikes by their shape and place into *units*. A unit is a putative neuron, and not always
# a single one. The result is public [1, 2]:
#
# | the release | |
# |---|---|
# | sessions (one mouse, one day) | 459 |
# | probe insertions (one probe, lowered into the brain once) | 699 |
# | mice | 139 |
# | units | 621,733 |
# | of which look like single, completely recorded neurons (*good* units) | 75,708 |
# | brain regions with enough units for analysis, as the release page counts them | 241 |

# %% [markdown]
# ## 2 · The task
#
# The mouse sits in front of a screen with its front paws on a wheel [3].
#
# 1. It holds the wheel still for about half a second, the *quiescent period*.
# 2. A striped patch appears on the left or on the right, together with a tone, the *go cue*. Its *contrast* varies from
#    100 % (plain to see) to 0 % (nothing to see).
# 3. Turning the wheel moves the patch. To *report right* is to bring a patch from the right to the centre; the wheel's
#    turn that does so is called counter-clockwise. A correct report earns a drop of sugar water. A wrong one earns
#    noise and a pause of two seconds. After 60 s without a report the trial ends, with noise too.
#
# At 0 % contrast the rig still picks a side and rewards a report of it. For the first 90 trials both sides are equally
# likely. Then the patch comes from one side in 80 % of trials, for a *block* of 20 to 100 trials, then from the other
# side, and so on [2]. Nothing tells the mouse, but it can learn it.

# %% [markdown]
# A session is a folder of files; `available` lists what a session can have, and says what this one has and lacks. Today
# we use trials, wheel, licks (video frames with a moving tongue) and the insertion. A *revision* is the date of a
# correction.

# %%
session.available

# %% [markdown]
# ## 3 · One trial
#
# **Predict.** Which comes first after the patch appears: (a) the wheel moves, (b) the mouse licks, (c) the reward?
#
# The trials are a table with one row for each trial. Here are five of its columns.

# %%
trials = session.trials
trials[["stimOn_times", "contrastLeft", "contrastRight", "choice", "feedbackType"]].head()

# %% [markdown]
# A contrast is stored as a fraction. `NaN`, "not a number", stands on the side where nothing was shown, and wherever a
# time was not measured. `feedbackType` is 1 for a reward and −1 for none. `choice` is the number to beware of: **+1 is
# a report of left, −1 a report of right**, 0 no report.
#
# We take the first trial with a full-contrast patch on the right that the mouse got right within a second.

# %%
easy = trials.query("contrastRight == 1 and feedbackType == 1 and response_times - stimOn_times < 1")
bwm.plots.style.need(easy, "such trials")  # or the cell ends here, and says so
trial = easy.iloc[0]
trial.filter(like="_times")

# %% [markdown]
# What else was recorded: the wheel, the licks, and the spikes of the good units.

# %%
wheel = session.get("wheel")  # or None, where there is none, and a sentence
licks = session.get("licks")
spikes = session.get(lambda session: session.insertions[0].good_spikes)
units = session.get(lambda session: session.insertions[0].clusters)

# %% tags=["picture"]
fig = bwm.plots.one_trial(trial, wheel, licks, spikes, units)

# %% [markdown]
# Each panel is one recording, and all share one clock. Dotted lines mark how far the wheel has to turn. At the bottom
# each tick is one spike, drawn at its depth along the probe, measured from the tip; beside it stand the short names of
# brain regions in the Allen atlas. Usually the wheel moves first, then comes the reward, then the licks.
#
# **Exercise 00.1.** How long after the stimulus appeared was feedback given in `trial`, in milliseconds?
# (`hint("00.1")` helps, `solution("00.1")` tells.)

# %%
answer = ...
check("00.1", answer)

# %% [markdown]
# **Modify.** Draw another trial: put `easy.iloc[1]` in place of `trial` in the cell of the figure. Then one with the
# patch on the left. Which way does the wheel turn?

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
# `p_right` is a fraction of trials; `low` and `high` are its 95 % confidence limits, the bars of the figure. Beside it
# we set a real mouse of the IBL, on a day of training with the same rules, which is not in the release (`data/NOTICE`).

# %%
real = bwm.Session(one=bwm.connect("real"))
real_curve = bwm.trials.psychometric(real.trials)
bwm.plots.stamp(session, real)
fig = bwm.plots.psychometric({session.label: curve, real.label: real_curve})
bwm.plots.stamp(session)

# %% [markdown]
# (b): a mouse need not be perfect. The lines are fits with four numbers. *Bias* is the
# contrast at which the curve is halfway up; *threshold* how much more contrast takes it most of the way (92 %), so
# small is steep; the two *lapse rates* are how far it stays from 0 and from 1 when the evidence is plain.

# %%
bwm.trials.fit_psychometric(curve).round(2)

# %% [markdown]
# **Exercise 00.2.** How much more often did the mouse report right at +100 % than at −100 %? Give P(right) at +100 %
# minus P(right) at −100 %, as a fraction. Take it from `curve`, or count in `trials`.

# %%
answer = ...
check("00.2", answer)

# %% [markdown]
# **Predict.** If the mouse has learned the blocks, is its curve in a block of the right side (a) higher, (b) lower or
# (c) the same as in a block of the left side?

# %%
blocks = {"right block": 0.2, "no block": 0.5, "left block": 0.8}
of_block = {name: trials[trials["probabilityLeft"] == p] for name, p in blocks.items()}
curves = {name: bwm.trials.psychometric(part) for name, part in of_block.items()}
fig = bwm.plots.psychometric(curves)

# %% [markdown]
# If it has: (a), most of all near 0 %, where the patch tells little. Mind the bars: few trials at each contrast.
# **Modify.** Do the same with `real.trials`.

# %% [markdown]
# ## 5 · Signs, units, clocks
#
# | quantity | value and unit | mind |
# |---|---|---|
# | `choice` | +1 left, −1 right, 0 none | the sign of the wheel's turn is the opposite |
# | wheel position | rad, rises counter-clockwise, which reports *right* | sampled only when the wheel moves |
# | signed contrast | percent, right positive | computed, not stored |
# | `contrastLeft`, `contrastRight` | fraction, NaN on the other side | a 0 % trial keeps its side |
# | `probabilityLeft` | .2, .5 or .8 | the block, not what the mouse believes |
# | all times | seconds, on one clock | 0 is the start of the recording |
# | `spikes.depths` | µm from the tip of the probe | not the depth in the brain |
# | `x`, `y`, `z` of units | m from bregma, a point on the skull: right, front, up | the files hold µm |

# %% [markdown]
# ## Recap
#
# - A session is one mouse on one day; a trial is one row of its table; all times are seconds on one clock.
# - `choice` is +1 for left.
# - A psychometric curve has a bias, a threshold and two lapse rates.
# - Read the stamp: REAL was recorded, synthetic was computed.

# %% [markdown]
# ## Exit ticket
#
# 1. `choice` is −1. Which way did the wheel turn?
# 2. `contrastLeft` is 0 and `contrastRight` is NaN. What was on the screen?
# 3. Why can a curve stay below 1 at 100 % contrast?
#
# <details><summary>Answers</summary>
#
# 1. Counter-clockwise: its position rose, and the mouse reported right.
# 2. Nothing to see; the trial was assigned to the left, and a report of left was rewarded.
# 3. Lapses: it did not look, or guessed.
#
# </details>

# %% [markdown]
# ## What is next
#
# Save the notebook (Ctrl+S) and run the last cell: it packs your work, and `bwm.restore()` brings it back. Three paths
# lead on:
#
# - Student: 01 data structure → 03 task → 04 wheel → 05 spike sorting → 06 neural responses → 07 pose
# - Postdoc: 02 download → 05 → 06 → 09 the release and its history
# - Class: 03 → 05 → 06
#
# ## References
#
# 1. International Brain Laboratory, data release *2025 Brain Wide Map*, listed in the
#    [AWS open data registry](https://registry.opendata.aws/ibl-brain-wide-map/). CC BY 4.0.
# 2. International Brain Laboratory, [A brain-wide map of neural activity during complex
#    behaviour](https://doi.org/10.1038/s41586-025-09235-0). *Nature* (2025).
# 3. International Brain Laboratory, [Standardized and reproducible measurement of decision-making in
#    mice](https://doi.org/10.7554/eLife.63711). *eLife* (2021).

# %%
bwm.provenance(session)
bwm.progress()
bwm.save()
