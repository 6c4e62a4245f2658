"""At a terminal nothing is sent to Prefect's makers, and nothing said of it, whichever module is imported first."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from prefect._internal.analytics.ci_detection import CI_ENV_VARS

# Where one of these is set, Prefect is silent by itself.
SILENCING = {*CI_ENV_VARS, "DO_NOT_TRACK", "PREFECT_SERVER_ANALYTICS_ENABLED"}
ASKS = "from prefect._internal.analytics import is_telemetry_enabled as on; print('sends:', on())"


def at_a_terminal(code: str, home: Path) -> str:
    """Run code whose output is a terminal, with Prefect as on its first day; return what stands there."""
    ours, theirs = pty.openpty()
    surroundings = {name: value for name, value in os.environ.items() if name not in SILENCING} | {
        "PREFECT_HOME": str(home)
    }
    with subprocess.Popen([sys.executable, "-c", code], stdout=theirs, stderr=theirs, env=surroundings):
        os.close(theirs)
        pieces = []
        try:
            while piece := os.read(ours, 65536):
                pieces.append(piece)
        except OSError:  # the other side is closed
            pass
        os.close(ours)
    return b"".join(pieces).decode()


@pytest.mark.parametrize(
    "module", ["flows.summarize", "flows.embed", "flows.monitor", "tasks.run", "tasks.shard_tasks"]
)
def test_nothing_is_sent_or_said_whatever_is_imported_first(module: str, tmp_path: Path) -> None:
    shown = at_a_terminal(f"import {module}; {ASKS}", tmp_path)
    assert shown.strip() == "sends: False"


def test_prefect_alone_would_say_it(tmp_path: Path) -> None:
    """Or the test above would prove nothing."""
    assert "anonymous usage data" in at_a_terminal("import prefect", tmp_path)
