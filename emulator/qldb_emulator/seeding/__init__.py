"""Fills ledgers from files: statements, documents, scripts, exported journals, and samples in the package.

In: paths of files and folders, and a transport of ``driver`` to a server.
Out: new ledgers with tables, indexes and documents, or a SeedError that names the file and the line.
A ledger that exists already is not filled again.
Open ``files`` first.

==========================  =====================================================================================
file                        what happens
==========================  =====================================================================================
``*.partiql``, ``*.sql``    its statements run, separated by semicolons, each in a transaction of its own
``*.ion``, ``*.json``       tables with their indexes and documents, see ``tables``
``*.py``, ``*.sh``          runs as a program whose SDKs find the server, see ``files``
a folder with a manifest    an exported journal, verified and imported
any other folder            its files in the order of their names, then its folders
==========================  =====================================================================================

A first line ``-- ledger: NAME`` (``// ledger: NAME`` in Ion) names the ledger.  Otherwise a file in a folder of the
seed fills the ledger with the folder's name, and any other file the one with the file's name, without a leading number:
``10-cars.partiql`` fills ``cars``.  A missing ledger is created.  Programs run at every start, as LocalStack ran its
init files.
"""
