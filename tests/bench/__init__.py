"""Measurements: ratios and medians side by side in one run, never an absolute time that a test would assert."""

_BOUNDS = ("OPEN_SOCKETS", "OPEN_FOLLOWERS", "RUNS_A_MINUTE", "SECRETS_A_MINUTE", "DRAFTS_A_MINUTE", "DRAFTS_KEPT")
UNBOUNDED = dict.fromkeys(_BOUNDS, "1000000")
"""The crowds here are one person, as no honest person is."""
