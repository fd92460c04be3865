"""Measurements: ratios and medians side by side in one run, never an absolute time that a test would assert."""
