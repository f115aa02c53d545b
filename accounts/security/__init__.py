"""Signing in and what keeps an account safe (`docs/security.md` says which rules it follows)."""
