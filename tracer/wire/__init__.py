"""Bytes in, messages out. Sans-IO: no clock, no sockets, no files."""
