"""The web application: pages, API, webhooks and probes over one `App`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exception_handlers import http_exception_handler
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from aftersail import __version__
from aftersail.core.runtime.app import App
from aftersail.core.web.api import api_routes
from aftersail.core.web.metrics import Metrics
from aftersail.core.web.pages import Pages
from aftersail.core.web.present import FOLDER, environment
from aftersail.core.web.probes import probe_routes
from aftersail.core.web.security import Failures, LocalOnly, SecureHeaders
from aftersail.core.web.webhooks import webhook_route


def create_app(app: App, *, allow_remote: bool = False) -> FastAPI:
    """Make the web application.

    Args:
        app: the desk. Its database is only read here, but for a channel's due time when a webhook comes.
        allow_remote: whether pages and API answer requests that were not made to this machine's own address. There is
            no sign-in yet: whoever reaches them sees everything. Webhooks and probes are for anybody.
    """
    pages = Pages(app, environment())
    metrics = Metrics(app)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        metrics.close()

    def failure(scope: Scope, error: Exception) -> Response:
        database = isinstance(error, OperationalError)
        status = 503 if database else 500
        what = "The database cannot be read" if database else "Something went wrong"
        return pages.error(status, what) if _is_page(scope["path"]) else JSONResponse({"detail": what}, status)

    made = FastAPI(
        title="aftersail",
        version=__version__,
        summary="The after-sales desk, read-only.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's page loads its scripts from a CDN.
        redoc_url=None,
        lifespan=lifespan,
        middleware=[
            Middleware(SecureHeaders),
            Middleware(Failures, answer=failure),
            *([] if allow_remote else [Middleware(LocalOnly)]),
        ],
    )
    made.include_router(api_routes(app))
    made.routes.extend(pages.routes())
    made.routes.append(webhook_route(app))
    made.routes.extend(probe_routes(app, metrics, allow_remote=allow_remote))
    made.routes.append(Mount("/static", StaticFiles(directory=FOLDER / "static"), name="static"))

    @made.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        if not _is_page(request.url.path):
            return await http_exception_handler(request, error)
        what = "There is no such page." if error.detail == "Not Found" else str(error.detail)
        return pages.error(error.status_code, what.rstrip("."))

    return made


def _is_page(path: str) -> bool:
    return not path.startswith(("/api", "/webhooks/", "/static/", "/healthz", "/readyz", "/metrics"))
