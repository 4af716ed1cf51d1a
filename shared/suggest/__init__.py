"""Which workflow a text asks for, how sure that is, and why.

Pure: no network, no clock, no randomness. What it knows of a template stands in the template; what
it knows of the field is in `cues` and `nothing`; what an installation teaches it is in `learned`.

* `cues`, `words`, `bm25`, `encoder` (with `wordpiece`): the evidence that a text holds.
* `evidence`: all of it as one vector. `softmax`: the linear model over it.
* `matcher`: templates and texts come in, matches go out; it learns from feedback.
* `reasons`: why, in data and in words. `entities`: what is named in a text.
* `scores`: how good it is, on labelled texts.
"""
