# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 10 · Your question
#
# After this lesson you can
#
# - write down a question, and what you expect, before you look;
# - put an analysis into one function of a session, and run it on the sample, on a null session and on real recordings;
# - choose trials, units and a null that fit the question, and name what they leave open;
# - hand on a table and a figure that say what they are of.

# %% [markdown]
# | | |
# |---|---|
# | You need | lessons [03](03_decision_task.ipynb), [05](05_spike_sorting.ipynb), [06](06_neural_responses.ipynb) |
# | Time | 20 minutes to read, 25 to practise; then as long as you like |
# | Data | the synthetic sample (300 MB, built on this computer) |
# | Where you are | last on every path: from here on the questions are yours |

# %% [markdown] tags=["teacher"]
# **Teacher's notes.** 45 minutes: 10 until everyone has written down what they expect, 10 for the function, read aloud,
# 10 for the null session with its exercise, 10 for the hunt and the scorecard, 5 for the sentence. Collect the
# predictions on the board before anyone runs section 3. In a double lesson pairs then choose another variable, write
# their sentence, and swap notebooks: the other pair looks for what the sentence does not follow from. When late, leave
# out the hunt.
#
# Misconceptions (wrong beliefs to listen for), each recognised by an exercise:
#
# - Where there is nothing, no p lies below .05.
# - The window that shows most is the one to report.
# - A test that finds no more than chance in a null session is right.

# %% [markdown]
# This notebook is a small analysis from question to table. Go through it once as it stands. Then make it yours: change
# the cell of section 1, run all cells again, and rewrite the prose. With the id of a real insertion in `PID` the rest
# stays as it is.

# %% tags=["parameters"]
SOURCE = "sample"  # or "aws", "openalyx", a folder of recordings; "real" is trials alone: this lesson can only say so
EID = None  # a session's id; None opens the source's main session
PID = None  # a probe insertion's id, in place of EID: that probe alone

# %%
import bwm_tutorials as bwm
import pandas as pd

bwm.keep_going()  # a cell that needs what this recording lacks says so, and the lesson goes on
one = bwm.connect(SOURCE)
probe = bwm.Insertion(PID, one) if PID else None
session = probe.session if probe else bwm.Session(EID, one)
bwm.plots.stamp(session)
check, hint, solution = bwm.exercises("10", session)
session

# %% [markdown]
# **Remember?** (1) Lesson 03: which trials do the analyses of the Brain Wide Map keep? (2) Lesson 06: when must trials
# not be shuffled?
#
# <details><summary>Answers</summary>(1) Those with all events known, whose first movement comes .08 to 2 s after the
# stimulus. (2) When the variable is slow or comes in blocks: rates are slow, too.</details>

# %% [markdown]
# ## 1 · A question, and what you expect
#
# A question names four things: *what* is to be told apart, *when*, relative to which event, and *where*. Ours: do units
# fire differently before a left and a right choice, from 100 ms before the wheel moves until 50 ms after?
#
# **Predict**, in `PREDICTED`: the share of units that do, corrected for their number. A prediction made after the
# figure is a description. The table below the cell is the other half of the plan: what else happens in the window, in
# the trials compared, that a unit may follow in place of what you ask.

# %% tags=["nbval-check-output"]
VARIABLE = "choice"  # or "stimulus side", "feedback", "block"
EVENT = "firstMovement_times"  # or "stimOn_times", "goCue_times", "feedback_times"
WINDOW = (-0.1, 0.05)  # s from the event
REGION = "all"  # every region; or an acronym at any level of the Allen atlas, as "TH", "CA1", "VISa5"
PREDICTED = 0.2  # a fraction of the units
bwm.questions.also_in_window(session.trials, VARIABLE, EVENT, WINDOW)

# %% [markdown]
# In each trial of ours the wheel begins to move within the window: a unit that follows the movement is not told from
# one that follows the choice. That will stand in the answer.
#
# | to tell apart | trials compared are alike in | null | beware of |
# |---|---|---|---|
# | choice | stimulus side, block | choices shuffled among them | the movement, slow bias; contrast, outcome, latency |
# | stimulus side | choice, block | sides shuffled among them | the movement, once it has begun |
# | feedback | choice, block | outcomes shuffled among them | licks; side and contrast, reaction time |
# | block, `probabilityLeft` .2 or .8 | – | *pseudosessions* | stimuli in the window: their side comes with the block |
#
# Given the choice, the outcome *is* the side of the stimulus, which stays on the screen after the feedback: this design
# cannot tell them apart.
#
# ## 2 · The analysis, in one function
#
# A function that takes a session, and nothing else that depends on the session, runs on any other. Read it aloud:
#
# 1. *Units to keep*: the good ones of the region. Where there are none, a sentence lists the regions that have some.
# 2. *Trials to keep*: those of the Brain Wide Map. The others get no event, and are not counted.
# 3. *Counts* in the window, the units of all probes in one table, so that they are corrected together.
# 4. *The test*: condition-combined Mann–Whitney, with the null of the table above. `auc` is the probability that a
#    trial of one kind has more spikes than one of the other; .5 is no difference.
#
# A *naive* test, which takes all trials together, is there to be caught.


# %%
def count(session, window):
    units = session.good_units(REGION, probe.name if probe else None)
    around = bwm.spikes.around(bwm.questions.kept_events(session.trials, EVENT), window)
    counts = {
        each.name: bwm.spikes.counts_in_intervals(each.good_spikes, around, units.loc[each.name].index)
        for each in session.insertions
        if each.name in units.index
    }
    return pd.concat(counts, names=["probe"])


def analysis(session):
    asked = bwm.questions.variable(session.trials, VARIABLE)
    return bwm.responses.selectivity(count(session, WINDOW), asked.values, asked.condition, asked.null)


def naive(session):
    values = bwm.questions.variable(session.trials, VARIABLE).values
    return bwm.responses.selectivity(count(session, WINDOW), values, null=bwm.questions.N_NULL)


# %% [markdown]
# ## 3 · Run it
#
# Left: an example, *chosen* because it tells most: it proves nothing. Its rates are averages over all trials of a
# kind, whatever else differs. Middle: every unit. Right: where they are.


# %%
def example(table):
    name, unit = (table["auc"] - 0.5).abs().idxmax()
    chosen = next(each for each in session.insertions if each.name == name)
    events = bwm.questions.kept_events(session.trials, EVENT)
    values = bwm.questions.variable(session.trials, VARIABLE).values
    return bwm.spikes.peth(chosen.good_spikes, events, (-0.4, 0.6), 0.02, [unit], values), name, unit


truth = session.get("truth")
knows = bwm.questions.put_in(truth.units, VARIABLE) if truth else None
acronym = session.good_units()["acronym"]
table = analysis(session)
figure = bwm.plots.answer("Ours", table, acronym, knows, example(table))

# %% [markdown]
# Compare with what you predicted. "Put in" is known of a simulation alone, and counts units that know the variable at
# any time, in your window or not.
#
# ## 4 · Where there is nothing
#
# The *null session* is the twin of this one: the same mouse, the same trials, and neurons that know nothing. A real
# session has no twin.
#
# **Predict.** Where will you catch the naive test: (a) in this session, (b) in its null twin, (c) in both?

# %%
fig = bwm.plots.answer("Naive", naive(session), acronym, knows)

# %%
null = session.null
nothing = analysis(null)
fig = bwm.plots.p_values({"naive": naive(null), "ours": nothing}, "the null session")

# %% [markdown]
# There are two ways to be wrong. A unit that drifts may agree with a slow variable by accident, also where nothing is
# known. Choices are a little slow: they follow the blocks, and a bias that drifts. So over many null sessions the naive
# test finds somewhat more than chance gives; one session hardly shows it. A unit that knows something else, which goes
# along with the variable, is no accident, and a null session cannot show it: the filled orange diamonds above. So (a).
#
# **Exercise 10.1.** How many units of the null session have p below .05 by `analysis`, not corrected? (The checks of
# this lesson hold for the question as it came.)

# %%
answer = ...
check("10.1", answer)

# %% [markdown]
# Even twice 5 % would be chance: units of a session share its trials (the grey bar of section 5).
#
# **Exercise 10.2, a hunt.** This script looks for the best window, unit by unit, and flags far too many where there is
# nothing. Mend it. How many are left?

# %%
windows = [(-0.4, -0.3), (-0.3, -0.2), (-0.2, -0.1), (-0.1, 0.0), (0.0, 0.1), (0.1, 0.2)]
asked = bwm.questions.variable(null.trials, VARIABLE)
tried = [bwm.responses.selectivity(count(null, window), *asked)["p"] for window in windows]
best = pd.concat(tried, axis=1).min(axis=1)
print((best < 0.05).sum(), "of", len(best))

# %%
answer = ...
check("10.2", answer)

# %% [markdown]
# What is left is nearer to 5 %. Whoever looks first has tried more windows than are reported: hence the
# prediction of section 1.
#
# ## 5 · What was found
#
# The null here is this session's own, and real recordings have it, too:
#
# 1. Draw 10,000 sequences that the variable could have had.
# 2. Put each in the variable's place, and test it against the others.
# 3. Note the share of units that it flags. 95 % of these shares make the grey bar.

# %%
asked = bwm.questions.variable(session.trials, VARIABLE)
chance = bwm.responses.null_detection_rate(count(session, WINDOW), *asked)
known = knows.reindex(table.index).mean() if truth else None
published = {"stimulus side": ".004 [1]", "choice": ".044 [1]", "feedback": ".166 [1]", "block": ".053 [2]"}
names = {"p": "units with p < .05 (fraction)", "p_adjusted": f"corrected (predicted: {PREDICTED:g})"}
rows = {}
for column, label in names.items():
    rows[label] = {"found": (table[column] < 0.05).mean(), "put_in": known, "null": chance[column]}
rows[label]["published"] = published[VARIABLE]
score = bwm.plots.scorecard(rows)

# %% [markdown]
# The published share is of the whole brain, another window and another test [1, 2]; the sample's is made far larger, to
# teach with a hundred units. A fair test misses many: trials of equal side and block with the other choice are few.
#
# **Exercise 10.3.** k of n units were significant, corrected. Which sentence may stand in the abstract?
#
# - (a) k of n units encode the choice; the same test finds about as many as chance gives in a null session.
# - (b) In the regions that we recorded, k / n of the neurons carry the choice, and the others do not.
# - (c) In one session, k of n good units fired differently about the movement before left and right choices, among
#   trials of equal stimulus side and block; the movement was not held equal.

# %%
answer = ...
check("10.3", answer)

# %% [markdown]
# ## 6 · Hand it on
#
# Name a folder, and the table (CSV) and the figure (PNG, PDF) are written there, under SYNTHETIC or REAL, with what
# made them: session, insertions, revisions, versions, question, test. Nothing is overwritten. `pd.read_csv(file,
# comment="#", index_col=[0, 1])` reads the table again.

# %%
FOLDER = None  # for example "results", beside this notebook
question = {"source": SOURCE, "pid": PID, "variable": VARIABLE, "event": EVENT, "window": WINDOW, "region": REGION}
if FOLDER:
    table[["acronym", "depths"]] = session.good_units()[["acronym", "depths"]]
    bwm.export(FOLDER, table, figure, session, question | {"predicted": PREDICTED})

# %% [markdown]
# ## Recap
#
# - Question, prediction, trials, units, window, test and null first; then the figure.
# - One function of a session: it runs on the sample, on nothing, and on real recordings.
# - A null session shows what a test finds in nothing, not what it takes for something else.
# - The sentence at the end says one session, how many units, what was held equal, and what was not.
#
# ## Exit ticket
#
# 1. You ask for the block, in a window from 0 to .3 s after the stimulus. What is wrong with it?
# 2. No unit of yours is significant. What do you write?
# 3. Why is the correction over the units of both probes together?
#
# <details><summary>Answers</summary>
#
# 1. Stimuli of a block come mostly from one side: a unit that sees will seem to know the block. End it before them.
# 2. How many units and trials, how large an effect they could have shown, and not "there is none".
# 3. All of them are tests of the one question, and each is a chance to be wrong.
#
# </details>
#
# ## What is next
#
# **Your own.** Change section 1 and run all cells. Take a region; then a real insertion: search for one in
# [lesson 02](02_data_download.ipynb), write its id into `PID` and "aws" into `SOURCE`.
#
# **Audit it.** `audit` gives a function to twenty other samples and their null twins, and says how many units it finds,
# and how many it should not have. The first call builds them: a minute, and 375 MB. `REGION` must be "all" and `PID`
# None; `effect` follows `VARIABLE`. Do it with `naive`, too.
#
# ```python
# def p_values(session):
#     return analysis(session)["p"].droplevel("probe")  # the samples of an audit have one probe
#
#
# result = bwm.audit(p_values, effect=VARIABLE.split()[0])  # "stimulus" for its side
# bwm.plots.audit(result)
# ```
#
# **More sessions.** A session counts as one, however many units it has. Loop over sessions as in lesson 02, with
# `analysis` in the middle, and test over sessions or mice.
#
# ## References
#
# 1. International Brain Laboratory, [A brain-wide map of neural activity during complex
#    behaviour](https://doi.org/10.1038/s41586-025-09235-0). *Nature* (2025).
# 2. Its [preprint](https://doi.org/10.1101/2023.07.04.547681). *bioRxiv* (2023).
# 3. Steinmetz et al., [Distributed coding of choice, action and engagement across the mouse
#    brain](https://doi.org/10.1038/s41586-019-1787-x). *Nature* (2019): the condition-combined test.
# 4. Harris, [Nonsense correlations in neuroscience](https://doi.org/10.1101/2020.11.29.402719). *bioRxiv* (2020):
#    pseudosessions.

# %%
bwm.provenance(session)
bwm.progress()
bwm.save()
