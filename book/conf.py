"""Settings of Sphinx for the book, and what is added to it: a term in italics shows its definition on hover."""

from collections.abc import Iterator

from docutils import nodes
from numpy.typing import ArrayLike
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.typing import stringify_annotation

project = html_title = "bwm-tutorials"
author = "bwm-tutorials contributors"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

nb_execution_mode = "off"  # the committed outputs are shown
myst_heading_anchors = 3

add_module_names = False
autodoc_member_order = "bysource"
default_role = "py:obj"
napoleon_use_param = napoleon_use_rtype = False  # else words like n_trials in a shape become links
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!bwm_tutorials\.).*")]  # other projects' pages are not on this computer

html_theme = "sphinx_book_theme"
html_theme_options = {"use_repository_button": True, "use_download_button": False, "navbar_persistent": []}
html_context = {"default_mode": "light"}  # as the figures are
html_favicon = "static/favicon.svg"
html_static_path = ["static"]
html_css_files = ["book.css"]
html_copy_source = html_use_index = html_domain_indices = False
html_show_sphinx = False
html_show_copyright = False

GLOSSARY = "notebooks/glossary"


class Terms(SphinxPostTransform):
    """Make each term of the glossary that stands in italics a link to its entry, with the definition as its title."""

    default_priority = 5

    def run(self, **kwargs: object) -> None:
        terms = dict(self.terms())
        page = self.app.builder.get_relative_uri(self.env.docname, GLOSSARY)
        here = self.env.docname == GLOSSARY
        for word in list(self.document.findall(nodes.emphasis)):
            name = word.astext().lower()
            anchor, definition = terms.get(name) or terms.get(name.removesuffix("s")) or ("", "")
            own_entry = here and anchor in word.parent.parent["ids"]
            if definition and not own_entry and not isinstance(word.parent, nodes.reference):
                link = nodes.reference(internal=True, refuri=f"{page}#{anchor}", reftitle=definition, classes=["term"])
                word.replace_self(link)
                link += word

    def terms(self) -> Iterator[tuple[str, tuple[str, str]]]:
        """Terms in lower case with anchor and definition: what entries explain besides, then what they are called."""
        sections = list(self.env.get_doctree(GLOSSARY).findall(nodes.section))[1:]
        entries = [(entry, (entry["ids"][0], " ".join(part.astext() for part in entry[1:]))) for entry in sections]
        for entry, explained in entries:
            yield from ((word.astext().lower(), explained) for word in entry.findall(nodes.emphasis))
        for entry, explained in entries:
            yield from ((name, explained) for name in entry[0].astext().lower().split(", "))


def keep_colons(app: Sphinx, what: str, name: str, found: object, options: object, lines: list[str]) -> None:
    """Keep napoleon from taking what stands before a colon, in the first line of a value's words, for its type."""
    if what in {"data", "attribute", "property"}:
        lines[:0] = ["..", ""]  # a comment


def skip_fields(app: Sphinx, what: str, name: str, found: object, skip: bool, options: object) -> bool | None:
    """Leave out the fields of a named tuple, of which Python says that they are fields."""
    return True if (getattr(found, "__doc__", None) or "").startswith("Alias for field number") else None


def short_types(app: Sphinx, what: str, name: str, found: object, options: object, signature: str, returned: str):
    """Write ArrayLike for the six types that it stands for."""
    long = stringify_annotation(ArrayLike, "smart")
    return (signature or "").replace(long, "~numpy.typing.ArrayLike") or None, returned


def setup(app: Sphinx) -> None:
    app.add_post_transform(Terms)
    app.connect("autodoc-process-docstring", keep_colons, priority=400)  # before napoleon's, at 500
    app.connect("autodoc-process-signature", short_types)
    app.connect("autodoc-skip-member", skip_fields)
