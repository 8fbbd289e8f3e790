"""The base class of all settings that a user states."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Settings: frozen, unknown keys forbidden."""

    model_config = ConfigDict(frozen=True, extra="forbid")
