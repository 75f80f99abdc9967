# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02 · Data download
#
# After this lesson you can
#
# - find the sessions and insertions that your question needs, and say what each of them lacks;
# - say what a download costs before you make it;
# - load the trials of one session, and the good spikes of one insertion;
# - run over ten sessions, or all of them, keep a list of those that failed, and get one table.

# %% [markdown]
# | | |
# |---|---|
# | You need | [lesson 00](00_start_here.ipynb); [lesson 01](01_data_structure.ipynb) helps |
# | Time | 25 minutes to read, 20 to practise; the extras another 35 |
# | Data | a small synthetic release: ten sessions of six mice (500 MB, built on this computer in about a minute) |
# | Where you are | second on the postdoc's path: 00 → **02** → 05 → 06 → 09 |
#
# Words in *italics* are in the [glossary](glossary.md). No network is needed: what you type here works on the real
# release too, where the same calls fetch what they need.

# %% [markdown] tags=["teacher"]
# **Teacher's notes.** 45 minutes: 10 for sections 1 and 2 with an exercise, 10 for the price with an exercise, 5 to
# load, 20 for the loop and the hunt. Ask before the figure of section 3: "what will be the largest, and how many times
# the smallest?" Build the sessions before class (run the first two code cells). When late, leave out section 4: the
# loop makes the same call.
#
# Misconceptions (wrong beliefs to listen for), each recognised by an exercise:
#
# - An insertion that is listed has all its data.
# - Every file that is listed is loaded.
# - `revision=` means the same in every call.

# %% [markdown]
# The next cell says where the recordings come from. Leave it for now.

# %% tags=["parameters"]
SOURCE = "sample-release"  # or "sample", "real", "aws", "openalyx", or the path of a folder of recordings
EID = None  # a session's id; None opens the source's main session

# %%
import bwm_tutorials as bwm

bwm.keep_going()  # a cell that needs what this recording lacks says so, and the lesson goes on
one = bwm.connect(SOURCE)
session = bwm.Session(EID, one)
bwm.plots.stamp(session)
check, hint, solution = bwm.exercises("02", session)
session

# %% [markdown]
# **Remember lessons 00 and 01?** (1) Does a session have one insertion or several? (2) What is a revision?
#
# <details><summary>Answers</summary>(1) One or two; a day of training has none. (2) A later version of a file,
# named by a date.</details>

# %% [markdown]
# ## 1 · What is there
#
# `one` answers from tables on this computer. One table lists the sessions. Each session also has an *index*, the list
# of its files. Those of the synthetic release were made with it. On "aws" the server is asked for a session's index
# when you first look into the session, and the answer is kept, with its date. So an index can be older than the data;
# section 3 says what follows.
#
# `search` gives the *eids* of sessions, newest first; `search_insertions` gives *pids*. This lesson looks at ten
# sessions at most, so that it costs little on any source.

# %% tags=["nbval-check-output"]
import pandas as pd

eids = one.search()
sessions = [bwm.Session(eid, one) for eid in eids[:10]]
print(len(eids), "sessions,", len(one.search_insertions()), "insertions")
table = pd.DataFrame([s.details for s in sessions])[["lab", "subject", "date", "number"]]
table.assign(files=[len(s.datasets) for s in sessions])

# %% [markdown]
# Terms narrow a search: `subject`, `laboratory`, `date_range`, `projects`, `task_protocol`, `number`, `datasets`.
#
# **Predict.** We search for a mouse, then for its name in small letters; for a file, and for a part of its name. Which
# of the four find something?

# %%
subject = session.details["subject"]
for name in (subject, subject.lower()):
    print(name, len(one.search(subject=name)))
for name in ("_ibl_trials.table.pqt", "trials.table"):
    print(name, len(one.search(datasets=name)))

# %% [markdown]
# Capitals count, and a file needs its whole name. Of other names a part is enough, which may find more than you want. A
# search that finds nothing does not complain. A search for files sees only the sessions whose index is here.
#
# **Modify.** Find the sessions of one month: `one.search(date_range=["2001-02-01", "2001-02-28"])`. Extra B has a table
# for searches that find nothing.

# %% [markdown]
# ## 2 · What each session has
#
# That a session is listed says nothing of what was recorded. `available` of lesson 00, for all of them:

# %%
has = pd.concat([s.available["present"] for s in sessions], axis=1, keys=[s.name for s in sessions])
fig = bwm.plots.what_sessions_have(has)

# %% [markdown]
# What is missing was not recorded, not released, or failed a check of its quality (Extra C). So begin with the question
# and count what it needs, before you load anything. An insertion needs its own spikes *and* what you want of its
# session.
#
# **Exercise 02.1.** You want to relate spikes to the movements of the paws, as the left video's Lightning Pose (a
# program that finds body parts in video) tracks them. In how many insertions of `sessions` can you? `s.insertions`
# gives those of a session `s` that have spikes; a row of `has` is called `"pose('left', 'lightningPose')"`.

# %%
answer = ...
check("02.1", answer)

# %% [markdown]
# ## 3 · What it costs
#
# **Predict.** How many times the size of a session's trials is the largest part of it: (a) 10, (b) 100, (c) more?

# %%
parts = ["trials", "wheel", "licks", "good_spikes", "spikes", "clusters", "pose", "dlc", "motion_energy", "passive"]
prices = {part: bwm.download_plan(one, session.eid, part).files["MB"].sum() for part in parts}
fig = bwm.plots.download_prices(pd.Series(prices))

# %% [markdown]
# `download_plan` reads sizes from the index and fetches nothing. The names are those of `Session` and `Insertion`;
# `good_spikes` are the spikes of the good units alone. Raw recordings are no part of these, and a real session is
# larger than the simulated ones. By the sizes in IBL's public tables, of a session with one probe:
#
# | | about |
# |---|---|
# | one array of its trials | 7 kB |
# | one array of its spikes (there are four: times, clusters, amplitudes, depths) | 120 MB |
# | its raw videos | 17 GB |
# | the raw voltage of its probe | 48 GB |
#
# So the trials of everything are cheap, and the raw voltage of anything is not.
#
# Before you add up sizes yourself, look at what is listed:

# %%
listed = one.list_datasets(session.eid, filename="*trials*", details=True)
listed[["rel_path", "default_revision", "file_size"]]

# %% [markdown]
# Where a file was corrected, the old one stays in the list, *superseded*. A load call takes the default, nearly always
# the newest; only those have a price. `session.datasets` is the list without the superseded.
#
# An index that is older than a correction knows only the old file. IBL's own tables of the release are such an index:
# people who fetched them found them to be of February 2025, and no trials table in them marked as the default. With
# these tables, they report, plain ONE gave trials of one column and no warning, because it leaves out what it does not
# find. Where no default is marked, `Session` takes the newest file of the index, and says so. One session of the
# synthetic release has such an index: see what was printed in section 1. Whether there is a newer file, only a new
# index can tell (Extra D).
#
# **Exercise 02.2.** What do the trials of all `sessions` cost together, in MB, to two decimals? What would all 459
# sessions cost at this rate?

# %%
answer = ...
check("02.2", answer)

# %% [markdown]
# ## 4 · Load one session, and one insertion
#
# The trials of the session, and the spikes of its good units: what will come, and what is here already?

# %%
plan = bwm.download_plan(one, session.eid, ["trials", "good_spikes"])
plan.files.round(2)

# %% [markdown]
# `print(plan)` also says into which folder the rest would go, and if it fits. A table takes more memory than disk, up
# to about `memory_MB`. `plan.get()` would fetch it all; or just load, and each call fetches what it needs. Where a
# session may lack something, `session.get("wheel")` says so and gives None; `session.wheel` says so and ends the cell.

# %%
trials = session.trials
wheel = session.get("wheel")
good = session.insertions[0].good_spikes
print(f"{len(good.times)} spikes of {len(pd.unique(good.clusters))} good units")

# %% [markdown]
# The files now lie in the source's folder (`one.cache_dir`), and the next call reads them there. Before each reading
# their sizes and checksums (*md5*) are compared with the index: a damaged file is fetched again, or named in an error.

# %% [markdown]
# ## 5 · The loop
#
# An analysis of many sessions meets one that fails: a file is missing, a server does not answer, a number is mistyped.
# Three habits make that harmless. Put each result under its eid; catch the error and **keep it**; skip what is done.
#
# Here is the list, with one eid that nobody has; then the loop. **Predict.** You run the loop's cell, and then run it
# again. How many sessions does it load the second time?

# %%
wanted = [s.eid for s in sessions] + ["00000000-0000-4000-8000-000000000000"]
tables, failed = {}, {}

# %%
for eid in wanted:
    if eid in tables:
        continue
    try:
        tables[eid] = bwm.Session(eid, one).trials
        failed.pop(eid, None)
    except Exception as error:
        failed[eid] = f"{type(error).__name__}: {error}"[:70]
print(f"{len(tables)} loaded, {len(failed)} failed")
failed

# %% [markdown]
# None: it only tries again what failed. If your computer goes off, the files are still on its disk, and the loop reads
# them from there. Write `except Exception: pass` instead, and you never learn what your result is missing.
#
# Now one table, in which each row says where it comes from. Save it, and tomorrow you need neither loop nor network.
# (The folder here is a temporary one: name your own.)

# %%
from pathlib import Path
from tempfile import mkdtemp

bwm.plots.style.need(tables, "trials")
table = pd.concat(tables, names=["eid", "trial"])
file = Path(mkdtemp(), "trials.pqt")
table.to_parquet(file)
pd.read_parquet(file)[["choice", "feedbackType", "contrastLeft", "contrastRight"]].tail(3)

# %% [markdown]
# **Say** what is in it before you use it: how many trials, and how many of them rewarded? The best and the worst
# session are those to look at first: is the worst a bad day of a mouse, or a fault of ours?

# %%
name = {s.eid: s.name for s in sessions}
summary = table["feedbackType"].eq(1).groupby("eid").agg(trials="size", correct="mean").sort_values("correct")
print(summary.rename(index=name).round(2))
ends = [bwm.Session(summary.index[i], one) for i in (0, -1)]
bwm.plots.stamp(*ends)
fig = bwm.plots.psychometric({s.label: bwm.trials.psychometric(table.loc[s.eid]) for s in ends})
bwm.plots.stamp(session)

# %% [markdown]
# **Modify.** In the loop, put `.licks` in place of `.trials`, with new `tables` and `failed`. Which sessions fail?
#
# **Exercise 02.3, a hunt.** This script counts the lick times of all sessions. It keeps the errors, as it should; its
# number is wrong. Mend it, and give the right one. A session without licks adds none.

# %%
total, licks, without = 0, [], {}
for s in sessions:
    try:
        licks = one.load_dataset(s.eid, "licks.times.npy", collection="alf")
    except Exception as error:
        without[s.name] = type(error).__name__
    total += len(licks)
print(total, without)

# %%
answer = ...
check("02.3", answer)

# %% [markdown]
# ## Recap
#
# - `search` finds sessions; `available` says what they have. Count the usable ones before you load.
# - What a session has is read from its index. An index has a date, and can be older than the data.
# - `download_plan` gives the price. Superseded files are listed, and cost nothing.
# - A load call fetches what it needs, once, and checks it.
# - In a loop: results under their eid, errors kept, what is done skipped, one table out.
#
# ## Exit ticket
#
# A colleague wants the licks of all 459 sessions.
#
# 1. What do you find out before you load anything?
# 2. The loop has stopped after 200 sessions. What do you do?
# 3. It ends with 16 sessions in `failed`. What now?
#
# <details><summary>Answers</summary>
#
# 1. How many sessions have licks (`search(datasets="licks.times.npy")`, once all are indexed: Extra A), and the price.
# 2. Run it again: it skips what it has, and fetches no file twice.
# 3. Read why. Those without licks are named in the paper; those that met the network are tried again.
#
# </details>

# %% [markdown]
# ## What is next
#
# With `SOURCE = "aws"` in the first code cell this lesson runs on real sessions: Extra A. On the postdoc's path [lesson
# 05](05_spike_sorting.ipynb), spike sorting, comes next. Before you leave, save the notebook (Ctrl+S) and run the last
# cell.
#
# ## References
#
# 1. International Brain Laboratory, data release *2025 Brain Wide Map*, listed in the
#    [AWS open data registry](https://registry.opendata.aws/ibl-brain-wide-map/). CC BY 4.0.
# 2. International Brain Laboratory, [ONE, the documentation](https://int-brain-lab.github.io/ONE/).
# 3. International Brain Laboratory, [A brain-wide map of neural activity during complex
#    behaviour](https://doi.org/10.1038/s41586-025-09235-0). *Nature* (2025).

# %% [markdown] tags=["extra"]
# ---
# # Extras
#
# ## Extra A · Three doors, and none
#
# | `bwm.connect(...)` | needs | is |
# |---|---|---|
# | `"sample-release"`, `"sample"` | nothing | synthetic sessions, built on this computer |
# | `"aws"` | a network | the release in the bucket of *AWS Open Data*, without an account |
# | `"openalyx"` | a network and an account | the release through IBL's public database, *openalyx*, by ONE's client |
# | a path | nothing | a folder that one of these has filled |
#
# Behind each door the same calls give the same recordings, but for files whose quality "aws" does not know (Extra C).
# The first visit fetches the table of sessions. The first look into a session asks the server what it has; the answer,
# its index, is kept in the folder `index/`. After that only files are fetched that you load and do not have. Raw
# voltage and video are never fetched by a load call: name their paths to `download_plan`, and call `.get()`. An account
# is made on [openalyx's own page](https://openalyx.internationalbrainlab.org/signup). Both servers' doors are tested on
# servers of the same kind; the README says whether they have been tried on the real ones.
#
# The next cell goes out to the network, and only if the lesson runs on a server.

# %% tags=["extra"]
if SOURCE in ("aws", "openalyx"):
    print(bwm.download_plan(one, session.eid, ["trials", "spikes"]))
else:
    print('Not run: it goes out to the network when SOURCE is "aws" or "openalyx".')

# %% [markdown] tags=["extra"]
# **Offline.** What was fetched stays usable without a network, through the same `connect("aws")`. For a class, fetch
# the day before and copy the folder: `connect` takes its path on any computer. In a terminal:
#
# | | |
# |---|---|
# | `bwm-tutorials data plan trials good_spikes` | the price; `--eid` names a session |
# | `bwm-tutorials data index` | asks for the indexes of all 459 sessions; run it again if it was stopped |
# | `bwm-tutorials data get trials good_spikes` | fetches; `--update` first asks again for the indexes that are here |
# | `bwm-tutorials data where` | the folder, and how much is in it |
# | `bwm-tutorials data verify` | checks every file by size and md5 |
# | `bwm-tutorials data delete --all` | deletes what was fetched |
#
# **With IBL's own tools** the second door is `ONE(base_url="https://openalyx.internationalbrainlab.org",
# username=..., password=...)`. Older pages show a password alone: since ONE-api 3.6 there is no shared user name to it.

# %% [markdown] tags=["extra"]
# ## Extra B · If your search returns []
#
# | you wrote | why nothing | write |
# |---|---|---|
# | `subject="sim-001"` | capitals count | `subject="SIM-001"` |
# | `datasets="spikes.times"` | a file needs its whole name | `datasets="spikes.times.npy"` |
# | `datasets="trials.table.pqt"` | with its namespace | `datasets="_ibl_trials.table.pqt"` |
# | `datasets="licks.times.npy"`, and a session is missing | its licks are CRITICAL, or were never made | Extra C |
# | `date_range="2001-02"` | two full dates, or one | `date_range=["2001-02-01", "2001-02-28"]` |
# | `dataset_qc_lte="PASS"` alone | it judges the datasets that you name | `datasets=..., dataset_qc_lte="PASS"` |
# | `datasets=...`, from a server | only sessions whose index is here are searched | first `bwm-tutorials data index` |
# | several terms | a session must match all | take one away at a time |
# | `tag=`, `atlas_acronym=` | ValueError: only the database knows these terms | on "openalyx", `query_type="remote"` |
#
# And too many: `laboratory="syntheticlab"` also finds `syntheticlab_b`, because a part is enough.

# %% tags=["extra"]
for terms in ({"dataset_qc_lte": "PASS"}, {"datasets": "licks.times.npy", "dataset_qc_lte": "PASS"}):
    print(terms, len(one.search(**terms)))

# %% [markdown] tags=["extra"]
# ## Extra C · Revisions and quality
#
# Which of `sessions` was corrected most? That with most superseded files.

# %% tags=["extra"]
corrected = max(sessions, key=lambda s: len(one.list_datasets(s.eid)) - len(s.datasets))
print(corrected.name, sorted(one.list_revisions(corrected.eid)))
one.list_datasets(corrected.eid, filename="*wheel*")

# %% [markdown] tags=["extra"]
# `revision=` has two meanings. In a load call it is **the last version not later than** a date. In `list_datasets` it
# must be **equal**.

# %% tags=["extra"]
print(len(one.list_datasets(corrected.eid, revision="2024-01-01")), "files listed")
print(len(one.load_dataset(corrected.eid, "_ibl_trials.table.pqt", "alf", revision="2024-01-01")), "trials loaded")

# %% [markdown] tags=["extra"]
# In May 2024 all probes of the release were sorted again, with more units found [1]. **Exercise 02.4.** A paper used
# `corrected` on 2024-01-01. How many units did its first probe have then? (`clusters.metrics.pqt`, in
# `alf/probe00/pykilosort`, has one row for each.)

# %% tags=["extra"]
answer = ...
check("02.4", answer)

# %% [markdown] tags=["extra"]
# Each dataset has a quality: NOT_SET, PASS, WARNING, FAIL or CRITICAL. CRITICAL ones are left out of lists and
# searches, and a load call does not find them: they look as if they had never existed. `qc=` is the worst that a list
# shows. A bucket knows no quality. On "aws" it is that of IBL's own tables, and NOT_SET for what came after them, so a
# CRITICAL file may be listed there; "openalyx" asks the database.

# %% tags=["extra"]
for s in sessions:
    usual, everything = (one.list_datasets(s.eid, filename="licks*", **terms) for terms in ({}, {"qc": "CRITICAL"}))
    if len(usual) < len(everything):
        print(s.name, usual, everything)

# %% [markdown] tags=["extra"]
# **Exercise 02.5.** How many datasets of all `sessions` are CRITICAL?

# %% tags=["extra"]
answer = ...
check("02.5", answer)

# %% [markdown] tags=["extra"]
# ## Extra D · For a paper: pin, notice corrections, cite
#
# **Pin.** The index decides which revision is the default. It is asked for once, so results stay what they are until
# you say `one.update()` (of a server). But sessions that you first looked into on different days have indexes of
# different days: each is a file in `index/`, with its date. Keep, beside your results, the list of files that they were
# made from.

# %% tags=["extra"]
kept = pd.concat({s.eid: s.datasets[["rel_path", "hash"]] for s in sessions})
print(len(kept), "files")

# %% [markdown] tags=["extra"]
# **Notice.** The release is corrected from time to time: the wheel of 62 sessions had its sign flipped, 285 videos had
# wrong times and 139 were removed [1]. The release page lists this, and asks that analyses of video be run again and
# the cache be cleared first. To know whether it touches you, ask for the indexes anew (`one.update()`), and compare
# them with your list. As an example, we take for the list the original files of `corrected`.

# %% tags=["extra"]
listed = one.list_datasets(corrected.eid, details=True)
original = listed[~listed["rel_path"].str.contains("#")].set_index("rel_path")["hash"].dropna()
now = corrected.datasets[corrected.datasets.index.isin(original.index)]
changed = now.index[now["hash"] != original[now.index]]
print(f"{len(changed)} of {len(original)} files were corrected:")
changed[:4].to_list()

# %% [markdown] tags=["extra"]
# **Clear.** Then run again what used these files, and nothing else. `bwm-tutorials data get --update` asks for the
# indexes again; after that a load call sees by the md5 which files have changed, and fetches those.
# `bwm-tutorials data delete --eid ...` deletes all files of a session. With plain ONE, delete the session's folder in
# its cache.
#
# **Exercise 02.6, a hunt.** `lists` has the list of files of each session, as a colleague keeps them on his disk. His
# script counts, over all sessions, the trials that have a go cue time. Mend it, and give the right number.

# %% tags=["extra"]
lists = {s.eid: one.list_datasets(s.eid, details=True) for s in sessions}
lists[corrected.eid] = listed[~listed["rel_path"].str.contains("#2025")]

# %% tags=["extra"]
n = 0
for eid, files in lists.items():
    files = files[files["default_revision"] & files["rel_path"].str.endswith("trials.table.pqt")]
    for path in files["rel_path"]:
        n += pd.read_parquet(one.eid2path(eid) / path).notna().sum().get("goCue_times", 0)
print(n, "trials")

# %% tags=["extra"]
answer = ...
check("02.6", answer)

# %% [markdown] tags=["extra"]
# **Cite** the paper [3], and the data as the AWS registry [1] says under "How to cite"; and say which tag
# (`Brainwidemap`), which revisions and which day. The last cell prints that of one session.

# %%
bwm.provenance(session)
bwm.progress()
bwm.save()
