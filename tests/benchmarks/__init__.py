"""Benchmarks run jobs outside of pytest: these aren't remembered among the user's."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("DOCMILL_HISTORY", str(Path(tempfile.gettempdir()) / "docmill-benchmarks-history"))
