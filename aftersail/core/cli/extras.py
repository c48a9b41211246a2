"""Which extra a missing module belongs to."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires
from typing import Final

_MODULES: Final = {
    "ahocorasick": "desk",
    "alembic": "desk",
    "authres": "mail",
    "babel": "desk",
    "cel_expr_python": "desk",
    "cel": "desk",
    "chardet": "mail",
    "dbos": "desk",
    "fastapi": "desk",
    "flufl": "mail",
    "holidays": "desk",
    "jinja2": "desk",
    "minijinja": "desk",
    "nh3": "desk",
    "opening_hours": "desk",
    "prometheus_client": "desk",
    "psycopg": "desk",
    "py3langid": "desk",
    "pyrage": "desk",
    "selectolax": "mail",
    "sqlalchemy": "desk",
    "uvicorn": "desk",
}


def missing_extra(error: ModuleNotFoundError) -> str | None:
    """Say which command installs what is missing; None where the module belongs to no extra of ours."""
    name = (error.name or "").split(".")[0]
    extra = _MODULES.get(name)
    if extra is None:
        return None
    try:
        requires("aftersail")
    except PackageNotFoundError:
        return None
    return f"this command needs {name}, which is part of an extra; install it with: pip install 'aftersail[{extra}]'"
