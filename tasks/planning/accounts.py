"""Which providers there is an account with, and where what their lists told is kept."""

from collections.abc import Mapping
from pathlib import Path

import platformdirs

from tasks.base.errors import UserMistake
from tasks.models.catalogue import Catalogue, Provider, load_catalogue
from tasks.models.live_catalogue import Snapshot, load_snapshots, with_live
from tasks.providers.account import Account, Keys, account_of
from tasks.providers.aws import is_hinted

VARIABLE = "DOCMILL_CATALOGUE"


def catalogue_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder of the lists that `flows.catalogue --refresh` read."""
    named = environment.get(VARIABLE)
    return Path(named) if named else platformdirs.user_data_path("docmill") / "catalogue"


def live_catalogue(environment: Mapping[str, str]) -> Catalogue:
    """Return the shipped catalogue with the latest lists laid over it."""
    return with_live(load_catalogue(), lists_of(environment))


def lists_of(environment: Mapping[str, str]) -> list[Snapshot]:
    """Return the latest lists that were read where the providers are reached now: another server's tell nothing."""
    places = {provider.name: _place(provider, environment) for provider in load_catalogue().providers}
    found = load_snapshots(catalogue_folder(environment))
    return [snapshot for snapshot in found if snapshot.place == places.get(snapshot.provider)]


def _place(provider: Provider, environment: Mapping[str, str]) -> str | None:
    url = environment.get(provider.base_url_variable or "", "").strip() or provider.base_url
    return url.rstrip("/") if url else None


def account_with(provider: Provider, environment: Mapping[str, str], keys: Keys) -> Account:
    """Return the account with a provider. Raises UserMistake naming what isn't set."""
    return account_of(
        provider.name,
        key_variable=provider.key_variable,
        base_url=provider.base_url,
        base_url_variable=provider.base_url_variable,
        environment=environment,
        keys=keys,
        signed=provider.signed,
        extra=provider.headers,
    )


def available(catalogue: Catalogue, environment: Mapping[str, str], keys: Keys) -> list[str]:
    """Return the providers that there is an account with."""
    found = []
    for provider in catalogue.providers:
        if provider.wire == "local" or (provider.signed and not _seems_there(provider, environment, keys)):
            continue
        try:
            account_with(provider, environment, keys)
        except UserMistake:
            continue
        found.append(provider.name)
    return found


def _seems_there(provider: Provider, environment: Mapping[str, str], keys: Keys) -> bool:
    """Whether a key or credentials are at hand, without asking AWS's network for them."""
    return bool(environment.get(provider.key_variable or "") or is_hinted(environment) or keys(provider.name))
