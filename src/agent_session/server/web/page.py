"""All addresses of the page, for the application."""

from agent_session.server.web import (
    admin_page,
    agents_page,
    assets,
    changes,
    chat,
    pages,
    pictures,
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
    admin_page.router,
    pictures.router,
)
