"""Orders to OpenCode, the real one: prompts of every kind, over its terminal and its API at once;
and who can reach its server.
"""

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.account import Account
from tests.models.model import Model
from tests.opencode import READY, session_of
from tests.storage import Storage
from tests.waiting import COMMAND_SECONDS, TIMEOUT, until

pytestmark = [pytest.mark.e2e]

HARD = {
    "many lines": "one\n\ttwo `three` $HOME \"four\" 'five'\n\n\\six",
    "a leading slash": "/new is only a text",
    "a leading dash": "--help is only a text",
    "other alphabets": "grüß 日本語 🍇 a\u0301 ‮right‬",
}


@pytest.fixture(scope="module")
def account(storage: Storage, opencode: str) -> Iterator[Account]:  # noqa: ARG001
    """With one session, whose OpenCode is idle."""
    with session_of(storage) as (account, model):
        model.shown(READY)
        model.begin()
        yield account


@pytest.fixture
def model(account: Account) -> Model:
    return Model(account)


def prompt(account: Account, text: str, *, code: int = 0) -> dict[str, Any]:
    """A turn's end, as JSON; 5 is that of one that waits for an answer."""
    ran = account.run("prompt", "--wait", "--json", "--timeout", TIMEOUT, "default", "-", stdin=text)
    assert ran.code == code, ran
    found: dict[str, Any] = json.loads(ran.out)
    return found


def asked(model: Model) -> str:
    """The user's words in the model's last turn."""
    content = [m["content"] for m in model.turns()[-1]["body"]["messages"] if m["role"] == "user"][-1]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


# The contract of all agents (tests/podman/test_agents_contract.py) has these as well, near the agent:
# here by the commands.
@pytest.mark.long
@pytest.mark.parametrize("text", HARD.values(), ids=HARD)
def test_a_text_arrives_as_it_is_written(account: Account, model: Model, text: str) -> None:
    model.script({"text": "Got it"})
    assert prompt(account, text)["text"] == "Got it"
    assert asked(model) == text


@pytest.mark.long
def test_a_text_of_a_megabyte_arrives_whole_and_an_answer_of_five_comes_back(
    account: Account, model: Model
) -> None:
    text = "a line of forty characters, or about it\n" * 24_900 + "the end"
    model.script({"big": 5_000_000})
    done = prompt(account, text)
    assert asked(model) == text
    assert done["text"] == "x" * 5_000_000
    assert done["state"]["value"] == "idle"
    follower = "cat /proc/$(pgrep -of 'agent/state --follow')/smaps_rollup"
    memory = account.inside("default", "sh", "-c", follower)
    assert int(next(line.split()[1] for line in memory.splitlines() if line.startswith("Pss:"))) < 10_000


def test_an_answer_tells_its_tools_and_what_was_used(account: Account, model: Model) -> None:
    call = {"command": "echo PLUM", "description": "say"}
    model.script({"text": "First", "tool": "bash", "input": call}, {"text": "It said so"})
    waiting = prompt(account, "say it", code=5)
    assert waiting["state"]["value"] == "waiting"
    assert waiting["tools"] == [{"name": "bash", "input": call}]
    refused = account.run("prompt", "default", "too early")
    assert refused.code == 5
    assert "echo PLUM" in refused.err
    account.ok("answer", "default", "once")
    account.ok("wait", "--until", "idle", "--timeout", TIMEOUT, "default")
    model.script({"text": "done"})
    done = prompt(account, "thanks")
    assert done["usage"] == {"input_tokens": 12, "output_tokens": 7}
    assert done["duration_s"] > 0


def test_a_refusal_can_say_what_to_do_instead(account: Account, model: Model) -> None:
    model.script(
        {"tool": "bash", "input": {"command": "rm x", "description": "remove"}}, {"text": "As you like"}
    )
    assert prompt(account, "remove it", code=5)["state"]["value"] == "waiting"
    refused = account.run("answer", "default", "rather keep the LOQUAT")
    assert (refused.code, "agent-session answer default reject -m" in refused.err) == (2, True)
    said = account.ok("answer", "default", "reject", "-m", "rather keep the LOQUAT")
    assert said == "rejected with a message: bash: rm x\n"
    model.shown("As you like")
    assert "LOQUAT" in json.dumps(model.turns()[-1]["body"]["messages"])


@pytest.mark.long
def test_of_two_prompts_at_once_one_is_taken_and_the_other_refused(account: Account, model: Model) -> None:
    account.ok("wait", "--until", "idle", "--timeout", TIMEOUT, "default")
    model.script({"text": "Only one", "delay": 2})
    with ThreadPoolExecutor() as both:
        codes = sorted(
            ran.code
            for ran in both.map(lambda text: account.run("prompt", "default", text), ["left", "right"])
        )
    assert codes == [0, 5]
    account.ok("wait", "--until", "idle", "--timeout", TIMEOUT, "default")
    assert len(model.turns()) == 1


def test_terminal_and_api_are_one_conversation(account: Account, model: Model) -> None:
    model.script({"text": "Answer to a TYPED word"}, {"text": "Answer to a POSTED word"})
    account.tell("default", "typed word")
    model.shown("TYPED")
    account.ok("wait", "--until", "idle", "--timeout", TIMEOUT, "default")
    (session,) = json.loads(account.ok("ls", "--json"))
    password = json.loads(account.ok("status", "--json", "--secrets"))["secrets"]["server_password"]
    url, login = session["host_url"], ["-u", f"opencode:{password}"]
    curl = ["curl", "-sf", "--noproxy", "*", "-m", "30", *login]
    found = json.loads(
        subprocess.run([*curl, f"{url}/session?roots=true"], capture_output=True, check=True).stdout
    )
    newest = max(found, key=lambda one: one["time"]["updated"])
    body = json.dumps({"parts": [{"type": "text", "text": "posted word"}]})
    post = [
        *curl,
        "-H",
        "content-type: application/json",
        "-d",
        body,
        f"{url}/session/{newest['id']}/message",
    ]
    subprocess.run(post, capture_output=True, check=True)
    assert "typed word" in model.shown("POSTED")
    assert "typed word" in json.dumps(model.turns()[-1]["body"]["messages"])


def test_a_server_that_is_killed_in_the_middle_of_an_answer_is_told(account: Account, model: Model) -> None:
    account.ok("wait", "--until", "idle,failed", "--timeout", TIMEOUT, "default")
    model.script({"text": "a slow answer", "pause": 3})
    asking = account.begin("prompt", "--wait", "default", "slowly")
    model.shown("a sl")
    account.inside("default", "pkill", "-KILL", "-f", "^[^ ]*opencode serve ")
    _, err = asking.communicate(timeout=COMMAND_SECONDS)
    assert asking.returncode == 10, err
    assert "OpenCode's server" in err
    account.ok("wait", "--until", "failed", "--timeout", TIMEOUT, "default")


def test_its_models_are_told_with_the_one_it_uses(account: Account) -> None:
    until(lambda: account.run("models", "default").code == 0, "its server")
    found = json.loads(account.ok("models", "default", "--json"))
    assert "scripted/m" in json.dumps(found)


def test_nobody_reaches_it_without_its_password_or_from_outside(account: Account) -> None:
    (session,) = json.loads(account.ok("ls", "--json"))
    password = json.loads(account.ok("status", "--json", "--secrets"))["secrets"]["server_password"]
    assert session["base_url"] == "http://agent_default:4096"
    url = session["host_url"]
    curl = ["curl", "-s", "--noproxy", "*", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}"]

    def answers(*more: str) -> str:
        return subprocess.run([*curl, *more], capture_output=True, text=True, check=False).stdout

    assert answers(f"{url}/global/health") == "401"
    assert answers("-u", f"opencode:{password}", f"{url}/global/health") == "200"
    port = url.rpartition(":")[2]
    addresses = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout.split()
    assert all(
        answers("-m", "2", f"http://{address}:{port}/") == "000"
        for address in addresses
        if ":" not in address
    )
    assert password not in json.dumps(account.inspect())
    assert password not in account.podman("logs", "agent_default")
    assert password not in account.inside("default", "ps", "-eo", "args")
    assert (
        account.inside(
            "default", "stat", "-c", "%a", "/home/agent/.local/state/agent-session/server-password"
        )
        == "600"
    )
    reach = [*curl, "-u", f"opencode:{password}", "http://agent_default:4096/global/health"]
    image = account.inspect()["ImageName"]
    neighbour = ["run", "--rm", "--network", "agent-session", "--entrypoint", "", image, *reach]
    assert account.podman(*neighbour) == "200"
    stranger = ["run", "--rm", "--entrypoint", "", image, *reach]
    assert account.podman_done(*stranger).out.strip() != "200"


def test_a_login_that_comes_later_is_taken_at_once(account: Account) -> None:
    entry = {"type": "oauth", "access": "gho_later", "refresh": "gho_later", "expires": 0}
    given = json.dumps({"files": {"auth.json": json.dumps({"github-copilot": entry})}})
    command = f"/usr/lib/agent-session/agent-command take-login <<'END'\n{given}\nEND"
    assert json.loads(account.inside("default", "sh", "-c", command)) == {"taken": ["github-copilot"]}
    file = "/home/agent/.local/share/opencode/auth.json"
    assert json.loads(account.inside("default", "cat", file))["github-copilot"] == entry
