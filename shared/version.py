"""The version of the system."""

VERSION = "0.1.0"
