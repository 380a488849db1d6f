"""Lines of a program in colours: each word has the class of its kind, so that the policy holds."""

from collections.abc import Sequence

from markupsafe import Markup, escape

KINDS = (
    ("Token.Comment", "c"), ("Token.Keyword", "k"), ("Token.Literal.String", "s"),
    ("Token.Literal.Number", "m"), ("Token.Name.Function", "f"), ("Token.Name.Class", "f"),
    ("Token.Name.Tag", "k"), ("Token.Name.Attribute", "f"), ("Token.Operator.Word", "k"),
)  # fmt: skip
"""What Pygments calls a word, and the class that it has in page.css."""
MOST = 2000
"""Lines of one file that get colours; more take too long."""


def coloured(path: str, lines: Sequence[str]) -> list[Markup]:
    """Return lines as HTML, in the colours of the language that a file's name tells; plain for any other."""
    plain = [escape(line) for line in lines]
    if len(lines) > MOST:
        return plain
    from pygments.lexers import get_lexer_for_filename  # only who looks at changes pays for it
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_for_filename(path, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return plain
    found, line = [], Markup("")
    for token, text in lexer.get_tokens("\n".join(lines)):
        kind = next((name for begin, name in KINDS if str(token).startswith(begin)), "")
        for number, part in enumerate(text.split("\n")):
            if number:
                found.append(line)
                line = Markup("")
            if part:
                line += Markup('<i class="{}">{}</i>').format(kind, part) if kind else escape(part)
    found.append(line)
    return found if len(found) == len(lines) else plain
