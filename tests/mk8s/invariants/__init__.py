"""Whole rollouts held to the invariants: mutants, random rollouts, crashes at every record, determinism."""
