"""All addresses of the page, for the application."""

from agent_session.server.web import (
    agents_page,
    assets,
    changes,
    chat,
    pages,
    settings_page,
    shared,
    terminal,
)

ROUTERS = (
    assets.router,
    pages.router,
    chat.router,
    changes.router,
    terminal.router,
    shared.router,
    settings_page.router,
    agents_page.router,
)
