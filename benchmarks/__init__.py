"""Ratios against the raw driver, measured in one run: `python -m benchmarks`."""
