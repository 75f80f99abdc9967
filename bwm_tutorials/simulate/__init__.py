"""A synthetic mouse, its session and its neurons, written to disk exactly as the release is.

`session.session` makes one in memory; `sample` builds what ``connect('sample')`` opens. Nothing here is evidence about
brains: it is made so that what was put in is known.
"""
