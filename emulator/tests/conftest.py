"""Makes ``helpers`` importable from every test folder."""

import os
import sys
from pathlib import Path

import hypothesis

sys.path.insert(0, str(Path(__file__).parent))

# No test judges time, so no example has a deadline.  Where a change is judged, the same code gets the same verdict: the
# searches repeat in CI and wander everywhere else.
hypothesis.settings.register_profile("default-without-deadline", deadline=None)
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default-without-deadline")
