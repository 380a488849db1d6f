"""`agent-session completion`: the scripts for shells. Their questions are answered in `candidates`.

The scripts know nothing of the command line: they hand the words over (`agent-session __complete WORD...`,
the last one as far as it is typed) and offer what is answered: an offer a line, its word and after a tab what
it means, then maybe `:files` or `:directories`.
"""

from typing import Annotated

from agent_session.cli.context import Invocation
from agent_session.cli.parameters import Argument
from agent_session.errors import Hint, UsageError

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
  local -i width=0
  local -a answer values shown open openshown
  answer=("${(@f)$("${(Q)words[1]}" __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null </dev/null)}")
  for line in $answer; do
    word=${line%%$'\t'*}
    (( $#word > width )) && width=$#word
  done
  for line in $answer; do
    word=${line%%$'\t'*} meaning=${line#*$'\t'}
    case $word in
      :*) files=$word ;;
      *:) open+=("$word") openshown+=("${(r:width:)word}  -- $meaning") ;;
      ?*) values+=("$word") shown+=("${(r:width:)word}  -- $meaning") ;;
    esac
  done
  (( $#values )) && compadd -Q -l -d shown -- "${values[@]}"
  (( $#open )) && compadd -Q -S '' -l -d openshown -- "${open[@]}"
  case $files in
    :files) _files ;;
    :directories) _files -/ ;;
  esac
}
if [[ ${funcstack[1]-} = _agent-session ]]; then
  _agent_session "$@"
else
  compdef _agent_session agent-session
fi
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
Shell = Annotated[str, Argument(metavar="bash|zsh|fish", help="The shell.")]


def completion(_invocation: Invocation, shell: Shell) -> None:
    """Print what makes a shell complete verbs, options, sessions and agents.

    Once: source <(agent-session completion bash). Always: that line in ~/.bashrc; for zsh also in ~/.zshrc,
    after compinit; for fish: agent-session completion fish > ~/.config/fish/completions/agent-session.fish
    """
    if shell not in SCRIPTS:
        raise UsageError(f"there is no completion for {shell!r}", hint=Hint("completion", ["bash"]))
    print(SCRIPTS[shell], end="")
