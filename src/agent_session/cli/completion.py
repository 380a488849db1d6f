"""`agent-session completion`: what a shell needs to complete command lines; and the answers to its questions.

The scripts know nothing of the command line: they hand the words over (`agent-session __complete WORD...`, the last one as far as
it is typed) and offer what is answered: an offer a line, its word and after a tab what it means, then maybe `:files` or
`:directories`. Nothing is answered, and nothing said, where something is wrong: it would land in somebody's prompt.
"""

import contextlib
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from agent_session.cli import grammar
from agent_session.cli.grammar import Grammar, Option, Verb
from agent_session.errors import UsageError

RUNNING = {"attach", "exec", "send", "screen", "stop", "chat", "prompt", "answer", "models"}
STOPPED = {"rm", "restart"}

BASH = r"""# bash completion for agent-session: source <(agent-session completion bash)
_agent_session() {
  local word meaning files= cut="${COMP_LINE:0:COMP_POINT}" tail
  COMPREPLY=()
  # What readline takes for the word begins after the last colon or equals sign of ours.
  tail=${cut##*[[:space:]]}
  case $COMP_WORDBREAKS in *:*) ;; *) tail=${tail//:/} ;; esac
  tail=${tail%"${tail##*[:=]}"}
  while IFS=$'\t' read -r word meaning; do
    case $word in
      :*) files=$word ;;
      *) COMPREPLY+=("${word#"$tail"}") ;;
    esac
  done < <("$1" __complete --line "$cut" 2>/dev/null </dev/null)
  case ${#COMPREPLY[@]},${COMPREPLY[0]-} in 1,*:) compopt -o nospace 2>/dev/null ;; esac
  case $files,${#COMPREPLY[@]} in
    :files,0) compopt -o default -o bashdefault 2>/dev/null ;;
    :directories,0) compopt -o dirnames 2>/dev/null ;;
  esac
}
complete -F _agent_session agent-session
"""

ZSH = r"""#compdef agent-session
# zsh completion for agent-session: source <(agent-session completion zsh), after compinit
_agent_session() {
  local line word meaning files
  local -a answer values shown open openshown
  answer=("${(@f)$("${(Q)words[1]}" __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null </dev/null)}")
  for line in $answer; do
    word=${line%%$'\t'*} meaning=${line#*$'\t'}
    case $word in
      :*) files=$word ;;
      *:) open+=("$word") openshown+=("$word  -- $meaning") ;;
      ?*) values+=("$word") shown+=("$word  -- $meaning") ;;
    esac
  done
  (( $#values )) && compadd -Q -l -d shown -- "${values[@]}"
  (( $#open )) && compadd -Q -S '' -l -d openshown -- "${open[@]}"
  case $files in
    :files) _files ;;
    :directories) _files -/ ;;
  esac
}
if [[ ${funcstack[1]-} = _agent-session ]]; then _agent_session "$@"; else compdef _agent_session agent-session; fi
"""

FISH = r"""# fish completion for agent-session: agent-session completion fish | source
function __agent_session_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    for line in ($program __complete $words 2>/dev/null </dev/null)
        switch $line
            case :files
                __fish_complete_path (commandline -ct)
            case :directories
                __fish_complete_directories (commandline -ct) ''
            case '*'
                echo $line
        end
    end
end
complete -c agent-session -f -a '(__agent_session_complete)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
FILES = {
    "FILE": ":files",
    "PATH": ":files",
    "SRC": ":files",
    "DST": ":files",
    "PROJECT": ":directories",
    "DIRECTORY": ":directories",
}

Shell = Annotated[str, typer.Argument(metavar="bash|zsh|fish", help="The shell.")]


def completion(shell: Shell) -> None:
    """Print what makes a shell complete verbs, options, sessions and agents.

    Once: source <(agent-session completion bash). Always: that line in ~/.bashrc; for zsh likewise in ~/.zshrc, after compinit;
    for fish: agent-session completion fish > ~/.config/fish/completions/agent-session.fish
    """
    if shell not in SCRIPTS:
        raise UsageError(f"there is no completion for {shell!r}", hint="agent-session completion bash")
    print(SCRIPTS[shell], end="")


@dataclass(kw_only=True)
class Typed:
    """What is understood of a command line before the word that is being typed."""

    verb: Verb | None = None
    taken: list[str] = field(default_factory=list)
    awaits: list[str] = field(default_factory=list)  # the kinds of values that come next
    literal: bool = False  # `--` was there: no options any more
    lost: bool = False  # there is no such verb


def answer(group: Any, words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Print the offers for the last of these words."""
    with contextlib.suppress(Exception):  # the error boundary of this mouth: nobody could read a word of it
        words = _split(words[1]) if words[:1] == ["--line"] else list(words)
        for word, meaning in offers(grammar.read(group), words, environment):
            print(f"{word}\t{meaning}" if meaning else word)
    return 0


def offers(known: Grammar, words: Sequence[str], environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Words that could stand in place of the last one, and what they mean; at the end `:files` or `:directories` where those can."""
    *before, current = words or [""]
    typed = understand(known, before)
    if typed.lost:
        return []
    start = ""
    if typed.awaits:
        found = _values(typed.awaits[0], typed, environment)
    elif current.startswith("-") and not typed.literal:
        name, equals, _ = current.partition("=")
        option = _option(known, typed, name)
        if equals and option:
            start = name + equals
            found = _values(option.metavar, typed, environment)
        else:
            options = typed.verb.options if typed.verb else known.options
            found = [(name, grammar.sentence(option.help)) for option in options for name in option.names]
    elif typed.verb is None:
        found = [(verb.name, grammar.sentence(verb.help)) for verb in known.verbs.values()]
    else:
        found = _arguments(typed, environment)
    return [
        (word if word.startswith(":") else start + word, meaning)
        for word, meaning in found
        if word.startswith(":") or (start + word).startswith(current)
    ]


def understand(known: Grammar, words: Iterable[str]) -> Typed:
    """Read complete words, as the parser would."""
    typed = Typed()
    for word in words:
        if typed.awaits:
            typed.awaits.pop(0)
        elif word == "--" and not typed.literal:
            typed.literal = True
        elif word.startswith("-") and word != "-" and not typed.literal:
            typed.awaits = _awaiting(known, typed, word)
        elif typed.verb is None:
            typed.verb = known.verbs.get(word)
            typed.lost = typed.verb is None
            if typed.lost:
                break
        else:
            typed.taken.append(word)
    return typed


def _awaiting(known: Grammar, typed: Typed, word: str) -> list[str]:
    """The kinds of values that the next words are, after --name, -n, or the last letter of -dn."""
    if word.startswith("--"):
        option = _option(known, typed, word)
        return option.metavar.split() if option else []
    for place, letter in enumerate(word[1:], 2):
        option = _option(known, typed, f"-{letter}")
        if option and option.metavar:
            return option.metavar.split() if place == len(word) else []
    return []


def _option(known: Grammar, typed: Typed, name: str) -> Option | None:
    options = typed.verb.options if typed.verb else known.options
    return next((option for option in options if name in option.names), None)


def _arguments(typed: Typed, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    assert typed.verb
    arguments, place = typed.verb.arguments, len(typed.taken)
    if place >= len(arguments) and not (arguments and arguments[-1].several):
        return []
    argument = arguments[min(place, len(arguments) - 1)]
    if argument.kind == "DST" and ":" in typed.taken[0]:
        return [(":files", "")]
    found = _values(argument.kind, typed, environment)
    return [offer for offer in found if not (argument.several and offer[0] in typed.taken)]


def _values(metavar: str, typed: Typed, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """What a value of that kind can be."""
    if "|" in metavar:
        return [(word, "") for word in metavar.split("|") if word.islower()]
    kind = re.split(r"\W", metavar)[0]
    if kind == "STATE":
        from agent_session.states import VALUES

        return [(state, "") for state in VALUES]
    found = [(FILES[kind], "")] if kind in FILES else []
    if kind == "NAME" or kind in {"SRC", "DST"}:
        end = "" if kind == "NAME" else ":"
        return [(name + end, meaning) for name, meaning in _sessions(typed, environment)] + found
    if kind == "AGENT":
        return _agents()
    if kind == "KEY":
        from agent_session.screens import KEY_NAMES

        return [(name, "") for name in KEY_NAMES]
    return found


def _sessions(typed: Typed, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    from agent_session import glance

    verb = typed.verb.name if typed.verb else ""
    return [
        (one.name, f"{one.agent}, {'running' if one.running else 'stopped'}")
        for one in glance.sessions(environment)
        if not (verb in RUNNING and not one.running) and not (verb in STOPPED and one.running)
    ]


def _agents() -> list[tuple[str, str]]:
    from agent_session import places

    return [
        (name, "")
        for name in sorted(
            {file.parent.name for folder in places.agent_folders() for file in folder.glob("*/agent.yaml")}
        )
    ]


def _split(line: str) -> list[str]:
    """The words after the program's name, the last one as far as it is typed; a quote may be open."""
    for closing in ("", '"', "'"):
        try:
            words = shlex.split(line + closing)
        except ValueError:
            continue
        return [*words[1:], ""] if line[-1:].isspace() and not closing else words[1:]
    return []
