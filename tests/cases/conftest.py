"""The command line, as the tests of whole commands run it."""

from tests.e2e.conftest import flatsort as flatsort
from tests.e2e.conftest import scene as scene
from tests.e2e.conftest import video as video
