"""Environments on this machine: their files, their models, an install of one."""
