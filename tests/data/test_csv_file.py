"""A CSV file is read in whatever encoding and with whatever separator it was saved."""

from pathlib import Path

import pytest

from emorec.data.csv_file import find_csv, read_sheet
from emorec.errors import UserError

ROWS = ((2, ("Zoë/1.mp4", "happy")), (3, ("a, b.mp4", "sad")))


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "clips.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("latin-1", "latin-1"),
    ],
)
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_same_rows_come_from_every_encoding_separator_and_end_of_line(
    encoding: str, told: str, separator: str, end: str, tmp_path: Path
) -> None:
    lines = (("path", "label"), ("Zoë/1.mp4", "happy"), ('"a, b.mp4"', "sad"))
    text = end.join(separator.join(cells) for cells in lines) + end
    sheet = read_sheet(written(tmp_path, text, encoding), ["path", "label"])
    assert (sheet.encoding, sheet.separator) == (told, separator)
    assert sheet.columns == ("path", "label")
    assert sheet.rows == ROWS


def test_big_endian_utf_16_is_told_by_its_mark(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufeffpath\nZoë.mp4\n", "utf-16-be")
    assert read_sheet(path).rows == ((2, ("Zoë.mp4",)),)


def test_spaces_empty_lines_and_cells_that_are_left_out_do_not_matter(tmp_path: Path) -> None:
    path = written(tmp_path, '\n path , label,group\n\n a.mp4, "sad, very"\n,,\nb.mp4,,bo\n')
    assert read_sheet(path).rows == ((4, ("a.mp4", "sad, very", "")), (6, ("b.mp4", "", "bo")))


def test_columns_are_found_in_any_case(tmp_path: Path) -> None:
    sheet = read_sheet(written(tmp_path, "Path,LABEL\na,b\n"))
    assert (sheet.place("path"), sheet.place("label"), sheet.place("group")) == (0, 1, None)


def test_the_line_by_which_excel_tells_the_separator_is_obeyed(tmp_path: Path) -> None:
    sheet = read_sheet(written(tmp_path, "sep=;\r\npath;label\r\na,b;c\r\n"))
    assert (sheet.columns, sheet.rows) == (("path", "label"), ((3, ("a,b", "c")),))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty: its first line names the columns"),
        ("\n \n", "is empty"),
        (",,\n", "nothing but separators"),
        ("path,label\n", "no row but the names of its columns"),
        ("path,label,path\na,b,c\n", "has 2 columns path: rename one"),
        ("path,label\na,b\nc,d,e\n", r"line 3 has 3 cells for 2 columns: a cell with ','"),
        ('path,label\na,"b\n', "line 2 can't be read: unexpected end"),
        ("path\0,label\n", "is no text: save the table as CSV"),
    ],
)
def test_what_is_no_table_is_refused_in_a_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said) as refused:
        read_sheet(written(tmp_path, text))
    assert "\n" not in str(refused.value)


def test_a_folder_stands_for_the_only_table_in_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no CSV file in"):
        find_csv(tmp_path)
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / ".hidden.csv").write_text("")
    path = written(tmp_path, "")
    assert find_csv(tmp_path) == find_csv(path) == path
    (tmp_path / "other.CSV").write_text("")
    with pytest.raises(UserError, match=r"holds 2 .csv files \(clips.csv, other.CSV\): name one"):
        find_csv(tmp_path)
    with pytest.raises(UserError, match="no such file: "):
        find_csv(tmp_path / "missing")
