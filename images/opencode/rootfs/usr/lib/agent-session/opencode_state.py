"""What OpenCode does, told by its own server: the events as they come, and what is pending when one begins to listen."""

import os
import time

import agent_state
import opencode_api as api

BOOT_SECONDS = 60
LOOK_SECONDS = 0.3  # nothing tells that a server has begun to listen
# One request may be lost while it boots, and a machine with much to do takes long: each is asked on a new connection.
HEALTHY_SECONDS = (2, 2, 5)
TELLING = (
    "session.status",
    "session.error",
    *(kind for kind in api.EVENTS if kind.startswith(("permission.", "question."))),
)
SOURCE = "OpenCode's server"
CUT = ("failed", "OpenCode's server ended in the middle of the turn")


class Follower:
    """Listens to the server, and knows the state of what the first pane shows."""

    def __init__(self):
        self.events = None
        self.tried = 0.0
        self.alone_since = time.time()
        self.trouble = ""
        self.busy = {}  # conversation: why it is still busy
        self.asked = {}  # request: question, in the order of asking
        self.errors = {}  # conversation: what went wrong in the turn it is in
        self.end = ("idle", "")  # of the last turn
        self.since = ""
        self.cut = ""  # since when there was a turn, as the server was lost
        self.before = None

    def files(self):
        """What can be read when something happens."""
        return [self.events.socket] if self.events else []

    def seconds(self):
        """How long nothing may happen without a look."""
        return api.SILENCE_SECONDS + 1 if self.events else LOOK_SECONDS

    def pids(self):
        """Whose end changes the state."""
        return [pid for pid in [terminal(agent_state.pane())] if pid]

    def state(self):
        """The state now."""
        self.listen()
        pane = agent_state.pane()
        if not terminal(pane):
            if pane and pane.status is not None:
                return self.told(**pane.end())
            return self.told("starting", "", source="pane")
        if self.events is None:
            return self.told(*self.without_server())
        return self.present()

    def without_server(self):
        """Value and reason while the server cannot be asked."""
        if time.time() - self.alone_since < BOOT_SECONDS and self.trouble == "":
            return "starting", "OpenCode's server is starting"
        return "unknown", self.trouble or f"OpenCode's server has not come up for {BOOT_SECONDS} s"

    def present(self):
        """What the server has said so far."""
        question = next(iter(self.asked.values()), None)
        if question:
            return self.told("waiting", question["text"], question=question)
        if self.busy:
            return self.told("working", next((reason for reason in self.busy.values() if reason), ""))
        return self.told(*self.end)

    def told(self, value, reason, *, question=None, source=SOURCE):
        """A state that began when it was first told."""
        key = (value, question)
        if key != self.before:
            self.before, self.since = key, agent_state.utc(time.time())
        state = {"value": value, "since": self.since, "reason": reason, "source": source}
        return state | {"question": question} if question else state

    def listen(self):
        """Take in what has happened; connect, or notice that the server is gone."""
        try:
            if self.events is None:
                if time.monotonic() - self.tried < LOOK_SECONDS / 2:
                    return
                self.tried = time.monotonic()
                self.connect()
            while happened := self.events.read():
                for event in happened:
                    self.take(event["type"], event["properties"])
                    self.present()  # for its `since`: several may have come at once
            if self.events.missed:
                self.look()
        except api.NotRunning:
            self.lose("")
        except (api.ServerError, OSError, KeyError, TypeError, AttributeError) as error:
            self.lose(
                str(error)
                if isinstance(error, api.ServerError)
                else "OpenCode's server says what is not understood"
            )

    def connect(self):
        """Listen first, then ask: nothing can be missed in between."""
        for seconds in HEALTHY_SECONDS:
            if api.healthy(seconds):
                break
            if not listens():
                raise api.NotRunning
        else:
            raise api.ServerError("OpenCode's server does not answer")
        self.events = api.Events(TELLING)
        self.look()
        self.trouble = ""

    def lose(self, trouble):
        """The server is gone, or wedged."""
        if self.events:
            self.events.close()
            self.events = None
            self.alone_since = time.time()
            self.cut = self.since if self.busy else ""
        self.trouble = trouble

    def look(self):
        """What is pending now, and how the last turn ended."""
        self.events.missed = False
        self.busy = {
            name: retrying(status) for name, status in api.call("status").items() if status["type"] != "idle"
        }
        self.asked = {}
        permissions, questions = pending(self.busy)
        for request in permissions:
            self.ask(request, permission(request))
        self.asked |= {request["id"]: question(request) for request in questions}
        self.errors = {}
        if not self.busy:
            self.end, ended = last_turn()
            if agent_state.utc(ended or 0) < self.cut:  # killed before it had written anything of its turn
                self.end, ended = CUT, None
            self.cut = ""
            self.before = (self.end[0], None)
            self.since = agent_state.utc(ended or time.time())

    def ask(self, request, question):
        """A permission is asked for; who approved all of them beforehand is not asked."""
        if approved():
            api.call("permit", requestID=request["id"], body={"reply": "once"})
        else:
            self.asked[request["id"]] = question

    def take(self, kind, of):
        """One event."""
        if kind == "session.status":
            self.turn(of["sessionID"], of["status"])
        elif kind == "session.error":
            self.errors[of.get("sessionID")] = how(of.get("error"))
            if of.get("sessionID") not in self.busy:
                self.over(of.get("sessionID"))
        elif kind == "permission.asked":
            self.ask(of, permission(of))
        elif kind == "question.asked":
            self.asked[of["id"]] = question(of)
        else:
            self.asked.pop(of["requestID"], None)

    def turn(self, name, status):
        """A conversation's status; it says idle twice after an error."""
        if status["type"] != "idle":
            if name not in self.busy:
                self.errors.pop(name, None)
            self.busy[name] = retrying(status)
        elif name in self.busy:
            del self.busy[name]
            self.over(name)

    def over(self, name):
        """A turn has ended."""
        self.end = self.errors.pop(name, ("idle", ""))
        self.asked = {key: asked for key, asked in self.asked.items() if asked["of"] != name}


def pending(busy):
    """Permissions and questions asked for by conversations that are in a turn; those of turns that were aborted stay in the server's lists."""
    permissions, questions = api.call("permissions"), api.call("questions")
    return tuple([one for one in found if one["sessionID"] in busy] for found in (permissions, questions))


def now():
    """The state at this moment, asked anew; since when, whoever has listened all the time knows better."""
    state = without_of(Follower().state())
    try:
        with open(f"{agent_state.RUN}/state") as file:
            kept = api.loads(file.read(100_000))["state"]
    except (OSError, KeyError, TypeError, api.ServerError):
        return state
    same = all(kept.get(key) == state.get(key) for key in ("value", "question"))
    return state | {"since": kept["since"]} if same else state


def without_of(state):
    """The state as it is told: which conversation asks concerns nobody else."""
    if "question" in state:
        state = state | {
            "question": {key: value for key, value in state["question"].items() if key not in {"of", "count"}}
        }
    return state


def terminal(pane):
    """The process of OpenCode's terminal in the first pane, None where there is none."""
    try:
        with open(f"{agent_state.RUN}/terminal") as file:
            pid = int(file.read(20))
    except (OSError, ValueError):
        return None
    return pid if pane and agent_state.started(pid) and agent_state.is_below(pid, pane.pid) else None


def listens():
    """Whether somebody listens on the server's port, answering or not."""
    wanted = f":{api.PORT:04X}"
    for name in ("tcp", "tcp6"):
        with open(f"/proc/net/{name}") as file:
            if any(line.split()[1].endswith(wanted) and line.split()[3] == "0A" for line in list(file)[1:]):
                return True
    return False


def approved():
    """Whether whatever is asked for is approved beforehand. `attach` knows no --auto; the server's own settings would approve what is denied, too."""
    return os.path.exists(f"{agent_state.RUN}/auto-approve")


def retrying(status):
    """Why a conversation is still busy, "" where it simply works."""
    return f"the model is asked again: {text(status.get('message'))}" if status["type"] == "retry" else ""


def how(error):
    """Value and reason of a turn that ended with an error."""
    if not isinstance(error, dict):
        return "failed", "OpenCode says nothing about the error"
    if error.get("name") == api.ABORTED:
        return "idle", "the turn was interrupted"
    data = error.get("data")
    return "failed", text(data.get("message") if isinstance(data, dict) else "") or text(error.get("name"))


def permission(request):
    """A permission request as a question."""
    metadata = request.get("metadata") or {}
    what = (
        metadata.get("command")
        or metadata.get("filepath")
        or ", ".join(map(str, request.get("patterns") or ()))
    )
    return {
        "kind": "permission",
        "text": f"{request['permission']}: {text(what)}",
        "choices": ["once", "always", "reject"],
        "of": request["sessionID"],
        "id": request["id"],
    }


def question(request):
    """A question of the agent's tool of that name; it may be several."""
    asked = request["questions"]
    return {
        "kind": "question",
        "text": "\n".join(text(one["question"]) for one in asked),
        "choices": [text(option["label"]) for option in asked[0].get("options") or ()]
        if len(asked) == 1
        else [],
        "of": request["sessionID"],
        "id": request["id"],
        "count": len(asked),
    }


def last_turn():
    """How the last turn ended (value, reason), and when: in seconds, None where there was none."""
    found = api.conversation()
    if not found:
        return ("idle", ""), None
    last = (api.call("messages", sessionID=found["id"], query="&limit=1") or [None])[-1]
    ended = found["time"]["updated"] / 1000
    if last is None:
        return ("idle", ""), ended
    if ended < os.stat(f"{agent_state.RUN}/pid").st_mtime:
        return ("idle", ""), None  # of the session's last life, which ended as it did
    info = last["info"]
    if info["role"] == "assistant" and info.get("error"):
        return how(info["error"]), ended
    if info["role"] == "assistant" and info["time"].get("completed") and info.get("finish") != "tool-calls":
        return ("idle", ""), ended
    return CUT, ended


def text(value):
    """Something of the server's as a short text."""
    return str(value or "")[:2000]
