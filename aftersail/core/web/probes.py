"""What machines ask: does it live, is it ready, what are its figures. Why it is not ready is for those who may know."""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.exc import OperationalError
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from aftersail.core.insight.vitals import delays, take_pulse
from aftersail.core.runtime.app import App
from aftersail.core.store.engine import reading
from aftersail.core.store.migrate import SchemaError, check_schema
from aftersail.core.web.metrics import CONTENT_TYPE, Metrics
from aftersail.core.web.security import is_local

_BEARER: Final = "bearer "


def probe_routes(app: App, metrics: Metrics, *, allow_remote: bool) -> list[Route]:
    """Make the routes `/healthz`, `/readyz` and `/metrics`.

    Whether the process lives and is ready is told to anybody, as load balancers ask. Reasons and figures are told to
    this machine, and to others only against `web.metrics_token`, or where `allow_remote` lets everybody in and no token
    is set.
    """
    started_at = app.now()
    token = app.settings.web.metrics_token

    def may_know(request: Request) -> bool:
        shown = request.headers.get("authorization", "")
        if token is not None and shown.lower().startswith(_BEARER):
            given = shown[len(_BEARER) :].strip()
            return hmac.compare_digest(given.encode(), token.get_secret_value().encode())
        return is_local(request.headers) or (allow_remote and token is None)

    def alive(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    def ready(request: Request) -> Response:
        reasons = _reasons(app, started_at=started_at)
        answer: dict[str, object] = {"ready": not reasons}
        if may_know(request):
            answer["reasons"] = reasons
        return JSONResponse(answer, status_code=503 if reasons else 200)

    def figures(request: Request) -> Response:
        if not may_know(request):
            why = "metrics are for this machine, or against web.metrics_token: Authorization: Bearer …\n"
            return PlainTextResponse(why, status_code=401, headers={"WWW-Authenticate": "Bearer"})
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    return [
        Route("/healthz", alive, methods=["GET"], include_in_schema=False),
        Route("/readyz", ready, methods=["GET"], include_in_schema=False),
        Route("/metrics", figures, methods=["GET"], include_in_schema=False),
    ]


def _reasons(app: App, *, started_at: datetime) -> list[dict[str, object]]:
    """Say what keeps the desk from being ready; nothing where it is."""
    try:
        check_schema(reading(app.engine))
        with reading(app.engine).connect() as conn:
            pulse = take_pulse(conn, app.now())
    except SchemaError as error:
        return [{"check": "store", "why": str(error)}]
    except OperationalError:
        return [{"check": "store", "why": "the database cannot be reached"}]
    limits = {name: timedelta(seconds=value) for name, value in app.settings.ready.model_dump().items()}
    return [
        {
            "check": delay.check,
            **({"subject": delay.subject} if delay.subject else {}),
            "seconds": round(delay.behind.total_seconds()),
            "limit": round(delay.limit.total_seconds()),
            "why": str(delay),
        }
        for delay in delays(pulse, app.now(), started_at=started_at, **limits)
    ]
