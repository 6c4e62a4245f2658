"""Look at all routes: which are up, how fast, at what price: `python -m flows.monitor [options]`."""

from prefect import flow

from tasks.artifacts import leave_health_page
from tasks.command import leave
from tasks.monitor import look_at_routes, main, raise_alarms
from tasks.monitoring.health_records import Health
from tasks.monitoring.monitor_options import MonitorOptions


@flow(flow_run_name="look at routes", persist_result=False)
def monitor(options: MonitorOptions) -> Health:
    """Probe the routes, fold in the jobs' own calls, and return what the history tells.

    An alarm is an event of Prefect too; `dashboard.html` in the output shows all routes.
    Raises UserMistake for options that can't be.

    Args:
        options: The flags of the command line by their names.
    """
    health = look_at_routes(options)
    raise_alarms(health)
    leave_health_page(options.output, health)
    return health


if __name__ == "__main__":
    leave(main(__doc__, monitor))
