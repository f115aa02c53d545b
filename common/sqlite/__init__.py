"""Django's backend for SQLite, with changes that wait for the disk after the next writer may begin."""
