"""Tables, migrations and queries: SQLAlchemy Core over SQLite and PostgreSQL."""
