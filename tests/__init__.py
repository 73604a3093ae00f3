"""Tests: values and sentences; real servers where a server is meant."""
