"""A ring test: images for teams to label, drawn from a run; what their labels say.

draw      places of a run, by stratum and country      images    a place as a picture without a place
make      folders for the teams, the key               labels    the labels of the teams -> how they agree
"""
