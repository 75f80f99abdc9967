"""One analysis over many sessions, and what is published of the release."""

from . import release as release
from .aggregates import aggregate as aggregate
