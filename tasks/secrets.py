"""Keys from Prefect Secret blocks named PROVIDER-api-key."""

from prefect.blocks.system import Secret
from prefect.settings import PREFECT_API_URL


def block_key(provider: str) -> str | None:
    """Return the key in the block `PROVIDER-api-key`, or None where there is none.

    Only a server that Prefect is set up with is asked: the temporary one of a run
    begins without blocks.
    """
    if not PREFECT_API_URL.value():
        return None
    try:
        block = Secret.load(f"{provider}-api-key")
    except Exception:  # noqa: BLE001 - no such block, or no server there: the run itself says so
        return None
    # Called outside of any event loop, `load` is synchronous.
    return str(block.get()) or None if isinstance(block, Secret) else None
