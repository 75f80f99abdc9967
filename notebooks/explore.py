# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The session explorer
#
# Look before you compute: all that was recorded in a session, on one clock. This is a tool and no lesson; it has no
# exercises. What its pictures show is explained in the lessons: the trials in
# [03](03_decision_task.ipynb), the wheel in [04](04_wheel_and_reaction_times.ipynb), spikes and regions in
# [05](05_spike_sorting.ipynb), rates around events in [06](06_neural_responses.ipynb), the pose in [07](07_pose.ipynb).
#
# The next cell says which recordings to look at. Put another source or session there and run the notebook again.

# %% tags=["parameters"]
SOURCE = "sample"  # or "sample-release", "real", "aws", "openalyx", or the path of a folder of recordings
EID = None  # a session's id; None opens the source's main session

# %%
import bwm_tutorials as bwm

bwm.keep_going()  # a cell that needs what this recording lacks says so, and the rest goes on
one = bwm.connect(SOURCE)
session = bwm.Session(EID, one)
bwm.plots.stamp(session)
session

# %% [markdown]
# ## Look around
#
# Every handle works with the mouse and with the keyboard: Tab leads to the next one, arrows move it, Enter presses it.
#
# | handle | does |
# |---|---|
# | session | opens another session of the source; what it lacks is said in its place |
# | time, length | moves the window through the session, and makes it longer or shorter |
# | trial | jumps to the trial of this number; ◀ and ▶ go to the one before and after, of those that fit |
# | block, contrast, outcome | which trials fit; the others are pale |
# | unit | goes through the good units from the tip of the probe up; a click into the spikes takes the nearest one |
#
# The marked unit is orange among the spikes; below them is its mean rate around the events of the trials that fit.
#
# A session on a server (`"aws"`, `"openalyx"`) is fetched when you press `fetch`, and its price is shown before.

# %%
bwm.widgets.session_explorer(session)

# %% [markdown]
# ## Three positions of the handles
#
# Where no kernel runs there are no handles. This is what they show at the first trial, in a window of 5 s, of 60 s, and
# of the whole session. A window shows no more than a picture can: of a trace the lowest and highest value in each
# column of pixels, of the spikes their number in bins of time and depth, the darker the more.

# %%
bwm.widgets.session_views(session, seconds=(5, 60, None))

# %% [markdown]
# ## In any other notebook
#
# One line opens the explorer on a session that you have: `bwm.widgets.session_explorer(session)`. It holds one session
# at a time, beside what your notebook has loaded itself. The picture alone is
# `bwm.widgets.session_views(session, trial=100, seconds=(10,))`.

# %%
bwm.provenance(session)
