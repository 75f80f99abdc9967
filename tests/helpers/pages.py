"""Pages that commands write: where their links lead."""

import re
from html import unescape
from pathlib import Path


def dead_links(folder: Path) -> list[str]:
    """Relative links of all pages in a folder that lead to no file in it, or to no heading of one."""
    found = []
    for page in folder.glob("*.html"):
        for link in map(
            unescape, re.findall(r'(?:href|src)="(?!https?:|data:|mailto:|#)([^"]+)"', page.read_text("utf-8"))
        ):
            path, _, anchor = link.partition("#")
            target = folder / path
            if not target.is_file() or (anchor and f'id="{anchor}"' not in target.read_text("utf-8")):
                found.append(f"{page.name}: {link}")
    return found
