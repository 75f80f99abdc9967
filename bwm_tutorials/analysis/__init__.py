"""Analyses: pure functions on arrays and tables, one module a topic."""
