"""Scores of a model on samples that did not train it.

folds        spatial blocks, regions, years -> folds
nulls        the null models, one table
scoring      scores of a rare class, with intervals over blocks
validate     scores under those folds, beside the null models
"""
