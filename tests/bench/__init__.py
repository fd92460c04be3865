"""Measurements: ratios and medians side by side in one run, never an absolute time that a test would assert."""

_OPEN = ("CONNECTIONS", "OPEN_SOCKETS", "OPEN_FOLLOWERS")
_BOUNDS = (*_OPEN, "RUNS_A_MINUTE", "SECRETS_A_MINUTE", "SIGN_INS_A_MINUTE", "DRAFTS_A_MINUTE", "DRAFTS_KEPT")
UNBOUNDED = dict.fromkeys(_BOUNDS, "1000000")
"""The crowds here are one person, as no honest person is."""
