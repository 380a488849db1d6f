"""The man pages, in roff, made of what Typer knows: agent-session(1), and a page a verb.

They are made when the package is built: scripts/package_hook.py.
"""

import re
from collections.abc import Iterable

from agent_session.cli.schema import Grammar, Option, Verb, sentence

PROGRAM = "agent-session"
FILES = (
    (
        "~/.config/agent-session/config.yaml",
        "Choices, by the names of their variables: agent, name, projects, ...",
    ),
    (
        "~/.config/agent-session/versions.yaml",
        "Your own pins of what images are made of, in place of the shipped ones.",
    ),
    ("~/.local/share/agent-session/agents/", "Agents of your own, a folder each."),
    ("~/.local/state/agent-session/", "Logs of builds."),
)


def pages(known: Grammar, version: str) -> dict[str, str]:
    """File names and contents."""
    return {
        f"{PROGRAM}.1": _program(known, version),
        **{f"{PROGRAM}-{verb.name}.1": _verb(verb, version) for verb in known.verbs.values()},
    }


def _program(known: Grammar, version: str) -> str:
    verbs = [
        line
        for verb in known.verbs.values()
        for line in (".TP", f".BR {_text(f'{PROGRAM}-{verb.name}')} (1)", _text(_lower(verb.summary) + "."))
    ]
    files = [line for path, meaning in FILES for line in (".TP", f".I {_text(path)}", _text(meaning))]
    return _page(
        PROGRAM,
        version,
        *(".SH NAME", f"{_text(PROGRAM)} \\- {_text(_lower(sentence(known.help)))}"),
        *(
            ".SH SYNOPSIS",
            f".B {_text(PROGRAM)}",
            "[\\fIOPTION\\fR]... \\fICOMMAND\\fR [\\fIARGUMENT\\fR]...",
        ),
        *(".SH DESCRIPTION", *_paragraphs(known.help)),
        *(".SH COMMANDS", *verbs),
        *(".SH OPTIONS", *_options(known.options)),
        *(".SH EXIT STATUS", *_paragraphs(known.epilog.removeprefix("Exit codes: "))),
        *(".SH FILES", *files),
        *(".SH SEE ALSO", ".BR podman (1)"),
    )


def _verb(verb: Verb, version: str) -> str:
    arguments = [
        line
        for argument in verb.arguments
        for line in (".TP", f"\\fI{_text(argument.metavar)}\\fR", _text(argument.help))
    ]
    synopsis = " ".join(f"\\fI{_text(argument.metavar)}\\fR" for argument in verb.arguments)
    return _page(
        f"{PROGRAM}-{verb.name}",
        version,
        *(".SH NAME", f"{_text(f'{PROGRAM}-{verb.name}')} \\- {_text(_lower(verb.summary))}"),
        *(
            ".SH SYNOPSIS",
            f".B {_text(f'{PROGRAM} {verb.name}')}",
            f"[\\fIOPTION\\fR]... {synopsis}".rstrip(),
        ),
        *(".SH DESCRIPTION", *_paragraphs(verb.help)),
        *([".SH ARGUMENTS", *arguments] if arguments else []),
        *(".SH OPTIONS", *_options(verb.options)),
        *([".SH EXAMPLES", *_examples(verb)] if verb.examples else []),
        *(".SH EXIT STATUS", "0 when it is done; the others are in", f".BR {_text(PROGRAM)} (1)."),
        *(".SH SEE ALSO", f".BR {_text(PROGRAM)} (1)"),
    )


def _page(name: str, version: str, *lines: str) -> str:
    head = f'.TH "{_text(name.upper())}" 1 "" "{_text(f"{PROGRAM} {version}")}" "{_text(PROGRAM)}"'
    # A shell's command line is neither hyphenated nor stretched.
    return (
        "\n".join(
            [f'.\\" Made of `{PROGRAM} --help` when the package was built.', head, ".nh", ".ad l", *lines]
        )
        + "\n"
    )


def _options(options: Iterable[Option]) -> list[str]:
    lines = []
    for option in options:
        names = ", ".join(f"\\fB{_text(name)}\\fR" for name in option.names)
        lines += [
            ".TP",
            names + (f" \\fI{_text(option.metavar)}\\fR" if option.metavar else ""),
            _text(option.help),
        ]
    return lines


def _examples(verb: Verb) -> list[str]:
    return [line for command, meaning in verb.examples for line in (".TP", _text(command), _text(meaning))]


def _paragraphs(help_: str) -> list[str]:
    return [line for paragraph in help_.split("\n\n") for line in (".PP", _text(paragraph))]


def _lower(summary: str) -> str:
    return summary[:1].lower() + summary[1:]


def _text(words: str) -> str:
    """Words that are nothing but themselves in roff, in ASCII."""
    words = (
        words.replace("\\", "\\e")
        .replace("-", "\\-")
        .replace('"', "\\(dq")
        .replace("`", "\\(ga")
        .replace("^", "\\(ha")
    )
    words = re.sub(r"[^\x00-\x7f]", lambda found: f"\\[u{ord(found[0]):04X}]", words).replace("~", "\\(ti")
    return "\\&" + words if words.startswith((".", "'")) else words
