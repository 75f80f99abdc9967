"""The learner's own files: a working copy of the lessons, progress, and saves."""
