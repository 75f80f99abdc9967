"""Ask a server with patience: what it does wrong is tried again, or said in one sentence."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import requests
from urllib3.exceptions import ReadTimeoutError

from ...console import say
from ...errors import CorruptData, DataError, MissingDataset, Refused, Unreachable, cause

ATTEMPTS = 5  # in a row that bring nothing
PAUSE = 0.5  # s before the second attempt; doubled for each further one
TIMEOUT = (10, 20)  # s: to connect, and without a byte
LONGEST = 60  # s that a busy server may ask to wait
SAID = 2  # s that nobody is told of

T = TypeVar("T")


class Failed(Exception):
    """An attempt failed in a way that another may not.

    ``error`` is what it comes to after the last one, ``pause`` the seconds that the server asks for; of a server that
    is ``silent`` nothing more is expected.
    """

    def __init__(self, reason: str, error: type[DataError] = Unreachable, pause: float = 0, silent: bool = False):
        super().__init__(reason)
        self.error, self.pause, self.silent = error, pause, silent


def busy(status: int, headers: Mapping[str, str]) -> Failed:
    """What it comes to that a server is too busy, or fails."""
    wish = {name.lower(): value for name, value in headers.items()}.get("retry-after", "")
    return Failed(f"the server answers {status}", pause=float(wish) if wish.isdigit() else 0)


@contextmanager
def response(web: requests.Session, url: str, headers: dict[str, str]) -> Iterator[requests.Response]:
    """A response that has a body to read; what the network or the server does wrong is `Failed`, or final."""
    try:
        with web.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            status = answer.status_code
            if status in (404, 410):
                raise MissingDataset(f"The server does not have {url} ({status}): it was moved or removed.")
            if status == 429 or status >= 500:
                raise busy(status, answer.headers)
            if status not in (200, 206, 416):
                raise Refused(
                    f"The server refuses {url} ({status}): if a browser on another network gets it, a firewall or "
                    "proxy of yours is in the way."
                )
            yield answer
    except requests.exceptions.RequestException as error:
        silent = isinstance(error, requests.exceptions.Timeout) or any(
            isinstance(each, ReadTimeoutError) for each in error.args
        )
        raise Failed(innermost(error), silent=silent) from error


def innermost(error: BaseException) -> str:
    """What an error comes from, which tells more than what wraps it."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return getattr(error, "strerror", None) or cause(error)


def persist(
    attempt: Callable[[], T],
    url: str,
    wait: Callable[[float], object] = time.sleep,
    position: Callable[[], int] = lambda: 0,
) -> T:
    """Try as long as attempts bring something, and a few times more, with longer and longer pauses."""
    number, reached = 0, position()
    while True:
        try:
            return attempt()
        except Failed as error:
            failed = error
        more, reached = position() > reached, max(position(), reached)
        number = 1 if more and failed.error is not CorruptData else number + 1
        if number == ATTEMPTS or (failed.silent and not more):
            break
        pause = min(max(failed.pause, PAUSE * 2 ** (number - 1)), LONGEST)
        if failed.pause > SAID:
            say(f"{url.partition('?')[0]} asks to wait: {pause:.0f} s …")
        wait(pause)
    attempts = "" if failed.silent else f" in {number} attempts"
    raise failed.error(
        f"{url} could not be fetched{attempts} ({failed}): check the network connection and try again later; the "
        "lessons' sample needs no network."
    ) from failed
