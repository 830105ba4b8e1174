"""Post commands of deleted jobs and blocks."""
# ruff: noqa: N801 - the class is named as the file

from services import service


class postcmd(service.service):
    """A post command: it runs as it is."""
