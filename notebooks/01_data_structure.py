# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01 · Data structure
#
# After this lesson you can
#
# - find any measurement of a session: its folder, its file, its unit and its clock;
# - read the name of a file aloud, and load it with ONE and with `Session`;
# - follow a spike to the brain region it was recorded in;
# - notice when a loader gave you less, or older, than you think.

# %% [markdown]
# | | |
# |---|---|
# | You need | [lesson 00](00_start_here.ipynb) |
# | Time | 25 minutes to read, 20 to practise; the extras another 30 |
# | Data | the synthetic sample (300 MB, built on this computer) |
# | Where you are | second on the student's path: **01** → 03 → 04 → 05 → 06 → 07 |
#
# Words in *italics* are in the [glossary](glossary.md).

# %% [markdown] tags=["teacher"]
# **Teacher's notes.** 45 minutes: 5 for the questions and section 1, 10 for names and loading, 5 for eid and pid, 25
# for units, the join and their exercises. Let them draw the join (spike → cluster → channel → region) on paper first.
# When late, leave out section 4.
#
# Misconceptions (wrong beliefs to listen for), each recognised by an exercise:
#
# - Lengths are stored in metres.
# - A cluster's number is the number of its channel.
# - A session has one version of each file.

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
check, hint, solution = bwm.exercises("01", session)
session

# %% [markdown]
# **Remember lesson 00?** (1) `choice` is 1: which side did the mouse report? (2) In which unit is `stimOn_times`?
#
# <details><summary>Answers</summary>(1) Left. (2) Seconds, on the session's clock.</details>

# %% [markdown]
# ## 1 · A session and its folder
#
# A *session* is a folder. Its path says whose it is: laboratory, subject, date, and the number of the session that day.
# Inside, files lie in *collections*: `alf` for the session's behaviour, `alf/probe00` for a probe, and a folder in it
# for what a spike sorter made of the probe's voltage.

# %% tags=["nbval-check-output"]
print(one.eid2path(session.eid).relative_to(one.cache_dir).as_posix())
for collection in sorted(one.list_collections(session.eid)):
    print(collection, len(one.list_datasets(session.eid, collection=collection)), "files")

# %% [markdown]
# **Predict.** In which collection are the times of the licks: (a) `alf`, (b) `alf/probe00`, (c) in the sorter's?

# %%
one.list_datasets(session.eid, collection="alf")

# %% [markdown]
# (a), where the session has them: a lick belongs to the session, not to a probe. A folder between two `#` is a
# *revision*: a later version of a file. By default ONE loads the one marked as default, nearly always the newest.
# `available` sums up what this session has and lacks, and which revision is loaded.

# %%
session.available

# %% [markdown]
# A file can also be there and not be what it should be. `problems` reads what is on this computer, and says what is
# wrong with which file; an empty table is a good one.

# %%
session.problems

# %% [markdown]
# ## 2 · The name of a file
#
# The names follow the *ALF* convention. Read `_ibl_trials.table.pqt` aloud: "the **table** of the **trials**, as
# **IBL** defines it, a **parquet** file" (a compressed table). ONE takes names apart in the same way.

# %% tags=["nbval-check-output"]
from one.alf.path import filename_parts

filename_parts("_ibl_trials.table.pqt", as_dict=True)

# %% [markdown]
# An *object* (`trials`) has *attributes* (`table`). Each attribute is a file, and all attributes of an object have the
# same number of rows (if not, revisions were mixed): row 7 of `wheel.timestamps` is the time of row 7 of
# `wheel.position`. The ending says how it is stored: `.npy` is one array, `.pqt` a table, `.csv` and `.json` are text.
#
# **Modify.** Take `spikes.times.npy` apart. What does it lack? (`_ibl_` is the *namespace*: who defined the name.)
#
# ## 3 · Load it: with ONE, and with Session
#
# `load_dataset` reads one file, `load_object` all attributes of an object that are in a collection.

# %%
table = one.load_dataset(session.eid, "_ibl_trials.table.pqt", collection="alf")
table.shape

# %% [markdown]
# `Session` makes the same calls for you, and puts together what belongs together: its `trials` are that table and the
# attributes of trials that have files of their own.

# %%
trials = session.trials
[name for name in trials if name not in table]

# %% [markdown]
# For the wheel, both ways give the same arrays.

# %%
times = session.wheel.timestamps
wheel = one.load_object(session.eid, "wheel", collection="alf")
print(list(wheel), len(wheel["timestamps"]), len(times))

# %% [markdown]
# ## 4 · eid and pid
#
# Paths are for people. Programs name a session by its *eid* and a probe in it, an *insertion*, by its *pid*. ONE
# translates: eid to pids and names, pid to eid and name.

# %%
probe = session.insertions[0]
pids, names = one.eid2pid(session.eid)
print(names, [one.pid2eid(pid) for pid in pids])
probe

# %% [markdown]
# ## 5 · Units and clocks
#
# Times are **seconds on the session's clock**, which starts with the recording: those of spikes, trials, wheel and
# camera frames can be subtracted from each other. Two exceptions: `spikes.samples` counts the probe's own samples, and
# `intervals_bpod` is on the clock of Bpod, the device that runs the task.
#
# Lengths are the trap. Files hold **µm**: depths along the probe from its tip, and places from *bregma*, a point on the
# skull. `probe.channels` and `probe.clusters` give places as `x`, `y`, `z` in **m**, as IBL's loaders do, and leave
# `depths` in µm. Amplitudes are volts.

# %%
sites = one.load_dataset(session.eid, "electrodeSites.mlapdv.npy", collection=f"alf/{probe.name}")
print("in the file:", sites[0].round(2))
print("in the table:", probe.channels.loc[0, ["x", "y", "z"]].to_numpy(float))

# %% [markdown]
# **Exercise 01.1.** How far along the probe do its good units (`label` 1) spread, from the lowest to the highest, in
# mm, to two decimals? Use the `depths` in `probe.clusters`.

# %%
answer = ...
check("01.1", answer)

# %% [markdown]
# ## 6 · From a spike to a place
#
# A spike does not know where it was. Three steps lead there:
#
# 1. `spikes.clusters` gives the number of the *unit* that fired;
# 2. the row of that number in `clusters` has `channels`: the number of the *channel* where the unit is largest;
# 3. the row of that number in `channels` has the region's *acronym*, and the place that is the unit's `x`, `y`, `z`.
#
# Numbers start at 0, and stay with their rows when you select some: use `.loc[number]`, not `.iloc`.

# %%
print(one.list_datasets(session.eid, "spikes.times*"))
bwm.plots.style.need(probe.spikes.times[12:], "more than 12 spikes")
time, unit = probe.spikes.times[12], probe.spikes.clusters[12]
channel = probe.clusters.loc[unit, "channels"]
region = probe.channels.loc[channel, "acronym"]
print(f"spike 12, at {time:.3f} s, is of unit {unit}; channel {channel}, in {region}")

# %% [markdown]
# Where a channel lies comes from the microscope: the probe's track was found in the brain, and matched to what each
# channel recorded. The result is in `electrodeSites`, in the probe's folder, and is used in place of the sorter's own
# `channels`; a probe without it falls back on them. `Insertion` follows that rule, as IBL's loader does.
#
# **Modify.** Follow another spike.

# %%
fig = bwm.plots.probe(probe.channels, probe.clusters)

# %% [markdown]
# **Exercise 01.2.** In which region is the good unit that is highest on the probe? Give its acronym in quotes, found
# through `probe.channels`.

# %%
answer = ...
check("01.2", answer)

# %% [markdown]
# **Exercise 01.3, a hunt.** This script asks how much higher (in `z`) the deepest unit lies than the lowest channel.
# One line mixes two units. Mend it, and give the difference in µm.

# %%
lowest = sites[0]
deepest = probe.clusters.sort_values("depths").iloc[0]
print("height difference:", round(abs(deepest["z"] - lowest[2]), 2))

# %%
answer = ...
check("01.3", answer)

# %% [markdown]
# ## Recap
#
# - A session is a folder; a file is `object.attribute.extension` in a collection, and may have revisions.
# - Times are seconds on one clock, unless the name says otherwise. Lengths in files are µm, `x`, `y`, `z` in tables are
#   m.
# - spike → cluster → channel → region: each step looks up a row by its number.
# - `session.available` says what there is before you rely on it.
#
# ## Exit ticket
#
# Where is a spike time of unit 12: in which file, of which revision, on which clock, and how do you find its region?
#
# 1. The file and its collection?
# 2. The clock, and the unit?
# 3. The way to the region?
#
# <details><summary>Answers</summary>
#
# 1. `spikes.times.npy` in the sorter's collection (here `alf/probe00/pykilosort`), in the folder of its revision, which
#    its path and `session.available` name; those rows where `spikes.clusters.npy` is 12.
# 2. The session's clock, seconds from the start of the recording.
# 3. Row 12 of `clusters.channels` is a channel; that row of `channels` has the acronym.
#
# </details>
#
# ## What is next
#
# [Lesson 03](03_decision_task.ipynb): the task, and what the mouse makes of it. Before you leave, save the notebook
# (Ctrl+S) and run the last cell: it packs your work.
#
# ## References
#
# 1. International Brain Laboratory, [A modular architecture for organizing, processing and sharing neurophysiology
#    data](https://doi.org/10.1038/s41592-022-01742-6). *Nature Methods* (2023).
# 2. International Brain Laboratory, [ONE, the documentation](https://int-brain-lab.github.io/ONE/).

# %% [markdown] tags=["extra"]
# ---
# # Extras
#
# ## Extra A · Revisions
#
# When data are corrected, the old file stays and the new one goes into a folder named by a date. A load call gives the
# version marked as default; `revision=` gives **the last one not later than a date**. The rule is applied to each file
# by itself: one object may come from several revisions, so compare lengths; and a file with no version that old is not
# found.

# %% tags=["extra"]
old = one.load_dataset(session.eid, "_ibl_trials.table.pqt", collection="alf", revision="2020-12-31")
new = one.load_dataset(session.eid, "_ibl_trials.table.pqt", collection="alf")
path = "alf/_ibl_trials.table.pqt"
print("loaded by default:", session.datasets.loc[path, "rel_path"])

# %% [markdown] tags=["extra"]
# To make an analysis repeatable, write the revision into your code, or note what was loaded: the last cell of each
# lesson prints it. **Exercise 01.4.** In how many trials do the two tables give different times of the stimulus? A
# trial without a time in either does not count.

# %% tags=["extra"]
answer = ...
check("01.4", answer)

# %% [markdown] tags=["extra"]
# **Exercise 01.5, a hunt.** This script counts the trials without a go cue time. It reads the file by its path, and
# quietly gets another version than you want. Mend it, and give the right count.

# %% tags=["extra"]
import pandas as pd

print(pd.read_parquet(one.eid2path(session.eid) / path).isna().sum().get("goCue_times"))

# %% tags=["extra"]
answer = ...
check("01.5", answer)

# %% [markdown] tags=["extra"]
# ## Extra B · The whole grammar
#
# `lab/Subjects/subject/date/number/collection/#revision#/_namespace_object.attribute_timescale.extra.extension`
#
# Namespace, timescale, extra and revision may be absent. A timescale says that times are on another clock:
# `intervals_bpod` of trials are on that of Bpod, not the session's.

# %% tags=["extra"]
one.eid2path(session.eid).session_parts

# %% [markdown] tags=["extra"]
# ## Extra C · The data dictionary
#
# For each measurement: the file that it begins with, its unit, when it is sampled, and the lesson that explains it.
# Leave out `.first()`, and you see the other files that belong to it.

# %% tags=["extra"]
from bwm_tutorials.recordings.datasets import dictionary

files = dictionary().query("measurement != ''")
files.groupby("measurement", sort=False).first()[["file", "unit", "sampled", "lesson"]]

# %% [markdown] tags=["extra"]
# ## Extra D · The tables behind ONE
#
# ONE does not look into folders. It searches three tables at the root of the cache: sessions, datasets, insertions. A
# stale table makes loaders give less than the folder holds. `qc` is what was thought of a file's quality: one that is
# marked FAIL is still loaded. Extra C of [lesson 02](02_data_download.ipynb) tells more.

# %% tags=["extra"]
session.datasets[["rel_path", "file_size", "qc"]].head()

# %% tags=["extra"]
import pandas as pd

for file in sorted(one.cache_dir.glob("*.pqt")):
    rows = pd.read_parquet(file)
    print(f"{file.name}: {len(rows)} rows; {', '.join(rows.columns)}")

# %% [markdown] tags=["extra"]
# ## Extra E · What weighs what, and what fails silently
#
# By the sizes in IBL's public tables, a session with one probe is about 68 GB raw: 45 GB of the probe's fast band, 17
# GB of video. One array of its spikes is about 120 MB, one of its trials 7 kB. The lessons touch only the processed
# part.
#
# Three ways in which a loader can mislead you without an error:
#
# - `load_object` of plain ONE leaves out attributes whose files are gone (the lessons' `one` stops): count what you
#   got.
# - A dataset whose quality is CRITICAL is left out of lists unless you ask (`qc="CRITICAL"`), and cannot be loaded.
# - `SessionLoader.load_session_data()` of ibllib goes on after any failure: look at its `data_info`.

# %% tags=["extra"]
session.available.query("present")

# %% [markdown] tags=["extra"]
# **With IBL's own tools.** ibllib, which is not installed with the lessons, loads the same spikes, clusters and
# channels:
#
# ```python
# from brainbox.io.one import SpikeSortingLoader
# from iblatlas.atlas import AllenAtlas
#
# loader = SpikeSortingLoader(pid=probe.pid, one=one, atlas=AllenAtlas(mock=True))  # mock: no images
# spikes, clusters, channels = loader.load_spike_sorting()
# clusters = loader.merge_clusters(spikes, clusters, channels)
# ```

# %%
bwm.provenance(session)
bwm.progress()
bwm.save()
