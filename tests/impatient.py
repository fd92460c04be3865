"""The settings, but for people who check who somebody is every other second."""

from tests.settings import *  # noqa: F403

IDENTITY_CHECK = 2  # seconds
