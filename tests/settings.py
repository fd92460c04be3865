"""The settings of what runs inside the test process itself; servers under test read their own environment."""

import os

os.environ.setdefault("DEBUG", "1")

from config.settings import *  # noqa: F403
