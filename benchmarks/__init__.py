"""Measuring mk8s, as ratios within one run. Nothing is asserted here: the figures are for people.

`python -m benchmarks [NAMES] [--quick]` prints tables; `make bench` makes the environment for it first.
docs/benchmarks.md says what each row means, and holds the figures of one full run.

Each benchmark is a module with a `run(quick)` that yields tables. What is measured runs in a process
of its own (`worker`), so that memory and CPU are its own; contenders take turns, and a table shows
medians of the rounds. Begin reading at `__main__`, then `measuring`.
"""
