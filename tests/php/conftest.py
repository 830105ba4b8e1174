"""The PostgreSQL of the tests of the statistics serves the pages, too."""

from tests.stats.conftest import postgres_conninfo, private_postgres

__all__ = ["postgres_conninfo", "private_postgres"]
