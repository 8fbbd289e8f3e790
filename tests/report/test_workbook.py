from decimal import Decimal

import openpyxl
import pandas as pd

from cocal.report.workbook import write_workbook

FORMULA = '=HYPERLINK("http://127.0.0.1:9/x","open me")'
TABLE = pd.DataFrame(
    {
        "region_name": [FORMULA, "<img src=x onerror=alert(1)>", "+1+1", "@SUM(A1)", "a\x07b"],
        "mapped_ha": [Decimal("1.0000000001"), Decimal("2.5"), Decimal("0"), Decimal("-3"), Decimal("4")],
        "estimated_ha": [1.5, float("nan"), 0.0, 2.0, 3.0],
        "n": pd.array([1, None, 3, 4, 5], dtype="Int64"),
        "within": pd.array([True, None, False, True, True], dtype="boolean"),
    }
)


def test_no_text_of_a_sheet_is_a_formula_and_numbers_are_numbers(tmp_path):
    path = tmp_path / "a.xlsx"
    write_workbook(
        path,
        {"hectares": TABLE, "other": TABLE.rename(columns={"n": "=1+1"})},
        notes=[(FORMULA, FORMULA)],
    )
    book = openpyxl.load_workbook(path)
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} == {"s", "n", "b"}
    assert all(cell.hyperlink is None for cell in cells)
    sheet = book["hectares"]
    assert [c.value for c in sheet["A"]][1:5] == TABLE["region_name"].tolist()[:4]
    assert sheet["A6"].value == "ab"
    assert [c.value for c in sheet["B"]][1:] == [1.0000000001, 2.5, 0, -3, 4]
    assert [c.value for c in sheet["C"]][1:3] == [1.5, None]
    assert [c.value for c in sheet["D"]][1:3] == [1, None]
    assert [c.value for c in sheet["E"]][1:4] == [True, None, False]


def test_the_first_sheet_is_the_notes_and_equal_tables_give_equal_bytes(tmp_path):
    for name in ("a.xlsx", "b.xlsx"):
        write_workbook(tmp_path / name, {"hectares": TABLE}, notes=[("run", "demo")])
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["notes", "hectares"]
    assert [[c.value for c in row] for row in book["notes"].rows] == [["about", "note"], ["run", "demo"]]
