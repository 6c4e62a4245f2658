"""What a monitor is asked to look at."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tasks.base.errors import UserMistake
from tasks.models.price import Price, parse_price
from tasks.monitoring.probe import SMALL
from tasks.prompting.options import Place


class MonitorOptions(BaseModel):
    """One look; keys and base URLs are never in here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    output: Place = Field(default="output/monitor", description="folder of the dashboard")
    provider: str | None = Field(default=None, description="only this provider's routes")
    model: str | None = Field(default=None, description="only this model's routes")
    routes: tuple[str, ...] = Field(default=(), description="PROVIDER/MODEL, the only ones to look at")
    kind: Literal["chat", "code", "embedding"] | None = Field(default=None, description="only models of this kind")
    sizes: tuple[int, ...] = Field(default=(SMALL,), min_length=1, description="characters of the prompts")
    price: str | None = Field(default=None, description="IN/OUT, USD per million tokens, where it isn't known")
    probe_budget: float = Field(default=0.0, ge=0, allow_inf_nan=False, description="USD a day for probes")
    alarm_price: float = Field(default=10.0, ge=0, allow_inf_nan=False, description="per cent of a rise that alarms")

    @field_validator("sizes")
    @classmethod
    def _possible(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if min(sizes) < SMALL or max(sizes) > 1_000_000:
            raise ValueError(f"prompts are of {SMALL} to 1,000,000 characters")
        return sizes

    @property
    def known_price(self) -> Price | None:
        """The price that was given. Raises UserMistake for what is none."""
        if self.price is None:
            return None
        try:
            return parse_price(self.price)
        except ValueError:
            message = f"--price {self.price}: give IN/OUT in USD per million tokens, as in 0.2/0.6"
            raise UserMistake(message) from None
