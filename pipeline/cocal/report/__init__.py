"""The report: one page in Spanish and English from the tables and facts of a run.

content   tables and facts, checked                         places     the figures of each place
blocks    the view: sections of typed blocks                columns    columns of tables
headline  the first screen                                  sections, law   sections on hectares
pictures  sections of pictures                              quality    sections on accuracy, model, method
page      view -> HTML by the templates in assets/          texts      texts and numbers of one language
figures, series, map, drawing: pictures                     workbook, geopackage: files for others
"""
