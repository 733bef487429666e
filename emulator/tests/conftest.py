"""Makes ``support`` importable from every test folder."""

import os
import sys
from pathlib import Path

import hypothesis

sys.path.insert(0, str(Path(__file__).parent))

# On a machine that judges a change, the same code must get the same verdict: the searches repeat there, and wander
# everywhere else.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")
