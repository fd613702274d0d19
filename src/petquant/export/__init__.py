"""Exports: what leaves petquant, as records, tables and files."""
