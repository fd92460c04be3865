"""The settings, but for a gateway whose stream is given up after seconds of silence."""

from gateway import streams
from tests.settings import *  # noqa: F403

streams.CONFIRMATION_SILENCE = 2  # seconds
