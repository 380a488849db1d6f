"""All addresses of the page, for the application."""

from agent_session.server.web import assets, chat, pages, settings_page

ROUTERS = (assets.router, pages.router, chat.router, settings_page.router)
