"""Text files that are wrong: the sentence says where and what."""

import pytest

from qhal.files import read_problem

from .samples import LP, MPS, QPLIB, refused


@pytest.mark.parametrize(
    ("suffix", "content", "expected"),
    [
        (".coo", "0 0 1\n", "add the line '# vartype=BINARY'"),
        (".coo", "# vartype=INTEGER\n0 0 1\n", "line 1: the vartype must be"),
        (".coo", "# vartype=SPIN\n# vartype=BINARY\n0 0 1\n", "line 2: the vartype must be"),
        (".coo", "# vartype=SPIN\n0 0 1\n0 1\n", "line 3: expected 'i j bias'"),
        (".coo", "# vartype=SPIN\n0 -1 1\n", "line 2: '-1' is not a variable"),
        (".qubo", "0 0 1\n", "line 1: expected 'p qubo"),
        (".qubo", "c only comments\n", "has no line 'p qubo"),
        (".qubo", "p qubo 0 3 1\n", "line 1: expected 'p qubo"),
        (".qubo", "p qubo 0 3 1 0\np qubo 0 3 1 0\n", "line 2: a second 'p' line"),
        (".qubo", "p qubo 0 2 1 1\n0 0 1\n0 2 1\n", "line 3: node 2 is not below maxNodes = 2"),
        (".qubo", "p qubo 0 9 2 1\n0 0 1\n0 2 1\n", "announces 2 nodes and 1 couplers, but has 1"),
        (".qubo", f"p qubo 0 {10**17} {10**17} 0\n0 0 1\n", "truncated or damaged"),
        (".mc", "3\n1 2 1\n", "line 1: expected the numbers of vertices and edges"),
        (".mc", "3 2\n1 2 1\n", "announces 2 edges, but has 1"),
        (".mc", "3 1\n1 2\n", "line 2: expected 'i j weight', but found 2 words"),
        (".mc", "3 1\n1 4 1\n", "line 2: an edge joins two different vertices from 1 to 3"),
        (".mc", "3 1\n0 1 1\n", "line 2: an edge joins"),
        (".mc", "3 1\n2 2 1\n", "line 2: an edge joins"),
        (".mc", "9999999999 1\n1 2 1\n", "line 1: 9999999999 vertices and 1 edges are more than"),
        (".mc", "9 9999999999\n1 2 1\n", "more than the file can hold"),
        (".dat", "3\n0 1\n1 0\n0 1\n1 0\n", "announces n = 3"),
        (".dat", "2\n0 1\n1 0\n0 1 1\n1 0\n", "is ragged, truncated or not a QAPLIB file"),
        (".dat", "99999999999\n0 1\n", "is ragged, truncated or not a QAPLIB file"),
        (".dat", "-2\n0 1\n", "line 1: '-2' is not the size n"),
    ],
)
def test_text_formats(tmp_path, suffix, content, expected):
    assert expected in refused(tmp_path, suffix, content)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Minimize", "Minimise the sum", "line 2: at 'sum': expected '+' or '-' between two"),
        ("Minimize", "", "line 3: expected 'Minimize' or 'Maximize'"),
        ("x + y <= 1", "x + y <= z", "line 5: at 'z': expected a number"),
        ("x + y <= 1", "x + y", "line 6: at 'second': expected '<=', '>=' or '='"),
        ("x + y <= 1", "0 <= x + y >= 1", "line 5: at '>=': a range is 'low <= expression <= hi"),
        ("x + y <= 1", "0 = x + y = 1", "line 5: at '=': a range is 'low <= expression <= high'"),
        ("x + y <= 1", "0 <= x + y <= k", "line 5: at 'k': expected a number"),
        ("x + y <= 1", "x y <= 1", "line 5: at 'y': expected '+' or '-' between two terms"),
        ("x + y <= 1", "x * y <= 1", "line 5: at '*': expected '<='"),
        ("x + y <= 1", "x + nan <= inf", "line 5: at 'inf': expected a number"),
        ("x + y <= 1", "x + 1e999 y <= 1", "line 5: '1e999' is too large"),
        ("x + y <= 1", "x + | <= 1", "line 5: '| <= 1' cannot be read"),
        ("] / 2", "]", "line 3: at '+': brackets in the objective are followed by '/ 2'"),
        ("] / 2", "", "line 3: the section ends too early"),
        ("4 x * y", "4", "line 3: at '-': expected 'x * y', 'x ^ 2' or 'x' between '[' and ']'"),
        ("4 x * y", "4 x y", "line 3: at 'y': expected '+' or '-' between two terms"),
        ("[", "3 [", "line 3: at '[': expected '+' or '-' between two terms"),
        ("k ^ 2", "k ^ 3", "line 3: at '3': expected '2'"),
        ("second", "first", "two constraints share the label 'first'"),
        ("-2 <= k <= 5", "", "integer variable 'k' needs finite bounds"),
        ("-2 <= k <= 5", "k free", "integer variable 'k' needs finite bounds"),
        ("-2 <= k <= 5", "k <= 1e300", "integer variable 'k' needs finite bounds"),
        ("-2 <= k <= 5", "k <= 5e12", "needs tighter bounds"),
        ("-2 <= k <= 5", "7 <= k <= 5", "has a lower bound above its upper bound"),
        ("-2 <= k <= 5", "k", "line 8: the section ends too early: expected '<='"),
        ("General\n k", "", "variable 'k' is continuous"),
        ("Binary", "Semi-Continuous", "line 10: the section 'Semi-Continuous' is not supported"),
        ("End", "", "does not close with 'End'"),
        ("End", "End\nmore", "line 14: nothing may follow 'End'"),
    ],
)
def test_lp_files(tmp_path, old, new, expected):
    assert LP.count(old) >= 1
    assert expected in refused(tmp_path, ".lp", LP.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("NAME test", "    NAME test", "line 2: expected a section, such as ROWS"),
        ("ROWS", "ROWZ", "line 5: the section 'ROWZ' is not supported"),
        ("    MIN", "    LOW", "line 4: the sense of the objective is MAX or MIN"),
        (" L  first", " X  first", "line 7: expected a row's type (N, L, G or E)"),
        (" L  first", " L  second", "line 8: a second row is called 'second'"),
        ("'INTORG'", "'SOSORG'", "line 12: a marker is 'INTORG' or 'INTEND'"),
        ("first  1.0", "fist  1.0", "line 13: there is no row 'fist'"),
        ("first  1.0", "first  1.0abc", "line 13: '1.0abc' is not a finite number"),
        ("first  1.0", "first  1.0 2", "line 13: expected one or two pairs"),
        ("second    1", "first    1", "line 14: a second value for 'x' in row 'first'"),
        ("second    1", "cost    1", "line 14: a second value for 'x' in the objective"),
        ("    third     4", "    first     4", "a second value for the side of row 'first'"),
        (" UI BND       k         4", " UI BND       k         -4", "an upper bound below 0"),
        (" UI BND       k         4", " UP BND       k         4", "variable 'k' is continuous"),
        (" UI BND       k         4", " LI BND       k         4", "'k' needs finite bounds"),
        (" UI BND       k         4", " UI BND       k         5e12", "needs tighter bounds"),
        (" UI BND       k         4", " SC BND       k         4", "bounds of type 'SC' are not"),
        (" UI BND       k         4", " UI BND       z         4", "there is no column 'z'"),
        (" UI BND       k         4", " UI k", "expected 'UI set column value'"),
        ("    y  y  3", "    y  y", "expected two columns and a value, but found 2 words"),
        ("QCMATRIX second", "QCMATRIX", "expected 'QCMATRIX row'"),
        ("QCMATRIX second", "QCMATRIX none", "there is no row 'none'"),
        ("ENDATA\n", "", "does not close with ENDATA"),
        ("ENDATA", "ENDATA\nRHS", "nothing may follow ENDATA"),
        (" E  third", " E  first_low", "there is no row 'third'"),
    ],
)
def test_mps_files(tmp_path, old, new, expected):
    assert old in MPS
    assert expected in refused(tmp_path, ".mps", MPS.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("QIQ", "QXQ", "line 2: 'QXQ' is no problem type of QPLIB"),
        ("QIQ", "QCQ", "variable 'x1' is continuous"),
        ("Minimize", "Lower", "line 3: the sense is 'minimize' or 'maximize'"),
        ("3 # v", "1000000000 # v", "line 4: 1000000000 variables are more than the file can"),
        ("2 # constraints", "999999999", "line 5: 999999999 constraints are more than the file"),
        ("2 # quad", "1000 # quad", "line 6: 1000 quadratic terms are announced, but only"),
        ("3 1 -8", "4 1 -8", "line 8: the index 4 is not one from 1 to 3"),
        ("3 1 -8", "0 1 -8", "line 8: the index 0 is not one from 1 to 3"),
        ("3 1 -8", "3 -8", "line 8: expected entry 2 of 2 quadratic terms, but found 2 words"),
        ("3 1 -8", "3 1 -8 9", None),
        ("1e20 #", "3 #", "'k' needs finite bounds below 2^53"),
        ("3 5", "3 -5", "variable 'k' has a lower bound above its upper bound"),
        ("2 second", "2 c1_low", "share the label 'c1_low'"),
        ("3 k", "3 x1", "variable names, different"),
        ("2 second\n", "2 second\nmore\n", "nothing may follow the names of the constraints"),
    ],
)
def test_qplib_files(tmp_path, old, new, expected):
    assert old in QPLIB
    changed = QPLIB.replace(old, new, 1)
    if expected is not None:
        assert expected in refused(tmp_path, ".qplib", changed)
        return
    path = tmp_path / "comment.qplib"
    path.write_text(changed)
    assert read_problem(path).num_variables == 3
