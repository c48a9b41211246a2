"""The migrations make exactly the schema that the tables describe, on both databases."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from aftersail.core.jobs.tables import metadata as job_metadata
from aftersail.core.store.migrate import SchemaError, check_schema, current, newest, upgrade
from aftersail.core.store.tables import metadata


def test_an_empty_database_is_refused_with_the_command_that_mends_it(engine):
    with pytest.raises(SchemaError, match="aftersail init"):
        check_schema(engine)


def test_migrations_make_the_schema_of_the_tables(engine):
    upgrade(engine)
    check_schema(engine)
    both = sa.MetaData()
    for source in (metadata, job_metadata):
        for table in source.tables.values():
            table.to_metadata(both)
    with engine.connect() as conn:
        context = MigrationContext.configure(conn, opts={"compare_type": False})
        differences = compare_metadata(context, both)
    assert [each for each in differences if "alembic_version" not in str(each)] == []


def test_upgrading_twice_changes_nothing(engine):
    upgrade(engine)
    upgrade(engine)
    assert current(engine) == newest()


def test_a_newer_database_is_refused(engine):
    upgrade(engine)
    with engine.begin() as conn:
        conn.execute(sa.text("update alembic_version set version_num = '9999'"))
    for refuse in (upgrade, check_schema):
        with pytest.raises(SchemaError, match="upgrade aftersail"):
            refuse(engine)
