# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 03 · The decision task
#
# After this lesson you can
#
# - read the trials table without the usual slips: sides, contrasts, choices, outcomes, blocks;
# - fit a psychometric curve, and say what its four numbers mean and which of them the data hold;
# - test whether a mouse uses the blocks, against the null that blocks need;
# - choose which trials to keep, and say what that costs.

# %% [markdown]
# | | |
# |---|---|
# | You need | [lesson 00](00_start_here.ipynb); [lesson 01](01_data_structure.ipynb) helps |
# | Time | 25 minutes to read, 20 to practise; the extras another 40 |
# | Data | the synthetic sample (300 MB, built on this computer) and a real mouse (2 MB, in the repository) |
# | Where you are | third on the student's path: 00 → 01 → **03** → 04 → 05; second of the class |
#
# Words in *italics* are in the [glossary](glossary.md).

# %% [markdown] tags=["teacher"]
# **Teacher's notes.** 45 minutes: 5 for the questions and the session, 10 for the table and its exercise, 10 for the
# curve and its handles, 15 for the blocks, 5 for the trials to keep. Let them fit by hand before they see the numbers
# of the fit. Before the scorecard ask: "what would a mouse that knows nothing of blocks, but tires of one side, look
# like here?" When late, leave out section 5.
#
# Misconceptions (wrong beliefs to listen for), each recognised by an exercise:
#
# - A trial of 0 % contrast has no side.
# - A trial that was not rewarded was a wrong report.
# - probabilityLeft is what the mouse believes.

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
check, hint, solution = bwm.exercises("03", session)
session

# %% [markdown]
# **Remember?** (1) Lesson 00: what is on the screen at 0 % contrast, and which report is rewarded? (2) Lesson 01: in
# which unit are contrasts stored?
#
# <details><summary>Answers</summary>(1) Nothing; a report of the side that the rig picked. (2) As fractions, NaN on the
# other side.</details>

# %% [markdown]
# ## 1 · The task as the mouse lives it
#
# A mouse knows no columns [1]. It holds the wheel still, hears a tone, sees a patch or nothing, turns, and drinks or
# hears noise; several hundred times in a session, for drops of a few microlitres. Two things change while it works. The
# likely side turns every 20 to 100 trials, and nobody tells. And the mouse changes: it is thirsty at first, and later
# it is not.
#
# **Predict.** Late in the session, are responses (a) faster, (b) slower, (c) as fast as before?

# %%
trials = session.trials
running = bwm.trials.performance(trials, bwm.trials.response_latency(trials))
fig = bwm.plots.session_course(trials, running)

# %% [markdown]
# In mice (b) is usual: they tire, or have drunk enough. Grey is where the rig mostly puts the patch, blue is what the
# mouse reported. That blue follows grey proves little: where most patches are on the right, a mouse that only looks
# reports right most often. The orange ticks (above: right, below: left) are better witnesses, because at 0 % there is
# nothing to look at. There are few of them.

# %% [markdown]
# ## 2 · The trials table
#
# One row a trial, one column for each thing measured. Here is what was shown, and what came of it.

# %%
shown = ["contrastLeft", "contrastRight", "probabilityLeft", "stimOn_times"]
trials[[*shown, "choice", "response_times", "feedbackType"]].head()

# %% [markdown]
# The stimulus is on the side whose contrast is not NaN. 0 is a contrast like any other: nothing is seen, but the side
# was drawn, with the probability of the block, and decides what is rewarded. `signed_contrast` forgets that side.

# %% tags=["nbval-check-output"]
side = bwm.trials.stimulus_side(trials)  # −1 left, +1 right
contrast = bwm.trials.signed_contrast(trials)  # percent, right positive
outcome = trials.groupby([side, trials["choice"]])["feedbackType"]
print(outcome.agg(["size", "min", "max"]).rename_axis(["side", "choice"]))

# %% [markdown]
# Read a row: side, choice, how many trials, and the lowest and highest outcome in them. A stimulus on the left (−1)
# with `choice` +1, a report of left, is always rewarded. A trial without a choice (0) is never: its `feedbackType` is
# −1, as after a wrong report. If you count errors by `feedbackType` alone, you count trials without a choice as well.
#
# **Exercise 03.1.** How many stimuli were on the left, those of 0 % contrast included? Count in `trials`.

# %%
answer = ...
check("03.1", answer)

# %% [markdown]
# ## 3 · A curve and its four numbers
#
# The psychometric curve gives P(report right) at each contrast. *Bias* is where it is halfway up: positive, if it takes
# evidence for the right, so that the mouse leans left. *Threshold* tilts it; the *lapse rates* lift its left end and
# lower its right one. The *likelihood* of a curve is the probability of all these
# choices if the curve were true; it is a tiny number, so one takes its logarithm. The best fit has the highest.
#
# **Predict.** Which of these three curves is the most likely: (a) left, (b) middle, (c) right?

# %%
curve = bwm.trials.psychometric(trials)
best = bwm.trials.fit_psychometric(curve)
hands = [
    {"bias": 0, "threshold": 50, "lapse_low": 0, "lapse_high": 0},
    {"bias": 0, "threshold": 10, "lapse_low": 0, "lapse_high": 0},
    {"bias": 0, "threshold": 10, "lapse_low": 0.1, "lapse_high": 0.1},
]
fig = bwm.plots.psychometric_by_hand(curve, hands, best)

# %% [markdown]
# (c), unless this mouse never lapses. Without lapse rates a mistake at 100 % contrast is next to impossible, so that a
# few make a steep curve the least likely.
#
# **Modify.** Move the sliders. How near to the best can you come? Then leave the best, one slider at a time: a value
# that costs less than 2 in log likelihood cannot be told from the best (the usual 95 % limit). So much one session
# leaves open.

# %%
bwm.widgets.psychometric(curve)

# %%
best.round(2)

# %% [markdown]
# ## 4 · Does the mouse know the block?
#
# **Predict.** If it does, in which of the four numbers do the curves of the two blocks differ most?

# %%
blocks = {"right block": 0.2, "left block": 0.8}
of_block = {name: trials[trials["probabilityLeft"] == p] for name, p in blocks.items()}
curves = {name: bwm.trials.psychometric(part) for name, part in of_block.items()}
fig = bwm.plots.psychometric(curves)

# %% [markdown]
# In the bias, if the mouse takes the block for a little evidence of its own. But a fit to a handful of trials puts the
# difference wherever there is room: look at the bars.
#
# **Exercise 03.2, a hunt.** This script
# counts the trials of both blocks, and loses one of them. Mend it. How many trials are in blocks of the right?

# %%
likely = 0.8
for p in (likely, 1 - likely):
    print(f"{p:.2f}", (trials["probabilityLeft"] == p).sum())

# %%
answer = ...
check("03.2", answer)

# %% [markdown]
# How much more often does the mouse report right in a block of the right? `block_shift` takes the difference at each
# contrast, and averages. Is it more than chance? A mouse can drift from side to side for reasons of its own. Blocks are
# slow too, and two slow things look alike by accident. Shuffled trials know nothing of that. The right null keeps the
# choices as they are, in their order, and asks how well they fit the blocks that the session *could have had*:
# *pseudosessions*, drawn by the rules of the task.

# %%
actual = trials["probabilityLeft"].to_numpy()
pseudo = bwm.blocks.pseudosessions(len(trials), n=1000, seed=1)
right = (trials["choice"] == -1).where(abs(trials["choice"]) == 1)


def shift(right, p_left, up_to):
    at = abs(contrast) <= up_to
    return bwm.blocks.block_shift(right[at], contrast[at], p_left[..., at])


print("at all contrasts:", shift(right, actual, up_to=100).round(2))
print("in pseudosessions:", shift(right, pseudo, up_to=100).round(2)[:10], "…")

# %% [markdown]
# In the simulated mouse the probability of each choice is known, `p_right`, because the choice was drawn from it. The
# same functions, given probabilities for choices, say what was put in. Its bias drifts, and the drift counts as put in,
# for or against the blocks. Of a real mouse nobody knows.

# %%
put_in = {}
p_right = session.truth.trials["p_right"]
put_in |= {up_to: shift(p_right, actual, up_to) for up_to in (100, 0)}
expected = curve.assign(p_right=p_right.groupby(contrast).mean())
put_in["threshold"] = bwm.trials.fit_psychometric(expected)["threshold"]

# %%
rows = {
    f"right, more in right blocks, {name} (fraction)": {
        "found": shift(right, actual, up_to),
        "put_in": put_in.get(up_to),
        "null": shift(right, pseudo, up_to),
    }
    for name, up_to in {"all contrasts": 100, "0 % alone": 0}.items()
}
threshold = {"found": best["threshold"], "put_in": put_in.get("threshold"), "published": "8 to 22 [4]"}
fig = bwm.plots.scorecard(rows | {"threshold (% contrast)": threshold})

# %% [markdown]
# With such a *scorecard* an inference ends in these lessons: what was found, what was put in, what the same analysis
# finds where there is nothing (the *null*), and what is known of real mice. All contrasts together tell more than 0 %
# alone, whose null is wide: few trials. To lie inside the null is not to have no effect: one session may be too short
# to tell, and a drift can hide it. In 53 mice, 90 % of thresholds lie between 8 and 22 % [4]. As for the blocks, real
# mice are rewarded in 58.7 % of trials of 0 % contrast [2]; a mouse that ignores the blocks would be in half.

# %% [markdown]
# ## 5 · Which trials to keep
#
# The Brain Wide Map's analyses leave out trials in which a time or the choice is not known, and those whose first
# movement begins less than .08 s after the stimulus (it cannot be an answer yet) or more than 2 s after it.

# %%
rules = bwm.trials.bwm_rules(trials)
print((~rules).sum().rename("trials that break the rule"))
breaks = (~rules)[["early", "late"]].assign(kept=bwm.trials.bwm_mask(trials))
print(breaks.groupby(abs(contrast)).mean().round(2).rename_axis("contrast (%)"))

# %% [markdown]
# Read the columns downwards. Late trials are mostly of weak contrasts, in which belief matters most, and of a tired
# mouse. Early ones may have another pattern. What goes is no random sample of what was: say in your paper how many
# trials you kept, and of which kind.
#
# **Exercise 03.3.** Count by hand, from the columns and not with `bwm_mask`: in how many trials does the first movement
# begin .08 to 2 s after the stimulus?

# %%
answer = ...
check("03.3", answer)

# %% [markdown]
# ## 6 · A real mouse
#
# The same functions on a mouse of the IBL, on a day of training with blocks (`data/NOTICE`).

# %%
real = bwm.Session(one=bwm.connect("real"))
bwm.plots.stamp(real)
of_day = {name: real.trials[real.trials["probabilityLeft"] == p] for name, p in blocks.items()}
fig = bwm.plots.psychometric({name: bwm.trials.psychometric(part) for name, part in of_day.items()})
bwm.plots.stamp(session)

# %% [markdown]
# **Modify.** Compute `block_shift` and its null for `real`. Does the shift lie outside?
#
# <details><summary>What we saw</summary>
#
# It does. The day has many trials, so its null is narrow.
#
# </details>
#
# Then open a bad day: give `bwm.Session` the eid of 2020-09-02, from
# `bwm.connect("real").search(date_range="2020-09-02")`.
#
# ## Recap
#
# - The side of a stimulus is the column that is not NaN; 0 % has a side.
# - Not rewarded is not the same as wrong: look at `choice`.
# - A fit has more digits than the data: see what the likelihood leaves open.
# - Blocks are slow. Their null is the sessions that could have been.
# - A rule that removes trials removes some kinds more than others.
#
# ## Exit ticket
#
# 1. `contrastLeft` is NaN, `contrastRight` is 0, `choice` is 1, `feedbackType` is −1. What happened?
# 2. In a session, P(right) at 0 % is .6 in right blocks and .4 in left ones. Why is this no proof yet?
# 3. What does the rule of section 5 do to the mean latency, and what to the median?
#
# <details><summary>Answers</summary>
#
# 1. Nothing was seen, the right was picked, the mouse reported left, and was not rewarded.
# 2. There are few such trials, and a slow drift of the mouse can give as much: compare with pseudosessions.
# 3. The mean falls, for the slowest trials go. Early ones go as well, so the median can move either way.
#
# </details>
#
# ## What is next
#
# [Lesson 04](04_wheel_and_reaction_times.ipynb): the wheel, and how soon it moves. Before you leave, save the notebook
# (Ctrl+S) and run the last cell: it packs your work.
#
# ## References
#
# 1. International Brain Laboratory, [Standardized and reproducible measurement of decision-making in
#    mice](https://doi.org/10.7554/eLife.63711). *eLife* (2021).
# 2. International Brain Laboratory, [A brain-wide map of neural activity during complex
#    behaviour](https://doi.org/10.1038/s41586-025-09235-0). *Nature* (2025), figure 1.
# 3. Findling et al., [Brain-wide representations of prior information in mouse
#    decision-making](https://doi.org/10.1038/s41586-025-09226-1). *Nature* (2025).
# 4. International Brain Laboratory, [analysis code of reference 1](https://github.com/int-brain-lab/analysis): fits of
#    53 mice, 5th to 95th percentile.
# 5. Harris, [Nonsense correlations in neuroscience](https://doi.org/10.1101/2020.11.29.402719). *bioRxiv* (2020).

# %% [markdown] tags=["extra"]
# ---
# # Extras
#
# ## Extra A · What could the mouse know?
#
# `probabilityLeft` is the rule of the rig. A mouse has only the sides it has seen. The best it could do with them is
# computed by an observer who knows the rules: how long blocks are, and that they alternate [3]. A simpler way to learn
# is a *kernel*: after each trial move the estimate a part of the way towards the side just seen.

# %% tags=["extra"]
observer = bwm.priors.bayes_optimal_p_left(side)
learned = bwm.priors.fit_kernel(trials, side)
kernel = bwm.priors.kernel_p_left(side, learned["learning_rate"])
estimates = {"best observer": observer, "kernel, fitted to the choices": kernel}
estimates["the mouse (put in)"] = session.truth.trials["belief"].to_numpy()

# %% tags=["extra"]
fig = bwm.plots.beliefs(actual, estimates)

# %% [markdown] tags=["extra"]
# **Exercise 03.4.** In how many trials of left blocks (`probabilityLeft` 0.8) does the best observer expect the right,
# that is, is its estimate of the left below one half?

# %% tags=["extra"]
answer = ...
check("03.4", answer)

# %% [markdown] tags=["extra"]
# ## Extra B · What does it learn from?
#
# A mouse may learn from the sides of the stimuli, or from its own choices. The two are alike, since most choices are
# right. Fit both kernels, and compare likelihoods. Real mice follow their own choices rather [3]; the simulated one
# learns from the stimuli, so here is a point in which it is not like them.
#
# **Predict.** Its bias drifts as well. Which of the two memories gains from that?

# %% tags=["extra"]
chosen = bwm.trials.chosen_side(trials)
fits = {name: bwm.priors.fit_kernel(trials, past) for name, past in (("stimuli", side), ("choices", chosen))}
pd.DataFrame(fits).round(2)

# %% [markdown] tags=["extra"]
# <details><summary>After you have run it</summary>
#
# That of choices. A drift makes each choice like the last ones, so they foretell it, though nothing is learned from
# them. Where the likelihoods differ by less than 2, take neither side.
#
# </details>
#
# How much likelier does the memory of sides make the choices than the curve alone? Part of that needs no memory of
# single trials, only of the block. Hence the null: the sides stay in their blocks, but in another order. What was put
# in is more than any kernel can find, for it knows where the bias stood, and in which trials the mouse was not engaged.

# %% tags=["extra"]
orders = bwm.blocks.shuffled_within_blocks(actual, n=20, seed=1)
shuffled = [bwm.priors.fit_kernel(trials, side[order])["log_likelihood"] for order in orders]
gained = {"found": learned["log_likelihood"] - best["log_likelihood"]}
gained["null"] = np.array(shuffled) - best["log_likelihood"]
rate = {"found": learned["learning_rate"], "published": ".05 to .38 [3]"}

# %% tags=["extra"]
belief = session.truth.trials["belief"].to_numpy()
p_made = np.where(right, p_right, 1 - p_right)[right.notna()]
gained["put_in"] = np.log(p_made).sum() - best["log_likelihood"]
rate["put_in"] = (np.diff(belief) / ((side[:-1] < 0) - belief[:-1])).mean()

# %% tags=["extra"]
fig = bwm.plots.scorecard({"log likelihood gained": gained, "learning rate": rate})

# %% [markdown] tags=["extra"]
# **Exercise 03.5, a hunt.** This script wants to know how much a running average of the sides foretells the next one:
# the average before stimuli on the left, minus that before stimuli on the right. The number is too good. Mend it.

# %% tags=["extra"]
left = pd.Series(side < 0)
estimate = left.ewm(alpha=0.2, adjust=False).mean()
print(round(estimate[left].mean() - estimate[~left].mean(), 4))

# %% tags=["extra"]
answer = ...
check("03.5", answer)

# %% [markdown] tags=["extra"]
# ## Extra C · A mouse learning
#
# Five days of training of a real mouse, before it ever met a block.

# %% tags=["extra"]
source = bwm.connect("real")
eids = source.search(subject="SWC_054")
days = sorted((bwm.Session(eid, source) for eid in eids), key=lambda day: day.name)
bwm.plots.stamp(*days[:5])
fig = bwm.plots.learning({day.name[-5:]: bwm.trials.psychometric(day.trials) for day in days[:5]})

# %% [markdown] tags=["extra"]
# ## Extra D · One mouse against many
#
# The grey bands hold 90 % of 53 trained mice [4]. Points are this session and the six days of the real mouse with
# blocks, of which the last three are bad: such days are in your data too.

# %% tags=["extra"]
shown = [session, *days[5:]]
fitted = [bwm.trials.fit_psychometric(bwm.trials.psychometric(each.trials)) for each in shown]
ranges = {"bias": (-4.5, 5.0), "threshold": (8.0, 22.1), "lapse_low": (0.005, 0.19), "lapse_high": (0.008, 0.19)}
bwm.plots.stamp(*shown)
fig = bwm.plots.among_mice(pd.DataFrame(fitted, index=[each.label for each in shown]), ranges)
bwm.plots.stamp(session)

# %% [markdown] tags=["extra"]
# **Exercise 03.6.** Over the release, 81.9 % of trials are right [2]. In how many trials of `trials` did the mouse
# report the wrong side?

# %% tags=["extra"]
answer = ...
check("03.6", answer)

# %% [markdown] tags=["extra"]
# **With IBL's own tools.** brainbox, a part of ibllib, which is not installed with the lessons, gives the same table
# and fits one curve a block:
#
# ```python
# from brainbox.behavior.training import compute_psychometric, get_signed_contrast
# from brainbox.io.one import SessionLoader
#
# loader = SessionLoader(one=one, eid=session.eid)
# loader.load_trials()
# signed = get_signed_contrast(loader.trials)  # percent, right positive
# fits = {p: compute_psychometric(loader.trials, block=p) for p in (0.2, 0.5, 0.8)}
# ```

# %%
bwm.provenance(session)
bwm.progress()
bwm.save()
