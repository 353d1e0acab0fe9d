"""Settings shared by the tests of the core and of every plugin."""

from hypothesis import settings

# The same examples on every run and every machine: a failure can always be reproduced.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.load_profile("ci")
