"""Style sheets, scripts and pictures of the page, read once and compressed once."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import JSONResponse

STATIC = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
ICONS = (("icon-192.png", "192x192", "any"), ("icon-512.png", "512x512", "any"),
         ("icon-maskable.png", "512x512", "maskable"))  # fmt: skip
FOREVER = {"cache-control": "public, max-age=31536000, immutable"}
router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A file as it goes over the wire."""

    content: bytes
    compressed: bytes
    media_type: str


@cache
def assets() -> dict[str, Asset]:
    """Read all files that browsers may ask for, by their path below `static`."""
    found = {}
    for file in sorted(STATIC.rglob("*")):
        if media_type := TYPES.get(file.suffix):
            content = file.read_bytes()
            found[file.relative_to(STATIC).as_posix()] = Asset(
                content=content, compressed=gzip.compress(content, mtime=0), media_type=media_type
            )
    return found


@cache
def version() -> str:
    """Name the state of all files: part of their addresses, so that browsers may keep them for ever."""
    digest = hashlib.sha256()
    for name, asset in assets().items():
        digest.update(name.encode() + b"\0" + asset.content)
    return digest.hexdigest()[:12]


@router.get("/manifest.webmanifest")
async def manifest() -> Response:
    """Describe the page as an app that can be installed; browsers ask for it without a login."""
    told = {
        "id": "/", "name": "agent-session", "short_name": "Sessions", "start_url": "/", "scope": "/",
        "description": "Sessions of AI coding agents", "display": "standalone",
        "background_color": "#f7f6f3", "theme_color": "#2f5d50",
        "icons": [
            {"src": f"/static/{version()}/{name}", "sizes": size, "type": "image/png", "purpose": purpose}
            for name, size, purpose in ICONS
        ],
        "shortcuts": [{"name": "New session", "url": "/new"}],
    }  # fmt: skip
    return JSONResponse(told, media_type=TYPES[".webmanifest"], headers={"cache-control": "no-cache"})


@router.get("/sw.js")
async def service_worker() -> Response:
    """Give browsers the program that shows notifications while no page is open; it is for all of the page."""
    return Response(assets()["sw.js"].content, media_type=TYPES[".js"], headers={"cache-control": "no-cache"})


@router.get("/static/{of}/{name:path}")
async def static(of: str, name: str, request: Request) -> Response:
    """Give a browser a file of the page; it needs no login, as there is nobody's in it."""
    asset = assets().get(name)
    if asset is None:
        raise HTTPException(404)
    headers = {"vary": "accept-encoding", **(FOREVER if of == version() else {"cache-control": "no-cache"})}
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
        return Response(asset.compressed, media_type=asset.media_type, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)
