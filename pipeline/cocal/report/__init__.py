"""The report: one page in Spanish and English from the tables and facts of a run.

content   tables and facts, and the figures of each place   blocks     the view: sections of typed blocks
sections  sections on hectares                              quality    sections on accuracy, model, method
page      view -> HTML by the templates in assets/          texts      texts and numbers of one language
figures, series, map, drawing: pictures                     workbook, geopackage: files for others
"""
