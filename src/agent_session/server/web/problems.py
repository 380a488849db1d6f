"""A refusal as a page that a person reads, or as the part of one that was asked for."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from agent_session.server.web.templates import render

TITLES = {
    401: "This browser is not logged in",
    403: "This login may not do that",
    404: "There is nothing here",
    429: "Too many attempts",
    503: "The sessions cannot be reached",
}


def answer(status: int, told: dict[str, Any], request: Request) -> HTMLResponse:
    """Return the page of a refusal."""
    if "hx-request" in request.headers:
        beside = {"hx-retarget": "#refused", "hx-reswap": "innerHTML"}  # what was there stays
        return HTMLResponse(render("refusal.html", **told), status_code=status, headers=beside)
    title = TITLES.get(status, "This did not work")
    detail = told["detail"]
    if status == 401 and detail == "Authentication required":
        detail = "Whoever runs the server gets a link that logs a browser in, once, for ten minutes."
    github = status == 401 and request.app.state.parts.settings.is_team
    if github:
        told = told | {"hints": []}
        detail = "Sessions of agents are behind this login."
    home = status != 401
    if told["code"] == "share-over":  # a stranger has no sessions here
        title, home = "This link is over", False
    rendered = render(
        "problem.html", title=title, detail=detail, hints=told["hints"], home=home, github=github
    )
    return HTMLResponse(rendered, status_code=status, headers={"cache-control": "no-store"})
