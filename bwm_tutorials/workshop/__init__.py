"""What makes, checks, runs and hands out the lessons; no lesson imports it."""
