"""Figures for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


class Metrics:
    """The figures of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "agent_session_requests", "Requests.", ["method", "route", "status"], registry=self.registry
        )
        self.request_seconds = Histogram(
            "agent_session_request_seconds", "Until the answer began.", ["route"],
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self.sessions = Gauge(
            "agent_session_sessions", "Sessions by their agents' state.", ["state"], registry=self.registry
        )
        self.starts = Counter(
            "agent_session_starts", "Starts of sessions.", ["result"], registry=self.registry
        )
        self.start_seconds = Histogram(
            "agent_session_start_seconds", "Until a session was up.", buckets=SECONDS, registry=self.registry
        )
        self.turns = Counter("agent_session_turns", "Turns that ended.", ["result"], registry=self.registry)
        self.first_piece_seconds = Histogram(
            "agent_session_first_piece_seconds", "From a prompt to the first piece of its answer.",
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self.streams = Gauge("agent_session_streams", "Open event streams.", registry=self.registry)

    def text(self) -> bytes:
        """Return all of them in Prometheus' words."""
        return generate_latest(self.registry)
