"""Which providers there is an account with, and where their lists of models are kept."""

from pathlib import Path

import platformdirs

from tasks.base.errors import UserMistake
from tasks.base.settings import Settings
from tasks.models.candidates import LOCAL
from tasks.models.catalogue import Catalogue, Provider, load_catalogue
from tasks.models.live_catalogue import Snapshot, load_snapshots, with_live
from tasks.providers.account import Account, account_of
from tasks.providers.aws import is_hinted

VARIABLE = "DOCMILL_CATALOGUE"


def catalogue_folder(settings: Settings) -> Path:
    """Return the folder of the lists that `flows.catalogue --refresh` read."""
    named = settings.get(VARIABLE)
    return Path(named) if named else platformdirs.user_data_path("docmill") / "catalogue"


def live_catalogue(settings: Settings) -> Catalogue:
    """Return the shipped catalogue with the latest lists laid over it."""
    return with_live(load_catalogue(), lists_of(settings))


def lists_of(settings: Settings) -> list[Snapshot]:
    """Return the latest lists, except for those that were read at another base URL than the provider has now."""
    base_urls = {provider.name: _base_url(provider, settings) for provider in load_catalogue().providers}
    found = load_snapshots(catalogue_folder(settings))
    return [snapshot for snapshot in found if snapshot.base_url == base_urls.get(snapshot.provider)]


def _base_url(provider: Provider, settings: Settings) -> str | None:
    url = settings.word(provider.base_url_variable) or provider.base_url
    return url.rstrip("/") if url else None


def account_with(provider: Provider, settings: Settings) -> Account:
    """Return the account with a provider. Raises UserMistake naming what isn't set."""
    return account_of(
        provider.name,
        key_variable=provider.key_variable,
        base_url=provider.base_url,
        base_url_variable=provider.base_url_variable,
        environment=settings,
        keys=settings.stored_key,
        signed=provider.signed,
        extra=provider.headers,
    )


def available(catalogue: Catalogue, settings: Settings) -> list[str]:
    """Return the providers that there is an account with."""
    found = []
    for provider in catalogue.providers:
        if provider.name == LOCAL or (provider.signed and not _seems_there(provider, settings)):
            continue
        try:
            account_with(provider, settings)
        except UserMistake:
            continue
        found.append(provider.name)
    return found


def _seems_there(provider: Provider, settings: Settings) -> bool:
    """Whether a key or credentials are at hand, without asking AWS's network for them."""
    return bool(settings.word(provider.key_variable) or is_hinted(settings) or settings.stored_key(provider.name))
