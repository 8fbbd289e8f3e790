"""Points of a sample read on images: two readers who see no place, stratum or map, and a third for the rest.

campaign   the points under names that tell nothing, the readers, their shares
sheets     what a reader sees of a point: its dates as pictures, the curve of an index
answers    one line per answer, on the disk before the reader goes on
results    agreed and settled answers as a file of records, and all answers
kit        a folder that works without a server, and the answers that come back
assets/    the page, the same for the server and the kit
"""

from cocal.run.readings.answers import Answer, AnswerFile
from cocal.run.readings.campaign import Campaign, open_campaign
from cocal.run.readings.kit import add_answers, write_kit
from cocal.run.readings.results import progress, write_results
from cocal.run.readings.sheets import SheetMaker

__all__ = [
    "Answer", "AnswerFile", "Campaign", "SheetMaker", "add_answers", "open_campaign", "progress", "write_kit",
    "write_results",
]  # fmt: skip
