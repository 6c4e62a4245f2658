"""What a monitor is asked to look at."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from tasks.base.errors import UserMistake
from tasks.base.option import Flag, Seconds
from tasks.models.price import Price, parse_price
from tasks.monitoring.probe import SMALL
from tasks.prompting.options import Output

ROUTES, PROBES, COMMAND = "Routes", "Prices and limits", "This command"


def _sizes_in(value: object) -> object:
    """Read sizes as `2k,4k,300`; any other value is as it is."""
    if not isinstance(value, str):
        return value
    found = [re.fullmatch(r"(\d+)(k?)", part.strip().lower()) for part in value.split(",")]
    if not all(found):
        raise ValueError("these are no sizes: give them as in 2k,8k,32k")
    return tuple(sorted({int(one[1]) * (1000 if one[2] else 1) for one in found if one}))


class MonitorOptions(BaseModel):
    """One look; keys and base URLs are never in here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    output: Output = Field(default="output/monitor", description="folder of the dashboard")
    provider: Annotated[str | None, Flag(ROUTES)] = Field(default=None, description="only this provider's routes")
    model: Annotated[str | None, Flag(ROUTES)] = Field(default=None, description="only this model's routes")
    routes: Annotated[tuple[str, ...], Flag(ROUTES, "P/M")] = Field(
        default=(), description="PROVIDER/MODEL, the only ones to look at; repeatable"
    )
    kind: Annotated[Literal["chat", "code", "embedding"] | None, Flag(ROUTES)] = Field(
        default=None, description="only models of this kind"
    )
    sizes: Annotated[
        tuple[int, ...], BeforeValidator(_sizes_in), Field(min_length=1), Flag(PROBES, "N,…", is_text=True)
    ] = Field(default=(SMALL,), description="characters of the prompts, as 2k,4k,8k,16k,32k (one small prompt)")
    price: Annotated[str | None, Flag(PROBES, "IN/OUT")] = Field(
        default=None, description="USD per million tokens, where the price isn't known"
    )
    probe_budget: Annotated[float, Field(ge=0, allow_inf_nan=False), Flag(PROBES, "USD")] = Field(
        default=0.0, description="most that probes may cost a day"
    )
    alarm_price: Annotated[float, Field(ge=0, allow_inf_nan=False), Flag(PROBES, "PERCENT")] = Field(
        default=10.0, description="a rise of a price beyond this alarms"
    )

    @field_validator("sizes")
    @classmethod
    def _possible(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if min(sizes) < SMALL or max(sizes) > 1_000_000:
            raise ValueError(f"prompts are of {SMALL} to 1,000,000 characters")
        return sizes

    @property
    def known_price(self) -> Price | None:
        """The price from `--price`, or None. Raises UserMistake if it can't be parsed."""
        if self.price is None:
            return None
        try:
            return parse_price(self.price)
        except ValueError:
            message = f"--price {self.price}: give IN/OUT in USD per million tokens, as in 0.2/0.6"
            raise UserMistake(message) from None


class MonitorSwitches(BaseModel):
    """Options of the command only, which don't affect a look."""

    every: Annotated[Seconds | None, Flag(COMMAND, "TIME", is_text=True)] = Field(
        default=None, description="look again and again: 90s, 5m, 1h (once)"
    )
    serve: Annotated[bool, Flag(COMMAND)] = Field(
        default=False, description="show live pages of routes and jobs on this machine, until Ctrl-C"
    )
    port: Annotated[int, Field(ge=0, le=65535), Flag(COMMAND, "N")] = Field(
        default=0, description="of the live pages; 0 is any that is free"
    )
    as_json: Annotated[bool, Flag(COMMAND, name="json")] = Field(
        default=False, description="what was found as one JSON object a look, on stdout"
    )
    no_progress: Annotated[bool, Flag(COMMAND)] = Field(default=False, description="no table, only alarms")
