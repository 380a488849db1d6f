"""A Linear of our own: GraphQL with the operations that we use, agent sessions with their states, OAuth.

It checks what it is sent as Linear does and refuses the rest: user errors come with status 200, a rate limit
that is used up with 400. Its clock is moved by tests. Webhooks are signed, have five seconds, and are sent
again after a minute, an hour and six hours.
"""

import contextlib
import hashlib
import hmac
import json
import secrets
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
from graphql import GraphQLError, build_schema, graphql_sync

SECRET = "lin_wh_test_secret_of_the_fake"
CLIENT_ID, CLIENT_SECRET = "lin-client", "lin-client-secret"
ORGANIZATION, APP_USER, TEAM = "org-1", "app-user-1", "team-1"
PERSON = {"id": "user-1", "name": "Ada", "email": "ada@example.org", "url": "https://linear.app/ada"}
RETRIES = (timedelta(minutes=1), timedelta(hours=1), timedelta(hours=6))
WEBHOOK_SECONDS = 5.0
UNRESPONSIVE, STALE = timedelta(seconds=10), timedelta(minutes=30)

SDL = """
scalar JSONObject
scalar JSON
scalar DateTime
type Organization { id: ID! name: String! }
type User { id: ID! name: String! organization: Organization! }
type WorkflowState { id: ID! type: String! position: Float! }
type WorkflowStateConnection { nodes: [WorkflowState!]! }
type Team { id: ID! key: String! name: String! states: WorkflowStateConnection! }
type Project { id: ID! name: String! }
type IssueLabel { name: String! }
type IssueLabelConnection { nodes: [IssueLabel!]! }
type Comment { id: ID! body: String! createdAt: DateTime! user: User }
type CommentConnection { nodes: [Comment!]! }
type Issue {
  id: ID! identifier: String! title: String! description: String branchName: String! url: String!
  state: WorkflowState! delegate: User creator: User team: Team! project: Project parent: Issue
  labels: IssueLabelConnection! comments(first: Int): CommentConnection!
}
type AgentActivity { id: ID! }
type AgentActivityPayload { success: Boolean! lastSyncId: Float! agentActivity: AgentActivity! }
type AgentSessionPayload { success: Boolean! lastSyncId: Float! }
type IssuePayload { success: Boolean! lastSyncId: Float! }
type CommentPayload { success: Boolean! lastSyncId: Float! comment: Comment! }
type RepositorySuggestion { repositoryFullName: String! hostname: String! confidence: Float! }
type RepositorySuggestionsPayload { suggestions: [RepositorySuggestion!]! }
enum AgentActivitySignal { auth continue select stop }
input AgentActivityCreateInput {
  agentSessionId: String! content: JSONObject! ephemeral: Boolean id: String
  signal: AgentActivitySignal signalMetadata: JSONObject
}
input AgentSessionExternalUrlInput { label: String! url: String! }
input AgentSessionUpdateInput {
  externalUrls: [AgentSessionExternalUrlInput!] addedExternalUrls: [AgentSessionExternalUrlInput!]
  removedExternalUrls: [String!] plan: JSON summary: String
}
input IssueUpdateInput { stateId: String delegateId: String }
input CommentCreateInput { id: String issueId: String parentId: String body: String }
input CandidateRepository { hostname: String! repositoryFullName: String! }
type Query {
  viewer: User!
  issue(id: String!): Issue!
  issueRepositorySuggestions(
    issueId: String!, agentSessionId: String, candidateRepositories: [CandidateRepository!]!
  ): RepositorySuggestionsPayload!
}
type Mutation {
  agentActivityCreate(input: AgentActivityCreateInput!): AgentActivityPayload!
  agentSessionUpdate(id: String!, input: AgentSessionUpdateInput!): AgentSessionPayload!
  issueUpdate(id: String!, input: IssueUpdateInput!): IssuePayload!
  commentCreate(input: CommentCreateInput!): CommentPayload!
}
"""
SHAPES = {
    "thought": {"body"}, "elicitation": {"body"}, "response": {"body"}, "error": {"body"},
    "action": {"action", "parameter", "result"},
}  # fmt: skip
STATES = {
    "thought": "active", "action": "active", "elicitation": "awaitingInput",
    "response": "complete", "error": "error",
}  # fmt: skip
SIGNED = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Linear-Webhook"}


def user_error(words: str, code: str = "INPUT_ERROR") -> GraphQLError:
    """Linear's error for something that it will refuse again."""
    return GraphQLError(
        words,
        extensions={"code": code, "statusCode": 400, "userError": True, "userPresentableMessage": words},
    )


@dataclass(kw_only=True)
class AgentSession:
    """An agent session."""

    id: str
    issue: dict[str, Any] | None
    created: datetime
    status: str = "pending"
    archived: bool = False
    activities: list[dict[str, Any]] = field(default_factory=list)
    urls: list[dict[str, str]] = field(default_factory=list)
    plan: list[dict[str, str]] = field(default_factory=list)
    first_sign: datetime | None = None
    last_sign: datetime | None = None

    def contents(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The contents of what we have said, of one kind where one is named."""
        found = [one["content"] for one in self.activities if one["content"]["type"] != "prompt"]
        return [content for content in found if kind in {None, content["type"]}]

    def said(self, kind: str) -> list[str]:
        """The texts of a kind."""
        return [content.get("body", content.get("action", "")) for content in self.contents(kind)]


@dataclass(kw_only=True)
class Delivery:
    """A webhook that was sent: its id, its body, and what each try was answered (0: nothing in time)."""

    id: str
    body: dict[str, Any]
    kind: str
    answers: list[int] = field(default_factory=list)
    due: datetime | None = None
    """When it is sent again."""


@dataclass(kw_only=True)
class Linear:
    """What the fake knows, and what it was asked."""

    url: str = ""
    webhook: str = ""
    secret: str = SECRET
    moved: timedelta = timedelta()
    down: bool = False
    """Whether nothing is answered but 503."""
    sessions: dict[str, AgentSession] = field(default_factory=dict)
    issues: dict[str, dict[str, Any]] = field(default_factory=dict)
    comments: dict[str, dict[str, Any]] = field(default_factory=dict)
    suggestions: list[dict[str, Any]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=lambda: {"lin_api_test"})
    refresh_tokens: set[str] = field(default_factory=set)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    grants: list[str] = field(default_factory=list)
    expires_in: int = 86399
    client_credentials: bool = True
    requests_left: int = 5000
    reset: datetime | None = None
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def now(self) -> datetime:
        """The time, as tests have moved it."""
        return datetime.now(UTC) + self.moved

    def move(self, **lasts: float) -> None:
        """Move the clock forward, and send the webhooks that are due again."""
        self.moved += timedelta(**lasts)
        for delivery in [one for one in self.deliveries if one.due and one.due <= self.now()]:
            self.send(delivery)

    def issue(self, identifier: str = "ENG-1", title: str = "Fix login", **more: Any) -> dict[str, Any]:
        """Make an issue."""
        number = f"issue-{identifier}"
        states = [
            {"id": "todo", "type": "unstarted", "position": 1.0},
            {"id": "doing", "type": "started", "position": 2.0},
            {"id": "reviewing", "type": "started", "position": 3.0},
        ]
        made = {
            "id": number, "identifier": identifier, "title": title, "description": "It is slow.",
            "branchName": f"ada/{identifier.lower()}-fix", "url": f"https://linear.app/x/issue/{identifier}",
            "state": states[0], "delegate": None, "creator": PERSON, "project": None, "parent": None,
            "team": {"id": TEAM, "key": "ENG", "name": "Engineering", "states": {"nodes": states}},
            "labels": {"nodes": []}, "comments": {"nodes": []}, **more,
        }  # fmt: skip
        self.issues[number] = made
        return made

    def status(self, id: str) -> str:
        """What Linear shows of an agent session now: its state, unresponsive or stale."""
        session = self.sessions[id]
        if session.first_sign is None and self.now() - session.created > UNRESPONSIVE:
            return "unresponsive"
        quiet = self.now() - (session.last_sign or session.created) > STALE
        return "stale" if session.status in {"pending", "active"} and quiet else session.status

    def mention(
        self,
        text: str | None = "help me",
        *,
        issue: dict[str, Any] | None = None,
        by: dict[str, Any] | None = PERSON,
        **more: Any,
    ) -> AgentSession:
        """Have somebody mention the agent in a comment, or delegate an issue (no text)."""
        issue = issue or self.issue()
        session = AgentSession(id=str(uuid.uuid4()), issue=issue, created=self.now())
        self.sessions[session.id] = session
        told = self.told(session, by)
        if text is not None:
            comment = {"id": str(uuid.uuid4()), "body": text, "issueId": issue["id"]}
            told |= {"comment": comment, "commentId": comment["id"]}
        context = f'<issue identifier="{issue["identifier"]}"><title>{issue["title"]}</title></issue>'
        self.tell("AgentSessionEvent", "created", agentSession=told, promptContext=context, **more)
        return session

    def prompt(
        self, session: AgentSession, text: str, *, signal: str = "", by: dict[str, Any] = PERSON
    ) -> Delivery:
        """Have somebody write into an agent session, or stop it (the signal)."""
        activity: dict[str, Any] = {
            "id": str(uuid.uuid4()), "agentSessionId": session.id, "userId": by["id"], "user": by,
            "content": {"type": "prompt", "body": text},
        }  # fmt: skip
        if signal:
            activity["signal"] = signal
        session.activities.append(activity)
        return self.tell(
            "AgentSessionEvent", "prompted", agentSession=self.told(session, by), agentActivity=activity
        )

    def comment(
        self, text: str, *, issue: dict[str, Any], parent: str = "", by: dict[str, Any] = PERSON, **more: Any
    ) -> Delivery:
        """Have somebody comment an issue, for a webhook without agent sessions."""
        data = {
            "id": str(uuid.uuid4()), "body": text, "issueId": issue["id"], "userId": by["id"], "user": by,
            "issue": {key: issue[key] for key in ("id", "identifier", "title", "team")}, **more,
        }  # fmt: skip
        if parent:
            data["parentId"] = parent
        return self.tell("Comment", "create", data=data, actor=by)

    def told(self, session: AgentSession, by: dict[str, Any] | None) -> dict[str, Any]:
        """An agent session as webhooks tell it."""
        issue = session.issue
        told: dict[str, Any] = {
            "id": session.id, "status": session.status, "type": "commentThread",
            "organizationId": ORGANIZATION, "appUserId": APP_USER,
        }  # fmt: skip
        if issue:
            told["issue"] = {key: issue[key] for key in ("id", "identifier", "title", "description", "team")}
            told["issueId"] = issue["id"]
        return told | ({"creator": by, "creatorId": by["id"]} if by else {})

    def tell(self, kind: str, action: str, **more: Any) -> Delivery:
        """Send a webhook."""
        body = {
            "type": kind, "action": action, "organizationId": ORGANIZATION, "appUserId": APP_USER,
            "oauthClientId": CLIENT_ID, "webhookId": "webhook-1", **more,
        }  # fmt: skip
        delivery = Delivery(id=str(uuid.uuid4()), body=body, kind=kind)
        self.deliveries.append(delivery)
        self.send(delivery)
        return delivery

    def send(self, delivery: Delivery) -> int:
        """Send a webhook, for the first time or again; 0: there was no answer in time."""
        sent, headers = self.signed(delivery.body, delivery.id, delivery.kind)
        try:
            with httpx2.Client(timeout=WEBHOOK_SECONDS, trust_env=False) as client:
                answer = client.post(self.webhook, content=sent, headers=headers).status_code
        except httpx2.HTTPError:
            answer = 0
        delivery.answers.append(answer)
        tries = len(delivery.answers)
        again = answer != 200 and tries <= len(RETRIES)
        delivery.due = self.now() + RETRIES[tries - 1] if again else None
        return answer

    def signed(
        self, body: dict[str, Any], id: str, kind: str, *, sent: datetime | None = None, secret: str = ""
    ) -> tuple[bytes, dict[str, str]]:
        """A webhook's bytes and headers."""
        stamped = body | {"webhookTimestamp": int((sent or self.now()).timestamp() * 1000)}
        content = json.dumps(stamped).encode()
        signature = hmac.new((secret or self.secret).encode(), content, hashlib.sha256).hexdigest()
        return content, SIGNED | {"Linear-Delivery": id, "Linear-Event": kind, "Linear-Signature": signature}

    def authorize(self, query: dict[str, str]) -> str:
        """What an administrator's browser does on Linear's page; returns where it is sent back to."""
        for name, wanted in {"actor": "app", "client_id": CLIENT_ID, "response_type": "code"}.items():
            if query.get(name) != wanted:
                self.complaints.append(f"authorize: {name} is not {wanted}")
        if "admin" in query.get("scope", ""):
            self.complaints.append("authorize: the scope admin is not for apps")
        code = secrets.token_hex(8)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, sent: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """The answer to POST /oauth/token."""
        grant = sent.get("grant_type", "")
        self.grants.append(grant)
        if (sent.get("client_id"), sent.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return 401, {"error": "invalid_client"}
        match grant:
            case "client_credentials" if self.client_credentials:
                return 200, self._new_token(refresh=False)
            case "authorization_code" if self.codes.pop(sent.get("code", ""), None):
                return 200, self._new_token(refresh=True)
            case "refresh_token" if sent.get("refresh_token") in self.refresh_tokens:
                self.refresh_tokens.discard(sent["refresh_token"])
                return 200, self._new_token(refresh=True)
            case "client_credentials":
                return 400, {"error": "unauthorized_client"}
            case _:
                return 400, {"error": "invalid_grant"}

    def _new_token(self, *, refresh: bool) -> dict[str, Any]:
        word = "lin_oauth_" + secrets.token_hex(8)
        self.tokens.add(word)
        told: dict[str, Any] = {
            "access_token": word, "token_type": "Bearer",
            "expires_in": self.expires_in, "scope": "read write",
        }  # fmt: skip
        if refresh:
            told["refresh_token"] = "lin_refresh_" + secrets.token_hex(8)
            self.refresh_tokens.add(told["refresh_token"])
        return told

    def graphql(self, sent: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The answer to a GraphQL request."""
        with self.lock:
            self.requests.append(str(sent.get("query")))
            if self.reset and self.reset <= self.now():
                self.requests_left, self.reset = 5000, None
            if self.requests_left <= 0:
                error = {"message": "Rate limit exceeded", "extensions": {"code": "RATELIMITED"}}
                return 400, {"errors": [error]}
            self.requests_left -= 1
            done = graphql_sync(
                SCHEMA, str(sent.get("query")), root_value=Root(self), variable_values=sent.get("variables")
            )
            told: dict[str, Any] = {"data": done.data}
            if done.errors:
                told["errors"] = [error.formatted for error in done.errors]
                self.complaints += [error.message for error in done.errors]
            return 200, told


SCHEMA = build_schema(SDL)


@dataclass
class Root:
    """The operations' results."""

    linear: Linear

    def viewer(self, _info: Any) -> dict[str, Any]:
        """Who we are."""
        return {"id": APP_USER, "name": "Agent", "organization": {"id": ORGANIZATION, "name": "Acme"}}

    def issue(self, _info: Any, id: str) -> dict[str, Any]:
        """An issue, by its id or name."""
        for issue in self.linear.issues.values():
            if id in {issue["id"], issue["identifier"]}:
                return issue
        raise user_error("Entity not found: Issue")

    def issueRepositorySuggestions(self, _info: Any, **_asked: Any) -> dict[str, Any]:
        """What a test has Linear suggest."""
        return {"suggestions": self.linear.suggestions}

    def agentActivityCreate(self, _info: Any, input: dict[str, Any]) -> dict[str, Any]:
        """Take an activity, once for an id, and derive the session's state."""
        session = self._session(input["agentSessionId"])
        content = input["content"]
        kind = content.get("type")
        if kind not in SHAPES or set(content) - {"type"} - SHAPES[kind]:
            raise user_error(f"Invalid content of the type {kind!r}")
        needed = {"action", "parameter"} if kind == "action" else {"body"}
        if any(not isinstance(content.get(key), str) for key in needed):
            raise user_error(f"Content of the type {kind!r} lacks one of {sorted(needed)}")
        if input.get("ephemeral") and kind not in {"thought", "action"}:
            raise user_error("Only thoughts and actions can be ephemeral")
        if input.get("signal") == "select" and (
            kind != "elicitation" or not (input.get("signalMetadata") or {}).get("options")
        ):
            raise user_error("select needs an elicitation with options")
        id = input.get("id") or str(uuid.uuid4())
        if any(one["id"] == id for one in session.activities):
            raise user_error("Entity already exists: AgentActivity")
        session.activities.append({**input, "id": id})
        session.status = STATES[kind]
        session.first_sign = session.first_sign or self.linear.now()
        session.last_sign = self.linear.now()
        return {"success": True, "lastSyncId": 1.0, "agentActivity": {"id": id}}

    def agentSessionUpdate(self, _info: Any, id: str, input: dict[str, Any]) -> dict[str, Any]:
        """Take the plan and the links of a session."""
        session = self._session(id)
        if "externalUrls" in input:
            session.urls = list(input["externalUrls"])
        session.urls += input.get("addedExternalUrls") or []
        for step in input.get("plan") or []:
            if set(step) != {"content", "status"} or step["status"] not in {
                "pending", "inProgress", "completed", "canceled",
            }:  # fmt: skip
                raise user_error("Invalid plan")
        session.plan = input.get("plan") or session.plan
        session.first_sign = session.first_sign or self.linear.now()
        return {"success": True, "lastSyncId": 1.0}

    def issueUpdate(self, info: Any, id: str, input: dict[str, Any]) -> dict[str, Any]:
        """Move an issue, delegate it."""
        issue = self.issue(info, id)
        for state in issue["team"]["states"]["nodes"]:
            if state["id"] == input.get("stateId"):
                issue["state"] = state
        if input.get("delegateId"):
            issue["delegate"] = {"id": input["delegateId"], "name": "Agent"}
        return {"success": True, "lastSyncId": 1.0}

    def commentCreate(self, info: Any, input: dict[str, Any]) -> dict[str, Any]:
        """Take a comment, once for an id."""
        self.issue(info, input["issueId"])
        id = input.get("id") or str(uuid.uuid4())
        if id in self.linear.comments:
            raise user_error("Entity already exists: Comment")
        made = {"id": id, "createdAt": "now", "user": None, **input}
        self.linear.comments[id] = made
        return {"success": True, "lastSyncId": 1.0, "comment": made}

    def _session(self, id: str) -> AgentSession:
        session = self.linear.sessions.get(id)
        if session is None or session.archived:
            raise user_error("Entity not found: AgentSession - Could not find referenced AgentSession.")
        return session


@contextlib.contextmanager
def linear(**known: Any) -> Iterator[Linear]:
    """Serve a fake Linear on a loopback port for as long as the block lasts."""
    fake = Linear(**known)

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
            path = urlsplit(self.path).path
            if fake.down:
                self._answer(503, {"error": "down"})
            elif path == "/oauth/token":
                self._answer(*fake.token({key: value[0] for key, value in parse_qs(content).items()}))
            elif path != "/graphql":
                self._answer(404, {})
            elif self.headers.get("authorization", "").removeprefix("Bearer ") not in fake.tokens:
                error = {"message": "Not authenticated", "extensions": {"code": "AUTHENTICATION_ERROR"}}
                self._answer(401, {"errors": [error]})
            else:
                self._answer(*fake.graphql(json.loads(content)))

        def _answer(self, status: int, told: Any) -> None:
            content = json.dumps(told).encode()
            reset = fake.reset or fake.now() + timedelta(hours=1)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.send_header("x-ratelimit-requests-limit", "5000")
            self.send_header("x-ratelimit-requests-remaining", str(fake.requests_left))
            self.send_header("x-ratelimit-requests-reset", str(int(reset.timestamp() * 1000)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        fake.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield fake
        finally:
            server.shutdown()
