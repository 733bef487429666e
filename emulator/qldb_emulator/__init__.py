"""A QLDB that runs on your machine."""

__version__ = "0.1.0"
