"""Tests of the k0s driver."""
