"""``python -m bwm_tutorials`` is the command ``bwm-tutorials``; it also works before anything is installed."""

import sys

from .workshop.cli import main

sys.exit(main())
