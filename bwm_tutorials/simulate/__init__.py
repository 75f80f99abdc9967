"""A synthetic mouse, its session and its neurons, written to disk exactly as the release is.

`session.session` makes one; `sample` builds what ``connect('sample')`` opens; `memory` draws counts without spikes, for
hundreds of sessions. Nothing here is evidence about brains: it is made so that what was put in is known.
"""
