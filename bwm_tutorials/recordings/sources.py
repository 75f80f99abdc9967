"""Where recordings come from: one call, `connect`, gives a ONE instance whatever lies behind it."""

import os
from pathlib import Path

from ..errors import UnknownSource
from ..paths import PACKAGE, ROOT, SAMPLES, data_folder
from .local import LocalOne

SOURCES = (*SAMPLES, "real", "aws", "openalyx")


def connect(
    source: str | Path | None = None,
    *,
    base_url: str | None = None,
    username: str | None = None,
    password: str | None = None,
    token: str | None = None,
    offline: bool = False,
) -> LocalOne:
    """Open a source of recordings.

    Parameters
    ----------
    source : str or Path, optional
        ``'sample'`` (the synthetic sample, built on first use; the default, unless the environment variable
        ``BWM_SOURCE`` names another), ``'sample-release'`` (ten synthetic sessions of six mice, built on first
        use), ``'real'`` (the small real excerpt that comes with the project), ``'aws'`` (the 459 sessions of the
        Brain Wide Map from the AWS Open Data bucket, without an account), ``'openalyx'`` (the same through IBL's
        public database, with an account), or the path of a folder with ONE tables.
    base_url, username, password, token : str, optional
        Of ``'openalyx'``: another database, and an account there; without them the environment variables
        ``ALYX_URL``, ``ALYX_LOGIN``, ``ALYX_PWD`` and ``ALYX_TOKEN`` are looked at, and then you are asked.
    offline : bool
        Never ask a server: only what is on this computer is given. The environment variable ``BWM_OFFLINE`` says the
        same.

    Returns
    -------
    LocalOne
        A ONE instance: ``search``, ``list_datasets``, ``load_object``, ``load_dataset``, ``pid2eid``,
        ``eid2pid`` and ``search_insertions`` answer from tables on this computer. ``'aws'`` and ``'openalyx'`` fetch
        their tables when they are first opened, and a file when it is first loaded, into `paths.data_folder`.

    Raises
    ------
    UnknownSource
        There is no such source or folder, the folder has no tables, or it mixes synthetic and real labs.
    Unreachable
        The tables are not here yet, and the server cannot be reached or does not let you in.
    """
    source = source or os.environ.get("BWM_SOURCE") or "sample"
    account = {"base_url": base_url, "username": username, "password": password, "token": token}
    if source == "openalyx":
        from .remote.openalyx import OpenAlyxOne

        return OpenAlyxOne(data_folder() / "openalyx", **account, offline=offline)
    if given := [name for name, value in account.items() if value]:
        raise UnknownSource(f"Only the source 'openalyx' takes {' and '.join(given)}, not {str(source)!r}.")
    if source == "aws":
        from .remote.aws import AwsOne

        return AwsOne(data_folder() / "aws", offline)
    if source in SAMPLES:
        from ..simulate import sample

        return LocalOne(sample.ensure(name=source))
    if source == "real":
        in_wheel = PACKAGE / "data" / "real"
        return LocalOne(in_wheel if in_wheel.exists() or ROOT is None else ROOT / "data" / "real")
    folder = Path(source).expanduser().absolute()
    if not folder.is_dir():
        known = f"known sources are {', '.join(map(repr, SOURCES))} and the path of a folder with ONE tables"
        raise UnknownSource(f"There is no source {folder.name!r} and no folder {folder}; {known}.")
    return LocalOne(folder)
