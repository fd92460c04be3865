"""The settings, but for people who check who somebody is, and whether a process died, every other second."""

from tests.settings import *  # noqa: F403

IDENTITY_CHECK = 2  # seconds
ANSWERING_LIMIT = 2  # seconds
