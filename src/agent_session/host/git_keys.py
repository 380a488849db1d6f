"""Which keys of git's config name a program, and which are a user's harmless preferences."""

import re

COMMANDS = re.compile(
    r"core\.(fsmonitor|sshcommand|pager|editor|askpass|gitproxy|hookspath|alternaterefscommand)"
    r"|sequence\.editor|alias\..*|pager\..*|include(if\..*)?\.path|init\.templatedir"
    r"|(filter|diff|merge|difftool|mergetool|guitool|trailer|browser|man|hook)"
    r"\..*\.(clean|smudge|process|command|textconv|driver|cmd|path)"
    r"|diff\.external|gpg\.(.*\.)?program|credential\.(.*\.)?helper|sendemail\..*(cmd|smtpserver)"
    r"|interactive\.difffilter|remote\..*\.(receivepack|uploadpack|vcs)|submodule\..*\.update"
    r"|gc\.recentobjectshook|lfs\.customtransfer\..*\.path|uploadpack\.packobjectshook",
    re.DOTALL,
)
"""Keys of git's config whose value is a command, or a file with more of them."""

PREFERENCES = re.compile(
    r"user\.(name|email|useconfigonly)|(author|committer)\.(name|email)|init\.defaultbranch"
    r"|core\.(autocrlf|eol|safecrlf|quotepath|whitespace|commentchar|commentstring|abbrev)"
    r"|commit\.(verbose|cleanup|status)|tag\.sort|format\.pretty|blame\.[a-z]*(?<!file)"
    r"|interactive\.singlekey"
    r"|(diff|merge)\.(?!external|tool|guitool|orderfile|verifysignatures)[a-z]*"
    r"|(push|pull|fetch|transfer)\.(?!gpgsign)[a-z]*"
    r"|(advice|am|apply|branch|checkout|clone|column|gc|grep|help|index|log|rebase|rerere|stash|status"
    r"|submodule|versionsort|worktree)\.[a-z]*|color\.[a-z.]*"
)
"""Keys whose value is the same on any machine, and no secret."""


def is_preference(key: str, value: str) -> bool:
    """Whether a setting can be taken to another machine; an alias can if it is no command of a shell."""
    if key.startswith("alias."):
        return not value.startswith("!")
    return PREFERENCES.fullmatch(key) is not None and not COMMANDS.fullmatch(key)


def names_a_program(key: str, value: str) -> bool:
    """Whether a setting is a command of this machine, that another one may not have."""
    if key.startswith(("include", "core.hookspath", "init.")) or value.lower() in {"true", "false", ""}:
        return False
    return COMMANDS.fullmatch(key) is not None and not is_preference(key, value)
