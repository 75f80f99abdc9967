from . import brainwide as brainwide
from . import plots as plots
from . import widgets as widgets
from .analysis import blocks as blocks
from .analysis import passive as passive
from .analysis import pose as pose
from .analysis import priors as priors
from .analysis import quality as quality
from .analysis import questions as questions
from .analysis import responses as responses
from .analysis import spikes as spikes
from .analysis import trials as trials
from .analysis import wheel as wheel
from .brainwide.auditing import audit as audit
from .course.checking import exercises as exercises
from .course.export import export as export
from .course.lacking import keep_going as keep_going
from .course.learner.progress import progress as progress
from .course.learner.saves import restore as restore
from .course.learner.saves import save as save
from .course.provenance import provenance as provenance
from .recordings.insertion import Insertion as Insertion
from .recordings.remote.plan import download_plan as download_plan
from .recordings.session import Session as Session
from .recordings.sources import connect as connect

__version__: str
