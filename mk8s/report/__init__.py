"""Pages about runs: one HTML file each, with everything in it, for a browser, a printer and a reading voice.

Begin reading at `run` (all of a run) and `page` (what any page is). Parts are pure: values in, markup out.
"""
