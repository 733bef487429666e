"""Fills ledgers from files: statements, documents, scripts, exported journals, and samples that come with the package.

==========================  =====================================================================================
file                        what happens
==========================  =====================================================================================
``*.partiql``, ``*.sql``    its statements run, separated by semicolons, each in a transaction of its own
``*.ion``, ``*.json``       tables with their indexes and documents, see ``tables``
``*.py``, ``*.sh``          runs as a program whose SDKs find the server, see ``scripts``
a folder with a manifest    an exported journal, verified and imported
any other folder            its files in the order of their names, then its folders
==========================  =====================================================================================

Which ledger: the one that a first line ``-- ledger: NAME`` (``// ledger: NAME`` in Ion) names; else the one of the
folder's name, for a file in a folder of the seed; else the one of the file's name, without a leading number:
``10-cars.partiql`` is for ``cars``.  It is made when there is none.  A ledger that was there before is not filled
again; programs run at every start, as LocalStack ran its init files.
"""

from .files import Seeder, SeedError
from .tables import SAMPLES, sample_path

__all__ = ["SAMPLES", "SeedError", "Seeder", "sample_path"]
