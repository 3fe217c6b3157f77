"""The bench: every engine judged by the same protocol, with intervals, slices, a page and a rating by people.

`run.evaluate` works through a list of pairs and keeps a record of each; `summary.summarize` turns the records into a
result; `compare.compare` sets two results against each other; `report.page` shows a result; `rating` lets people vote.
The measures are in `pixels`, `lite0`, `distribution`, `standard` (PyTorch, only with weights that the user brings),
`preserved` and `detail`. Nothing else here needs more than the default install.
"""
