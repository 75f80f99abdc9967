# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 09 · The release and its history
#
# After this lesson you can
#
# - say what the release holds, and what a number of it counts when two pages disagree;
# - go from all units to those that the map's analyses take, and say what each step costs;
# - name each correction of the release, see it in the files, and tell which results it touches;
# - *pin* the data of a paper (name their files and versions), and cite them.

# %% [markdown]
# | | |
# |---|---|
# | You need | [lesson 02](02_data_download.ipynb); [05](05_spike_sorting.ipynb) and [08](08_passive.ipynb) help |
# | Time | 25 minutes to read, 20 to practise; the extras another 25 |
# | Data | the small synthetic release (490 MB, built on this computer), and what is published of the real one |
# | Where you are | last on the postdoc's path: 00 → 02 → 05 → 06 → **09** |

# %% [markdown] tags=["teacher"]
# **Teacher's notes.** 45 minutes: 10 for the numbers with an exercise, 10 for the selection with one, 5 for the
# history, 15 for what was added and corrected with the hunt, 5 for pinning. Before section 1 let two people look up how
# many regions the map has, on two pages: the release page [1], and the abstract [5]. Where there is no network, bring
# both printed. Before the figure of section 2 ask which step takes most. When late, leave out the figure of the two
# sortings.
#
# Misconceptions (wrong beliefs to listen for), each recognised by an exercise:
#
# - A new insertion is a new session.
# - If two numbers differ, one is a mistake.
# - After a correction everything has to be run again.

# %% [markdown]
# The next cell says where the recordings come from. Leave it for now. (For "aws", first run `bwm-tutorials data
# index`.)

# %% tags=["parameters"]
SOURCE = "sample-release"  # or "sample", "real", "aws", "openalyx", or the path of a folder of recordings
EID = None  # a session's id; None opens the source's main session

# %%
import bwm_tutorials as bwm
import pandas as pd

bwm.keep_going()  # a cell that needs what this recording lacks says so, and the lesson goes on
pd.set_option("display.max_colwidth", None)
one = bwm.connect(SOURCE)
session = bwm.Session(EID, one)
bwm.plots.stamp(session)
check, hint, solution = bwm.exercises("09", session)
session

# %% [markdown]
# **Remember?** (1) Lesson 02: which version of a file does a load call take? (2) Lesson 05: what does `label` 1 say of
# a unit?
#
# <details><summary>Answers</summary>(1) The one marked as default, nearly always the newest; with `revision=` the last
# one not later than that date. (2) It passes all three criteria of quality.</details>

# %% [markdown]
# ## 1 · The release in numbers
#
# Neuropixels probes were lowered on a grid, so that nearly all major areas of the brain were sampled without choosing
# favourites, and each site was recorded in at least two laboratories [1]. `laboratories` has the real release, counted
# by laboratory in the lists of the paper's authors [2].

# %% tags=["nbval-check-output"]
laboratories = bwm.brainwide.release.laboratories()
here = bwm.brainwide.release.insertions(one)
counted = laboratories[["insertions", "sessions", "subjects"]].sum().to_frame("the release")
counted["here"] = [len(here), here["eid"].nunique(), here["subject"].nunique()]
counted.loc["laboratories"] = [len(laboratories), here["lab"].nunique()]
counted

# %% [markdown]
# The numbers on the left equal those of the release page [1]. Units come from one table of all; on "aws" it is fetched
# once, some tens of MB. This lesson takes ten sessions; leave out `eids` for all.

# %%
eids = one.search()[:10]
units = bwm.brainwide.release.units(one, eids)
print(f"here: {len(units):,} units, {(units['label'] == 1).sum():,} good")
numbers = bwm.brainwide.release.numbers()
numbers.query("quantity == 'units'").set_index("value")[["counts"]].head(3)

# %% [markdown]
# **Predict.** The paper's abstract has 279 regions, its analyses have 201. What does each of the two count?

# %%
numbers.query("quantity == 'regions'").set_index("value")[["counts", "source"]].sort_index(ascending=False)

# %% [markdown]
# *Beryl* is a list of some 300 regions of the Allen atlas; *root* and *void* stand in it for "in no region" and
# "outside the brain". Mostly nobody erred: the numbers are of all units or of good ones, with a minimum or without,
# with root and void or not, in an older release or a newer. So name what you counted; `numbers` has each source's
# address under `url`.
#
# **Exercise 09.1.** In February 2024 the release grew by 152 insertions and 105 sessions. How many sessions that were
# public before got another insertion? `laboratories` has what you need for it, laboratory by laboratory.

# %%
answer = ...
check("09.1", answer)

# %% [markdown]
# ## 2 · From all units to the canonical set
#
# The map's analyses take good units, in *grey matter* (regions of neurons; bundles of fibres lie in Beryl's `root`), of
# regions with at least 5 units in each of at least 2 sessions, and of those with 20 units in all [2]. What is left is
# the *canonical set*.
#
# **Predict.** Which step takes most units, and which most regions?

# %%
steps = bwm.brainwide.release.selection(units)  # min_in_session=5, min_sessions=2, min_units=20
counts = bwm.brainwide.release.step_counts(steps)
published = numbers[numbers["step"] != ""].pivot(index="step", columns="quantity", values="value")
fig = bwm.plots.selection_steps(counts, published.loc[counts.index])

# %% [markdown]
# The release loses seven of eight units at the label (synthetic sessions are kinder), then 14 % at grey matter: 75,708
# → 65,336. Later steps cost few units and many regions, most of them "in enough sessions", 245 → 210. What the map
# says, it says of those that are left.
#
# **Modify.** Ask for 3 sessions, or 30 units. Which regions go?
#
# **Exercise 09.2.** The paper's "279 regions" are those of Beryl in which there are units, good or not, without root
# and void; the figure counts these two until they are left out. How many are they here? `steps` holds the units after
# each step.

# %%
answer = ...
check("09.2", answer)

# %% [markdown]
# ## 3 · The history
#
# The release page lists what was added, modified and fixed since the first release, and names no files. `changelog`
# adds the files and the *revision* (a later version, named by a date) that belong to an entry, and under `link` whether
# that is *observed* (lists or scripts of the release's makers name them) or *inferred* by us.

# %%
changelog = bwm.brainwide.release.changelog()
fig = bwm.plots.history(changelog)
changelog.set_index("date")[["entry", "what", "revision", "link"]]

# %% [markdown]
# ## 4 · What was added
#
# A new file takes the place of nothing, so it leaves no trace but itself. How many of the sessions here have it?

# %%
sessions = [bwm.Session(eid, one) for eid in eids]
added = {
    "Lightning Pose, left": "alf/_ibl_leftCamera.lightningPose.pqt",
    "passive times": "alf/_ibl_passivePeriods.intervalsTable.csv",
    "passive replay": "alf/_ibl_passiveGabor.table.csv",
    "saturation": "raw_ephys_data/probe00/_iblqc_ephysSaturationAP.samples.pqt",
}
for name, path in added.items():
    print(f"{name:22}{sum(path in s.datasets.index for s in sessions)} of {len(sessions)} sessions")

# %% [markdown]
# Sessions with passive times and no replay are what 2025-Q3 added: of 459 sessions, 424 have the times and 352 the rest
# as well [3].
#
# **The sorting of May 2024.** All probes were sorted again by one version of the sorter [4].
# Before, the pages gave 376,730 units for the same 699 insertions, 45,085 of them good; since then 621,733 and 75,708
# [1]. Here is a probe that kept both, in `corrected`, the session with most *superseded* (replaced) files.

# %%
corrected = max(sessions, key=lambda s: len(bwm.brainwide.release.superseded(s)))
folder, day = "alf/probe00/pykilosort", "2024-05-05"
old = bwm.brainwide.release.as_of(corrected, f"{folder}/clusters.metrics.pqt", day)
old["depths"] = bwm.brainwide.release.as_of(corrected, f"{folder}/clusters.depths.npy", day)
fig = bwm.plots.two_sortings(old, corrected.insertions[0].clusters)

# %% [markdown]
# What was found in units of the first sorting has to be found again, not looked up.
#
# ## 5 · What was corrected
#
# **The wheel.** In 62 sessions, all of one laboratory, the wheel's sign was flipped in the file; the task was not
# affected. A report of left is a clockwise turn, so the position falls.

# %%
path = "_ibl_wheel.position.npy"
before = bwm.brainwide.release.as_of(corrected, f"alf/{path}", day)
trials, wheel = corrected.trials, corrected.wheel
between = trials["stimOn_times"], trials["response_times"]
versions = {"superseded": before, "newer": wheel.position}
turned = {name: bwm.wheel.displacement(wheel.timestamps, at, *between) for name, at in versions.items()}
fig = bwm.plots.wheel_versions(pd.DataFrame(turned), trials["choice"])

# %% [markdown]
# **Exercise 09.3, a hunt.** A paper of December 2024 used this wheel. The script loads it as of that month, and finds
# nothing wrong. Which mean turn of a report of left did the paper's authors get? Look for the wheel in `changelog`.

# %%
position = bwm.brainwide.release.as_of(corrected, f"alf/{path}", "2024-12-31")
turn = bwm.wheel.displacement(wheel.timestamps, position, *between)
print(round(pd.Series(turn)[trials["choice"] == 1].mean(), 3), "rad")

# %%
answer = ...
check("09.3", answer)

# %% [markdown]
# The date of a revision is a name. The file may have become public later.
#
# **The audio** (2025-Q1). Where sounds were not wired to the recording, their times were recovered from the behaviour
# computer, and the trials extracted again. All trials tables have a revision, 2025-03-03, that is likely of this.
#
# **The video** (2024-02). 285 videos got new times, 139 were removed, 135 of them of the body, and 31 were added. The
# page asks to run all analyses of video again [1].
#
# **The passive gabors** (2025-Q4). At the first time nothing was shown, at the second the gabor planned for the first,
# and so on. The old table has what was planned, the new one what was shown (lesson 08, Extra B).

# %%
audio, video, gabors = "_ibl_trials.table.pqt", "_ibl_leftCamera.times.npy", "_ibl_passiveGabor.table.csv"
for s in (corrected, session):  # the session with most superseded files, and the one that this lesson opened
    for file in (audio, video, gabors):
        if f"alf/{file}" in bwm.brainwide.release.superseded(s):
            old = one.load_dataset(s.eid, file, "alf", revision="2023-01-01")
            new = one.load_dataset(s.eid, file, "alf")
            print(f"{s.name} {file}: {len(old):,} rows, now {len(new):,}")

# %%
for s in sessions:
    listed = one.list_datasets(s.eid, filename="*Camera.times*")
    for file in one.list_datasets(s.eid, filename="*Camera.times*", qc="CRITICAL"):
        if file not in listed:
            print(s.name, "hides", file)
has_body = ["alf/_ibl_bodyCamera.times.npy" in s.datasets.index for s in sessions]
print(sum(has_body), "of", len(sessions), "sessions have a body camera")

# %% [markdown]
# A removed video is not listed; one whose quality is CRITICAL is hidden. Times that were added in front move each
# frame: see lesson 07.
#
# ## 6 · Pin it
#
# `corrected` on three days, each file in its last version not later than the day. Set the environment variable
# `ONE_REVISION_LAST_BEFORE`, before you start Python, to a day, for example `2024-12-31`, and ONE's load calls do so by
# themselves; `Session` takes the default always.

# %%
rows = {}
for day in ("2022-12-31", "2024-12-31", "2025-12-31"):
    metrics = bwm.brainwide.release.as_of(corrected, f"{folder}/clusters.metrics.pqt", day)
    table = one.load_dataset(corrected.eid, audio, "alf", revision=day)
    position = one.load_dataset(corrected.eid, path, "alf", revision=day)
    turn = pd.Series(bwm.wheel.displacement(wheel.timestamps, position, *between))
    n_good, n_without = (metrics["label"] == 1).sum(), table["goCue_times"].isna().sum()
    rows[day] = [n_good, n_without, round(table["choice"].corr(turn), 2)]
columns = ["good units of probe00", "trials without go cue", "correlation of turn and choice"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns)

# %% [markdown]
# The middle row is the trap: nobody had that wheel on that day. Nor does a day hide what was only added. And an
# *index*, the list of a session's files, can be older than they are (a sentence says where): by one of February 2025
# you load trials from before 2025-03-03, or none, whatever day you name (lesson 02, section 3).
#
# So for a paper keep the list of your files with their *md5*, a checksum of the content (lesson 02, Extra D), and say
# which *tag* (the release's name in the database, `Brainwidemap`), which day and which revisions.
#
# Last, the largest step of the selection: do good units deserve their name? Where the truth is known, a unit is whole
# or has a planted fault: it is contaminated, cut off or small.

# %%
if session.get("truth"):
    pids = units.index.unique("pid")
    whole = pd.concat([bwm.Insertion(pid, one).truth["fault"] == "" for pid in pids]).to_numpy()
    good = units["label"].to_numpy() == 1
    is_good = [sum(whole & good), sum(~whole & good)]
    is_not = [sum(whole & ~good), sum(~whole & ~good)]
    print(pd.DataFrame({"good": is_good, "not good": is_not}, ["whole", "with a planted fault"]))
    print(f"In the simulation {is_good[0]} of {sum(good)} good units are whole, and {is_good[0]} of {sum(whole)} whole "
          "units are good.")  # fmt: skip

# %% [markdown]
# In the simulation the label is strict: it gives up whole units to keep faulty ones out. Of the release, where .12 of
# the units are good [1], no such table exists.
#
# ## Recap
#
# - 459 sessions, 699 insertions, 139 subjects, 12 laboratories; 621,733 units, 75,708 good; regions by definition.
# - Five steps lead from all units to the canonical set; the label costs most units, "in enough sessions" most regions.
# - Each correction has its files: look for the old version beside the new.
# - Pin by files and md5. A revision's date is a name, and an index can be older than the data.
#
# ## Exit ticket
#
# 1. One paper has 241 regions, another 201. What do you ask?
# 2. You found units that respond to the wheel's direction, in sessions of ten laboratories, in 2024. What do you run
#    again?
# 3. Why is "revision not later than my paper's day" not always what the paper had?
#
# <details><summary>Answers</summary>
#
# 1. Of which units, with which minimum, with root and void or without, from which release?
# 2. The sessions of the one laboratory whose wheel was flipped, if it is among the ten; and what averages over them.
# 3. A revision can become public later than its date, and added files have no date.
#
# </details>
#
# ## What is next
#
# Take a question of your own to the release, in [lesson 10](10_your_question.ipynb). Before you leave, save the
# notebook (Ctrl+S) and run the last cell: it packs your work.
#
# ## References
#
# 1. International Brain Laboratory, [2025 Brain Wide Map, the release
#    page](https://github.com/int-brain-lab/ibllib/blob/master/examples/data_release/2025_data_release_brainwidemap.md),
#    and [that of the first
#    release](https://int-brain-lab.github.io/iblenv/notebooks_external/data_release_brainwidemap.html).
# 2. International Brain Laboratory, [code of the Brain Wide Map
#    paper](https://github.com/int-brain-lab/paper-brain-wide-map): lists of insertions, and the counts of each step.
# 3. CatalystNeuro, [IBL to NWB](https://github.com/catalystneuro/IBL-to-nwb), on what each session has.
# 4. International Brain Laboratory, [Spike sorting pipeline](https://doi.org/10.6084/m9.figshare.19705522). *figshare*
#    (2022, updated 2024).
# 5. International Brain Laboratory, [A brain-wide map of neural activity during complex
#    behaviour](https://doi.org/10.1038/s41586-025-09235-0). *Nature* (2025).

# %% [markdown] tags=["extra"]
# ---
# # Extras
#
# ## Extra A · Regions, pooled over sessions
#
# Units of one region come from several sessions, and those of one session have the same mouse and day. So look at the
# sessions before you pool: those with at least 5 units of the region.

# %% tags=["extra"]
grey = steps["in grey matter"]
enough = steps["enough in a session"]
fig = bwm.plots.regions_by_session(enough, "firing_rate", "firing rate, median (Hz)")

# %% [markdown] tags=["extra"]
# Medians that lie several times apart look like a finding. But the largest difference of many small samples is large by
# itself: deal the units of each region out to its sessions at random, and see what chance gives (grey). Only what goes
# beyond that says something of mice and days, or of regions. Leave out the 5 units, with `grey` instead of `enough`:
# both numbers within a region grow, and nothing was learnt.
#
# **Exercise 09.4, a hunt.** This script asks how many regions have good units in 4 sessions or more. It finds too many.
# Mend it.

# %% tags=["extra"]
by_region = grey.reset_index().groupby("Beryl")["pid"]
print((by_region.nunique() >= 4).sum())

# %% tags=["extra"]
answer = ...
check("09.4", answer)

# %% [markdown] tags=["extra"]
# ## Extra B · Which number, and what to run again
#
# The release page has 75,708 good units, IBL's derived tables *bwm_ephys* have 75,395. **Exercise 09.5.** Which is
# true?
#
# - a: One of the two is a mistake.
# - b: Two programs counted in two tables; why they differ is not said, so count in the table you use, and name it.
# - c: The smaller number is that without root and void.

# %% tags=["extra"]
numbers[numbers["value"].between(60_000, 80_000)].set_index("value")[["counts", "source"]]

# %% tags=["extra"]
answer = ...
check("09.5", answer)

# %% [markdown] tags=["extra"]
# So it is with trials (295,920 and 296,090), and with the tag: 480 sessions have datasets of `Brainwidemap`, the
# release has 459. The tables that the servers offer for the tag are those of the 480, and people who fetched them found
# them to be of February 2025. So `connect("aws")` takes little from them: the sessions, and quality and md5 of files
# that are still there. Which sessions are of the release, the paper's list says [2]; what each has, the bucket's own
# listing.
#
# **Exercise 09.6.** In 2023 you used the wheel of all sessions of the *first* release. The patch of the wheel comes
# out. How many do you run again?

# %% tags=["extra"]
answer = ...
check("09.6", answer)

# %% [markdown] tags=["extra"]
# And what was averaged over all sessions. The other entries touch, in the same way, only what used their files:

# %% tags=["extra"]
changelog.query("kind != 'added'").set_index("date")[["entry", "datasets", "shown_by"]]

# %% [markdown] tags=["extra"]
# ## Extra C · How to cite
#
# Cite the paper [5] (before 2025: its [preprint](https://doi.org/10.1101/2023.07.04.547681)), and the data as "How to
# cite" in the [AWS open data registry](https://registry.opendata.aws/ibl-brain-wide-map/) says. The data are under [CC
# BY 4.0](https://creativecommons.org/licenses/by/4.0/): use, change and share them, and name their makers. A synthetic
# session is no data: cite these lessons for it. State tag, day and revisions; of this session they are

# %% tags=["extra"]
has = session.available[session.available["present"]]
print("tag Brainwidemap;", ", ".join(f"{name} {revision}" for name, revision in has["revision"].items() if revision))

# %% [markdown] tags=["extra"]
# ## Extra D · Where to look, and how to hear of the next release
#
# IBL's [website](https://viz.internationalbrainlab.org/) shows the release without a download: raster, behaviour and
# units of each insertion, by its pid.

# %% tags=["extra"]
pid = "56f2a378-78d2-4132-b3c8-8c1ba82be598"  # of a real mouse, NYU-11 2020-02-18
print(f"https://viz.internationalbrainlab.org/app?dset=bwm&spikesorting=ss_2024-05-06&pid={pid}")

# %% [markdown] tags=["extra"]
# - How the experiment was done, step by step: the [technical paper](https://doi.org/10.6084/m9.figshare.21400815).
# - How spikes are sorted, and what the label is: the [white paper on spike
#   sorting](https://doi.org/10.6084/m9.figshare.19705522), updated for the run of 2024.
# - The second tracker of the video: [Lightning Pose](https://doi.org/10.1038/s41592-024-02319-1).
# - The task, and how mice learn it: [IBL, eLife 2021](https://doi.org/10.7554/eLife.63711).
# - Folders and files: [lesson 01](01_data_structure.ipynb), [IBL's
#   page](https://int-brain-lab.github.io/iblenv/notebooks_external/data_structure.html), what [each
#   file](https://docs.google.com/document/d/1OqIqqakPakHXRAwceYLwFY9gOrm8_P62XIfCTnHwstg/edit) holds, and [one
#   session's
#   folder](https://ibl-brain-wide-map-public.s3.amazonaws.com/sample_data/mainenlab/Subjects/ZM_2241/2020-01-30/001/alf_ZM2241_2020-01-30_001.zip)
#   to take apart.
# - Search and download: [lesson 02](02_data_download.ipynb), and [IBL's
#   page](https://int-brain-lab.github.io/iblenv/notebooks_external/data_download.html); in a browser, [IBL's data
#   server](https://ibl.flatironinstitute.org/public/).
# - How to load each kind of data: lessons 03 to 08, and [IBL's
#   examples](https://int-brain-lab.github.io/iblenv/loading_examples.html), which have raw voltage and raw video too.
# - Something is wrong with the data: [IBL's issues](https://github.com/int-brain-lab/iblenv/issues). Questions:
#   <info@internationalbrainlab.org>.
# - **News.** Fill in [IBL's form](https://forms.gle/9ex2vL1JwV4QXnf98), and you are told when data are released.

# %%
bwm.provenance(session)
bwm.progress()
bwm.save()
