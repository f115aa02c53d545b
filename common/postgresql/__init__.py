"""Django's backend for PostgreSQL, which sees without asking whether a connection still stands."""
