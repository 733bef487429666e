"""Makes ``helpers`` importable from every test folder."""

import os
import sys
from pathlib import Path

import hypothesis

sys.path.insert(0, str(Path(__file__).parent))

# No test judges time: no example has a deadline, and data may be made as slowly as a busy machine makes it.
# .ci/run sets CI, and the searches repeat there: the same code gets the same verdict.  They wander everywhere else.
untimed = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("wandering", untimed)
hypothesis.settings.register_profile("ci", untimed, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "wandering")
