"""What every record that crosses the border between host and plugin has in common."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict


def _to_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


Instant = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""A point in time. A naive value is refused, since nobody can say later which zone it meant; kept in UTC."""


class Record(BaseModel):
    """An immutable value with no unknown fields, so that a typo in a connector is an error and not a lost value.

    As JSON, bytes are base64: a picture is no text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")
