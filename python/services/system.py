"""Commands of the system job."""
# ruff: noqa: N801 - the class is named as the file

from services import service

parser = "generic"  # the parser of blocks that name none, read by tools that submit jobs


class system(service.service):
    """Commands of the system job."""
