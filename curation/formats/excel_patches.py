"""Change cells of an Excel workbook, and nothing else.

Only the text of the sheet is changed, at the cells; every other part is copied.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr
from zipfile import ZipFile

from assay.curation.errors import UserError
from assay.curation.formats.excel_tables import choose_sheet, load_sheets
from assay.curation.formats.text_patches import Cells

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
ROW = re.compile(r'<row\b[^>]*?\br="(\d+)"[^>]*?(?:/>|>.*?</row>)', re.S)
CELL = re.compile(r'<c\b[^>]*?\br="([A-Z]+)\d+"[^>]*?(?:/>|>.*?</c>)', re.S)
# what names other rows, and would name wrong ones where rows move up
NAMES_ROWS = re.compile(r"<(f|mergeCell|conditionalFormatting|dataValidation|hyperlink)\b")


def patch_excel(
    source: Path, target: Path, sheet: str | None, cells: Cells, removed: set[int]
) -> None:
    """Write a workbook again, changed; rows are Excel's numbers."""
    loaded = {name: rows for name, rows in load_sheets(source).items() if rows}
    name = choose_sheet(source, loaded, sheet)
    header = [str(c).strip() if c is not None else "" for c in loaded[name][0][1]]
    letters = {
        column: column_letter(j + 1)
        for j, column in reversed(list(enumerate(header)))
        if column  # of two with one name the first is read
    }
    with ZipFile(source) as old:
        part = find_part(old, name)
        text = old.read(part).decode("utf-8")
        known = load_strings(old)
        new = patch_sheet(text, letters, known, cells, removed, source.name)
        with ZipFile(target, "w") as out:
            out.comment = old.comment
            for info in old.infolist():
                out.writestr(info, new.encode() if info.filename == part else old.read(info))


def find_part(book: ZipFile, sheet: str) -> str:
    """Find the part of a workbook that holds a sheet."""
    top = ElementTree.fromstring(book.read("xl/workbook.xml"))
    found = {s.get("name"): s.get(LINK) for s in top.iter(f"{MAIN}sheet")}
    links = ElementTree.fromstring(book.read("xl/_rels/workbook.xml.rels"))
    (target,) = [link.get("Target") for link in links if link.get("Id") == found[sheet]]
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def load_strings(book: ZipFile) -> dict[str, int]:
    """Load the workbook's shared texts, those without formats, by their number."""
    if "xl/sharedStrings.xml" not in book.namelist():
        return {}
    texts = ElementTree.fromstring(book.read("xl/sharedStrings.xml")).findall(f"{MAIN}si")
    plain = {i: si.findtext(f"{MAIN}t") for i, si in enumerate(texts) if len(si) == 1}
    return {text: i for i, text in reversed(plain.items()) if text is not None}


def patch_sheet(
    text: str,
    letters: dict[str, str],
    known: dict[str, int],
    cells: Cells,
    removed: set[int],
    name: str,
) -> str:
    """Change the rows of a sheet's XML."""
    left = {*cells, *removed}
    moves = not NAMES_ROWS.search(text)  # where rows are named, a removed one stays, empty
    gone = 0

    def change(match: re.Match[str]) -> str:
        nonlocal gone
        number, row = int(match[1]), match[0]
        left.discard(number)
        if number in removed:
            gone += moves
            return "" if moves else CELL.sub(empty_cell, row)
        if number in cells:
            new = {letters[column]: value for column, value in cells[number].items()}
            row = patch_row(row, number, new, known)
        return renumber_row(row, number, number - gone) if gone else row

    out = ROW.sub(change, text)
    if left:
        raise UserError(
            f"expected the numbers of rows in the sheet of {name}, found none for row {min(left)}",
            "save it once with Excel or LibreOffice, and import it again",
        )
    return out


def patch_row(row: str, number: int, new: dict[str, Any], known: dict[str, int]) -> str:
    """Change cells of a row's XML, by their column's letter."""
    held = {match[1] for match in CELL.finditer(row)}

    def change(match: re.Match[str]) -> str:
        if match[1] not in new:
            return match[0]
        style = re.search(r'\bs="\d+"', match[0].partition(">")[0])
        return write_cell(f"{match[1]}{number}", style[0] if style else "", new[match[1]], known)

    row = CELL.sub(change, row)
    for letter in sorted(set(new) - held, key=order_letter):
        cell = write_cell(f"{letter}{number}", "", new[letter], known)
        if row.endswith("/>"):
            row = f"{row[:-2]}></row>"
        after = [m for m in CELL.finditer(row) if order_letter(m[1]) > order_letter(letter)]
        at = after[0].start() if after else row.rindex("</row>")
        row = row[:at] + cell + row[at:]
    return row


def write_cell(place: str, style: str, value: Any, known: dict[str, int]) -> str:
    """Write a cell; a shared text is named by its number."""
    start = f"<c r={quoteattr(place)}{' ' + style if style else ''}"
    if value is None:
        return f"{start}/>"
    if isinstance(value, bool):
        return f'{start} t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float):
        return f"{start}><v>{value}</v></c>"
    if value in known:
        return f'{start} t="s"><v>{known[value]}</v></c>'
    return f'{start} t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'


def empty_cell(match: re.Match[str]) -> str:
    style = re.search(r'\bs="\d+"', match[0].partition(">")[0])
    start = re.search(r'\br="[A-Z]+\d+"', match[0])[0]
    return f"<c {start}{' ' + style[0] if style else ''}/>"


def renumber_row(row: str, old: int, new: int) -> str:
    row = re.sub(rf'(<row\b[^>]*?\br="){old}"', rf'\g<1>{new}"', row, count=1)
    return re.sub(rf'(<c\b[^>]*?\br="[A-Z]+){old}"', rf'\g<1>{new}"', row)


def column_letter(n: int) -> str:
    from openpyxl.utils import get_column_letter

    return get_column_letter(n)


def order_letter(letters: str) -> tuple[int, str]:
    return len(letters), letters
