"""What two offices give each other: a bundle of counts, hectares and sizes, and no place of a point.

survey    a sample as counts, and what it estimates          rule      no cell below k points
content   the bundle, as it is written                       make      a bundle from a run's counts
signing   its file, and who signed it                        pool      surveys of several offices as one
merge     bundles as one estimate, and the seam              figures   its tables
"""
