"""Functional effects for databases."""
