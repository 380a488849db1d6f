"""What agents write, as HTML that can do no harm.

Markdown without HTML of its own, then an allow-list of tags.
"""

import re
from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

PARSER = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
    "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
ATTRIBUTES = {"a": {"href", "title"}, "code": {"class"}, "ol": {"start"}}
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
CONTINUES = re.compile(r"\s|[-*+>|]\s|\d{1,9}[.)]\s")
"""How a line begins that may belong to the block above the empty line before it."""
LONGEST = 200_000


@lru_cache(maxsize=4096)
def html(text: str) -> Markup:
    """Render a text; pictures and raw HTML are left out, links leave no trace of this page."""
    rendered = PARSER.render(text[:LONGEST])
    clean = nh3.clean(
        rendered,
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer",
    )
    return Markup(clean)


def blocks(text: str) -> list[str]:
    """Split a text that grows into blocks, of which nothing later changes any but the last."""
    found: list[str] = []
    lines: list[str] = []
    fence, empty = "", False
    for line in text.splitlines(keepends=True):
        opened = FENCE.match(line)
        if empty and not fence and not CONTINUES.match(line) and line.strip():
            found.append("".join(lines))
            lines = []
        if fence:
            closed = opened and opened[1].startswith(fence) and not line.strip().strip(fence[0])
            fence = "" if closed else fence
        elif opened:
            fence = opened[1]
        lines.append(line)
        empty = not line.strip()
    return [*found, "".join(lines)] if lines else found
