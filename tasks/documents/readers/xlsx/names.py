"""The names of columns, cells and ranges: A, XFD, B7, D2:D4."""

from collections.abc import Iterable

LETTERS = 26
LONGEST = 3
BEFORE_A = ord("A") - 1


def column_number(name: str) -> int:
    """Return the number of a column, from 1."""
    number = 0
    for letter in name.upper():
        number = number * LETTERS + ord(letter) - BEFORE_A
    return number


def column_name(number: int) -> str:
    """Return the letters of a column, "" for none."""
    name = ""
    while number > 0:
        number, letter = divmod(number - 1, LETTERS)
        name = chr(letter + BEFORE_A + 1) + name
    return name


def ranges(cells: Iterable[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Return cells (column, row) as runs within a column: its number, the first row and the last."""
    found: list[tuple[int, int, int]] = []
    for column, row in sorted(cells):
        if found and found[-1][0] == column and found[-1][2] == row - 1:
            found[-1] = (column, found[-1][1], row)
        else:
            found.append((column, row, row))
    return found


def cell_place(name: str) -> tuple[int, int]:
    """Return the column and the row of a cell's name; zeros where it is none."""
    letters = name.rstrip("0123456789")
    digits = name[len(letters) :]
    known = letters.isascii() and letters.isalpha() and len(letters) <= LONGEST and digits
    return (column_number(letters), int(digits[:7])) if known else (0, 0)
