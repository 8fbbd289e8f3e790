"""What a model is worth, where none of its own samples train it.

folds        spatial blocks, regions, years -> folds
nulls        the null models
scoring      what predictions are worth for a rare class, with intervals over blocks
validate     scores under those folds, beside the null models
"""
