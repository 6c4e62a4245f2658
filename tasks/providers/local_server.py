"""The local model's own OpenAI-compatible server, once a process, on loopback."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from tasks.base.errors import UserMistake
from tasks.providers.account import Account
from tasks.providers.local_model import VARIABLE, local_identity


@contextlib.contextmanager
def local_server(model: Path, *, context: int, slots: int) -> Iterator[Account]:
    """Run llama.cpp's server on a free port while the block runs, and yield its account.

    `context` is in tokens a slot; `slots` prompts are worked on at once.
    """
    import xllamacpp  # noqa: PLC0415 - only the `local` extra brings it

    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.hostnames = ["127.0.0.1"]
    params.port = free_port()
    # Slots share the context, so each gets a whole one of its own.
    params.n_ctx = context * slots
    params.n_parallel = slots
    params.verbosity = -1
    params.ui = False
    params.cpuparams.n_threads = cores()
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        raise UserMistake(f"{model} can't be loaded as a model ({error}): name another in {VARIABLE}") from error
    try:
        yield Account("local", f"{server.listening_address}/v1", identity=local_identity(model))
    finally:
        del server  # its destructor stops the server and joins its thread


def cores() -> int:
    """Return how many cores this process may use; a container or `taskset` may give it fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_port() -> int:
    """Return a TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
