"""What a run would do, and how long it takes: `mk8s plan`.

`values` says what a plan is, `making` works it out from the manifest and the journal, `looking` asks the
nodes (read-only), `modelled` brings modelled hosts to where the real ones are, `text`, `data` and `page` tell
it, and `now` does all of it for a project. Begin reading at `now.plan_now`.
"""
