"""Hectares -> what people get of a run: the stages compare, report, files, publish.

stage      compare: beside other figures; report: the page
content    what the page says       evidence  what the sample says of the map
pictures   its pictures             overview  a small picture of a large map
files      Excel, GeoPackage, Parquet; stac: the catalogue of the maps
publish    what may leave the office; redaction: without the folders of the machine
"""
