"""The flows: each is a function, a command line and a Prefect flow."""

import tasks as tasks
