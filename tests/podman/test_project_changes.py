"""A session of Podman gets another project and loses it, and all it holds stays."""

import json

from tests.account import Account


def test_a_running_session_gets_a_project_and_loses_it_again(account: Account) -> None:
    project, docs = account.project(note="here"), account.project("docs", page="read me")
    account.ok("start", "-d", "-a", "shell", "-n", "web", project)
    account.inside("web", "sh", "-c", "echo kept >~/talk")
    assert account.ok("add", "web", f"{docs}:ro") == "web\n"
    assert account.inside("web", "sh", "-c", "cat ~/talk /workspace/docs/page") == "kept\nread me"
    account.inside("web", "sh", "-c", "! touch /workspace/docs/no 2>/dev/null")
    assert account.ok("exec", "web", "pwd").strip() == "/workspace/app"
    (found,) = json.loads(account.ok("ls", "--json"))
    assert [(one["target"], one["read_only"]) for one in found["projects"]] == [
        ("/workspace/app", False),
        ("/workspace/docs", True),
    ]
    account.ok("drop", "web", docs)
    account.inside("web", "sh", "-c", "! test -e /workspace/docs/page")
    assert account.ok("exec", "web", "pwd").strip() == "/workspace/app"
    assert (docs / "page").read_text() == "read me"
    account.ok("stop", "web")
