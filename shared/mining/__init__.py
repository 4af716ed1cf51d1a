"""Workflows that people and agents run by hand again and again, found in what they ran.

Pure: the same commands give the same proposals. The way of a command through it:

1. `sessions` cuts what each user ran into stretches of work; `splitting` and `programs` make lines
   into single commands that a step could run (`acts`).
2. `vocabulary` says which words of a command are its structure and which are values.
3. `patterns` finds frequent sequences with gaps, `chance` which of them chance does not explain.
4. `episodes` grows a pattern into a workflow and finds where it was run; `order` what must come
   before what.
5. `lifting` makes what varies into parameters (anti-unification), `drafting` a template of it all,
   with ways back that `undoing` has learned.
6. `proposals` says which are shown to whom, and `mine` puts it all together.
"""
