"""The version of the sample: what a learner has built is built again when the simulation has changed, and only then.

After a change that is meant, raise ``sample.VERSION`` and write the record again:
``python tests/simulate/test_version.py``.
"""

import hashlib
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from bwm_tutorials.paths import ROOT
from bwm_tutorials.simulate import plans, sample

RECORD = ROOT / "tests" / "simulate" / "sample.json"
SMALL = {"seed": 2, "minutes": 12, "clusters": 20}


def digests(folder: Path) -> dict[str, str]:
    """Of each file a digest of its length and of its numbers' mean and spread, to five digits.

    No processor changes these; the last bits of a file it may.
    """
    found = {}
    for file in sorted(folder.rglob("*")):
        if file.suffix == ".npy":
            content = pd.DataFrame({"": np.load(file).reshape(-1)})
        elif file.suffix in (".pqt", ".csv") and file.parent != folder:
            content = pd.read_parquet(file) if file.suffix == ".pqt" else pd.read_csv(file)
        else:
            continue
        numbers = content.select_dtypes("number").astype(float)
        said = [len(content), *(f"{value:.5g}" for value in (*numbers.mean(), *numbers.std()))]
        found[file.relative_to(folder).as_posix()] = hashlib.md5(repr(said).encode()).hexdigest()[:10]
    return found


def test_the_version_is_raised_when_what_is_built_changes(small_sample):
    kept = json.loads(RECORD.read_text(encoding="utf-8"))
    assert kept["version"] == sample.VERSION, "write the record again, as the top of this file says"
    now = digests(small_sample)
    changed = [name for name in {*now, *kept["files"]} if now.get(name) != kept["files"].get(name)]
    assert changed == [], "raise sample.VERSION and write the record again, as the top of this file says"


def test_a_sample_of_an_older_version_is_built_again_and_that_is_said(tmp_path, monkeypatch, said):
    few = [replace(plans.MAIN, minutes=12, clusters=4, cameras=(), after=None)]
    built = sample.ensure(tmp_path, plans=few, seed=2)
    assert sample.is_complete(tmp_path) and said() == ""
    monkeypatch.setattr(sample, "VERSION", sample.VERSION + 1)
    assert not sample.is_complete(tmp_path)
    before = digests(built)
    assert sample.ensure(tmp_path, plans=few, seed=2) == built and sample.is_complete(tmp_path)
    assert said() == f"{tmp_path / 'sample'} is of another version of the simulation: it is built again."
    assert digests(built) == before


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        files = digests(sample.build(Path(temporary) / "sample", **SMALL))
    RECORD.write_text(json.dumps({"version": sample.VERSION, "files": files}, indent=0) + "\n", encoding="utf-8")
