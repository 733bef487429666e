"""A QLDB that runs on your machine."""

__version__ = "0.2.0"
