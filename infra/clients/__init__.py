"""Installs the official clients of Comfy API v2 beside us, for the tests that drive them."""
