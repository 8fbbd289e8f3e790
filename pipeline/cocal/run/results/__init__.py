"""The stages compare, report, files and publish: from hectares to tables, page, files and public folder.

comparison  compare: hectares beside other figures   facts      the run as its outputs need it
content     report: the content of the page          evidence   the sample: accuracy, calibration, positions
pictures    its pictures                             overview   values of maps on the grid of a picture
files       Excel, GeoPackage, Parquet               stac       the catalogue of the maps
publish     the public folder                        public_tables  its tables
audit       their check against the disclosure rule  redaction  texts without folders of this machine
"""
