"""Maps the folders at the top of the repository into the one package ``flatsort``; all else is in setup.cfg."""

from setuptools import find_namespace_packages, setup

ROOMS = ("configs", "embedding", "scene", "tools", "tracker")

setup(
    package_dir={"flatsort": "flatsort", **{f"flatsort.{room}": room for room in ROOMS}},
    packages=["flatsort", *(f"flatsort.{name}" for name in find_namespace_packages(include=[f"{r}*" for r in ROOMS]))],
)
