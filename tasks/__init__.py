"""What the flows do. Nothing calls home: Prefect and its servers are told before anything imports it."""

import os

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
