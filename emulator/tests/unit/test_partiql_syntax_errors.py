"""Statements that are refused: the whole message, and so the position of the token at fault."""

from __future__ import annotations

import pytest

from qldb_emulator.partiql.language.errors import PartiqlError
from qldb_emulator.partiql.syntax.parser import parse
from qldb_emulator.partiql.syntax.reserved import ACCEPTED_BARE, KEYWORDS

AFTER = "Unexpected token after expression"
PATH = "Invalid path component, expecting either an IDENTIFIER or STAR, got: "
SIMPLE = "; Expected identifier for simple path"
DOT = "; Invalid path dot component"
STAR = "function call, other than COUNT, with (*) as parameter is not supported, "
ALONE = "Other expressions may not be present in the select list when '*' is used without dot notation."
PARTS = "[year, month, day, hour, minute, second, timezone_hour, timezone_minute]"

RECORDED = [  # partiql.md 7.1
    (
        "SELECT * FROM Vehicle AS v\nWHERE v.VIN = '1N4AL11D75C109151'\nAND",
        "at line 3, column 1: expected expression, OPERATOR : and; "
        "Missing right-hand side expression of infix operator",
    ),
    (
        "UPDATE Person AS p\n   SET p.Name = 'x', a = 1, ? = 2",
        f"at line 2, column 29: {PATH}QUESTION_MARK with value: \n1{SIMPLE}",
    ),
    ("SELECT a.? FROM t", f"at line 1, column 10: {PATH}QUESTION_MARK with value: \n1{DOT}"),
]

NOT_IN_THE_DIALECT = [  # partiql.md 1.3 and 9 Q3
    ("SELECT * FROM t ORDER BY name", f"at line 1, column 17: unexpected token found, KEYWORD : order; {AFTER}"),
    ("SELECT * FROM t LIMIT 10", f"at line 1, column 17: unexpected token found, KEYWORD : limit; {AFTER}"),
    ("SELECT * FROM t OFFSET 10", f"at line 1, column 17: unexpected token found, IDENTIFIER : OFFSET; {AFTER}"),
    ("SELECT a FROM t GROUP BY a", f"at line 1, column 17: unexpected token found, KEYWORD : group; {AFTER}"),
    ("SELECT a FROM t HAVING a", f"at line 1, column 17: unexpected token found, KEYWORD : having; {AFTER}"),
    ("SELECT a FROM t LET b AS c", f"at line 1, column 17: unexpected token found, IDENTIFIER : LET; {AFTER}"),
    (
        "SELECT DISTINCT a FROM t",
        "at line 1, column 8: unexpected keyword found, KEYWORD : distinct; Unexpected keyword",
    ),
    ("PIVOT a AT b FROM t", "at line 1, column 1: unexpected keyword found, KEYWORD : pivot; Unexpected keyword"),
    (
        "SELECT a FROM t UNION SELECT a FROM u",
        f"at line 1, column 17: unexpected token found, OPERATOR : union; {AFTER}",
    ),
    (
        "(SELECT a FROM t) INTERSECT (SELECT a FROM u)",
        f"at line 1, column 19: unexpected token found, OPERATOR : intersect; {AFTER}",
    ),
    ("<<1>> EXCEPT <<1>>", f"at line 1, column 7: unexpected token found, OPERATOR : except; {AFTER}"),
    (
        "SELECT * FROM t LEFT JOIN u ON a = b",
        f"at line 1, column 17: unexpected token found, KEYWORD : left_join; {AFTER}",
    ),
    (
        "SELECT * FROM t RIGHT OUTER JOIN u ON a = b",
        f"at line 1, column 17: unexpected token found, KEYWORD : right_join; {AFTER}",
    ),
    (
        "SELECT * FROM t FULL JOIN u ON a = b",
        f"at line 1, column 17: unexpected token found, KEYWORD : outer_join; {AFTER}",
    ),
    (
        "SELECT * FROM t OUTER JOIN u ON a = b",
        f"at line 1, column 17: unexpected token found, KEYWORD : outer_join; {AFTER}",
    ),
    (
        "INSERT INTO t VALUES (1)",
        "at line 1, column 15: unexpected keyword found, KEYWORD : values; Unexpected keyword",
    ),
    ("INSERT INTO t (a, b) VALUES (1, 2)", f"at line 1, column 22: unexpected token found, KEYWORD : values; {AFTER}"),
    ("INSERT INTO t VALUE ? ?", f"at line 1, column 23: unexpected token found, QUESTION_MARK : 2; {AFTER}"),
    ("INSERT INTO t VALUE ? AT 1", f"at line 1, column 23: unexpected token found, AT : at; {AFTER}"),
    (
        "INSERT INTO t VALUE ? ON CONFLICT WHERE true DO NOTHING",
        f"at line 1, column 23: unexpected token found, KEYWORD : on; {AFTER}",
    ),
    (
        "UPDATE t SET a = 1 RETURNING ALL OLD *",
        f"at line 1, column 20: unexpected token found, IDENTIFIER : RETURNING; {AFTER}",
    ),
    (
        "SELECT * FROM t WHERE d = DATE '2020-01-01'",
        "at line 1, column 27: unexpected keyword found, KEYWORD : date; Unexpected keyword",
    ),
]

STATEMENTS = [
    ("", "at line 1, column 1: unexpected term found, EOF : EOF; Unexpected term"),
    (" -- nothing\n", "at line 2, column 1: unexpected term found, EOF : EOF; Unexpected term"),
    (";", "at line 1, column 1: unexpected term found, SEMICOLON : ';'; Unexpected term"),
    (
        "SELECT * FROM t; SELECT * FROM u",
        "at line 1, column 18: unexpected token found, KEYWORD : select; "
        "Unexpected token after semicolon. (Only one query is allowed.)",
    ),
    (
        "CREATE TABLE t;;",
        "at line 1, column 16: unexpected token found, SEMICOLON : ';'; "
        "Unexpected token after semicolon. (Only one query is allowed.)",
    ),
    ("SELECT * FROM t 'x'", f'at line 1, column 17: unexpected token found, LITERAL : "x"; {AFTER}'),
    ("SELECT * FROM t WHERE a 5", f"at line 1, column 25: unexpected token found, LITERAL : 5; {AFTER}"),
    ("CREATE VIEW v", "at line 1, column 8: unexpected token found, KEYWORD : view; Unexpected token following CREATE"),
    ("DROP t", "at line 1, column 6: unexpected token found, IDENTIFIER : t; Unexpected token following DROP"),
    ("UNDROP t", "at line 1, column 8: unexpected token found, IDENTIFIER : t; Unexpected token following UNDROP"),
    ("CREATE TABLE table", "at line 1, column 14: unexpected token found, KEYWORD : table; Expected identifier!"),
    ("CREATE TABLE ?", "at line 1, column 14: unexpected token found, QUESTION_MARK : 1; Expected identifier!"),
    (
        "CREATE TABLE t (a INT)",
        "at line 1, column 16: unexpected token found, LEFT_PAREN : '('; Unexpected tokens after CREATE statement!",
    ),
    (
        "CREATE TABLE t WITH (tags = `{}`)",
        "at line 1, column 22: unexpected token found, IDENTIFIER : tags; Expected WITH (aws_tags = ...)",
    ),
    (
        "DROP TABLE t, u",
        "at line 1, column 13: unexpected token found, COMMA : ','; Unexpected tokens after DROP statement!",
    ),
    ("CREATE INDEX i ON t (a)", "at line 1, column 14: unexpected token found, IDENTIFIER : i; Expected ON"),
    (
        "CREATE INDEX ON 't' (a)",
        'at line 1, column 17: unexpected token found, LITERAL : "t"; Index target must be an identifier',
    ),
    (
        "CREATE INDEX ON table (field)",
        "at line 1, column 17: unexpected token found, KEYWORD : table; Index target must be an identifier",
    ),
    (
        "CREATE INDEX ON t a",
        "at line 1, column 19: unexpected token found, IDENTIFIER : a; Expected parenthesis for keys",
    ),
    (
        "CREATE INDEX ON t (a, b)",
        "at line 1, column 21: unexpected token found, COMMA : ','; An index is on exactly one top-level field",
    ),
    (
        "CREATE INDEX ON t (a.b)",
        "at line 1, column 21: unexpected token found, DOT : '.'; An index is on exactly one top-level field",
    ),
    ("CREATE INDEX ON t ()", f"at line 1, column 20: {PATH}RIGHT_PAREN with value: \n')'{SIMPLE}"),
    ('DROP INDEX "i" t', "at line 1, column 16: unexpected token found, IDENTIFIER : t; Expected ON"),
    ('DROP INDEX "i" ON t', "at line 1, column 20: unexpected token found, EOF : EOF; Expected WITH (purge = true)"),
    (
        'DROP INDEX "i" ON t WITH (PURGE = true)',
        "at line 1, column 27: unexpected token found, IDENTIFIER : PURGE; Expected WITH (purge = true)",
    ),
    (
        'DROP INDEX "i" ON t WITH (purge = false)',
        "at line 1, column 35: unexpected token found, LITERAL : false; Expected WITH (purge = true)",
    ),
    ("INSERT t ?", "at line 1, column 1: unexpected keyword found, KEYWORD : insert; Unexpected keyword"),
    ("INSERT INTO t", "at line 1, column 14: unexpected term found, EOF : EOF; Unexpected term"),
    ("INSERT INTO ? ?", f"at line 1, column 13: {PATH}QUESTION_MARK with value: \n1{SIMPLE}"),
    ("DELETE t", "at line 1, column 8: unexpected token found, IDENTIFIER : t; Expected FROM after DELETE"),
    ("DELETE FROM table;", f"at line 1, column 13: {PATH}KEYWORD with value: \ntable{SIMPLE}"),
    (
        "UPDATE t WHERE a = 1",
        "at line 1, column 10: expected DML or SELECT operation after FROM, KEYWORD : where; "
        "Expected data manipulation",
    ),
    (
        "FROM t AS x SELECT x",
        "at line 1, column 13: expected DML or SELECT operation after FROM, KEYWORD : select; "
        "Expected data manipulation",
    ),
    ("UPDATE t SET a 1", "at line 1, column 16: expected assignment for SET, LITERAL : 1; Expected '='"),
    ("UPDATE t SET", f"at line 1, column 13: {PATH}EOF with value: \nEOF{SIMPLE}"),
    ("UPDATE t SET a.* = 1", f"at line 1, column 16: {PATH}STAR with value: \n'*'{DOT} for simple path"),
    (
        "UPDATE t SET a[?] = 1",
        f"at line 1, column 16: {PATH}QUESTION_MARK with value: \n1; Invalid path component for simple path",
    ),
    ("UPDATE t SET a = 1 REMOVE b", f"at line 1, column 20: unexpected token found, KEYWORD : remove; {AFTER}"),
    ("1 + (DELETE FROM", f"at line 1, column 17: {PATH}EOF with value: \nEOF{SIMPLE}"),
    (
        "1 + (DELETE FROM t)",
        "at line 1, column 6: unexpected term found, KEYWORD : delete; "
        "Keyword delete only expected at the top level in the query",
    ),
    (
        "a EXEC b",
        "at line 1, column 3: EXEC call found at unexpected location, KEYWORD : exec; "
        "EXEC call found at unexpected location",
    ),
    ("NOT IN (1)", "at line 1, column 1: unexpected operator, OPERATOR : not_in; Unexpected operator"),
    ("FROM CROSS JOIN", "at line 1, column 6: unexpected keyword found, KEYWORD : cross_join; Unexpected keyword"),
    ("SELECT t.* AS c FROM t", "at line 1, column 12: unsupported Syntax, AS : as; Unsupported syntax for PROJECT_ALL"),
    (
        "UPDATE t SET a = 1 WHERE a = 2 SET b = 1",
        f"at line 1, column 32: unexpected token found, KEYWORD : set; {AFTER}",
    ),
    ("SET a = 1", "at line 1, column 1: unexpected keyword found, KEYWORD : set; Unexpected keyword"),
    ("EXEC", "at line 1, column 5: No stored procedure provided, EOF : EOF; No stored procedure provided"),
    (
        "EXEC redact_revision('a')",
        "at line 1, column 21: unexpected token found, LEFT_PAREN : '('; "
        "Unexpected LEFT_PAREN found following stored procedure call",
    ),
    (
        "SELECT * FROM (EXEC f)",
        "at line 1, column 16: EXEC call found at unexpected location, KEYWORD : exec; "
        "EXEC call found at unexpected location",
    ),
    (
        "SELECT * FROM (DELETE FROM t)",
        "at line 1, column 16: unexpected term found, KEYWORD : delete; "
        "Keyword delete only expected at the top level in the query",
    ),
    (
        "SELECT (INSERT INTO t VALUE 1) FROM t",
        "at line 1, column 9: unexpected term found, KEYWORD : insert_into; "
        "Keyword insert_into only expected at the top level in the query",
    ),
]

SELECTS = [
    ("SELECT 1", "at line 1, column 9: missing FROM after SELECT list, EOF : EOF; Expected FROM after SELECT list"),
    (
        "SELECT a b c FROM t",
        "at line 1, column 12: missing FROM after SELECT list, IDENTIFIER : c; Expected FROM after SELECT list",
    ),
    (
        "SELECT FROM t",
        "at line 1, column 14: expected DML or SELECT operation after FROM, EOF : EOF; Expected data manipulation",
    ),
    ("SELECT", "at line 1, column 7: unexpected term found, EOF : EOF; Unexpected term"),
    (
        "SELECT a, FROM t",
        "at line 1, column 17: expected DML or SELECT operation after FROM, EOF : EOF; Expected data manipulation",
    ),
    ("SELECT *, a FROM t", f"at line 1, column 8: {ALONE}, STAR : '*'; {ALONE}"),
    ("SELECT a, * FROM t", f"at line 1, column 11: {ALONE}, STAR : '*'; {ALONE}"),
    (
        "SELECT a[*] FROM t",
        "at line 1, column 10: Invalid use of * in select list, STAR : '*'; Invalid use of * in select list",
    ),
    (
        "SELECT a.*.b FROM t",
        "at line 1, column 10: Invalid use of * in select list, STAR : '*'; Invalid use of * in select list",
    ),
    (
        "SELECT a[1].* FROM t",
        "at line 1, column 9: Cannot mix [] and * in the same expression in a select list, LEFT_BRACKET : '['; "
        "Cannot use [] and * together in SELECT list expression",
    ),
    (
        "SELECT a['b'].* FROM t",
        "at line 1, column 9: Cannot mix [] and * in the same expression in a select list, LEFT_BRACKET : '['; "
        "Cannot use [] and * together in SELECT list expression",
    ),
    (
        "SELECT a AS FROM t",
        "at line 1, column 13: expected identifier for alias, KEYWORD : from; Expected identifier for AS-alias",
    ),
    (
        "SELECT * FROM t AS",
        "at line 1, column 19: expected identifier for alias, EOF : EOF; Expected identifier for AS-alias",
    ),
    (
        "SELECT * FROM t BY 'x'",
        'at line 1, column 20: expected identifier for alias, LITERAL : "x"; Expected identifier for BY-alias',
    ),
    ("SELECT * FROM t JOIN u", "at line 1, column 23: malformed use of FROM with JOIN, EOF : EOF; Expected 'ON'"),
    ("SELECT * FROM t INNER u", f"at line 1, column 17: unexpected token found, KEYWORD : inner; {AFTER}"),
    ("SELECT * FROM t CROSS JOIN u ON a = b", f"at line 1, column 30: unexpected token found, KEYWORD : on; {AFTER}"),
    ("SELECT * FROM t,", "at line 1, column 17: unexpected term found, EOF : EOF; Unexpected term"),
    (
        "SELECT * FROM history()",
        "at line 1, column 23: unexpected token found, RIGHT_PAREN : ')'; Expected a table name or the id of a table",
    ),
    (
        "SELECT * FROM history(t, `2020T`, `2021T`, `2022T`)",
        "at line 1, column 42: expected token of type, RIGHT_PAREN; Expected RIGHT_PAREN",
    ),
    ("SELECT * FROM information_schema.tables.date", f"at line 1, column 41: {PATH}KEYWORD with value: \ndate{DOT}"),
]

EXPRESSIONS = [
    (
        "a =",
        "at line 1, column 3: expected expression, OPERATOR : '='; "
        "Missing right-hand side expression of infix operator",
    ),
    (
        "a !=",
        "at line 1, column 3: expected expression, OPERATOR : '<>'; "
        "Missing right-hand side expression of infix operator",
    ),
    (
        "a NOT IN",
        "at line 1, column 3: expected expression, OPERATOR : not_in; "
        "Missing right-hand side expression of infix operator",
    ),
    ("a + ;", "at line 1, column 5: unexpected term found, SEMICOLON : ';'; Unexpected term"),
    ("a = = b", "at line 1, column 5: unexpected operator, OPERATOR : '='; Unexpected operator"),
    ("a NOT b", f"at line 1, column 3: unexpected token found, OPERATOR : not; {AFTER}"),
    ("NOT", "at line 1, column 4: unexpected term found, EOF : EOF; Unexpected term"),
    ("-", "at line 1, column 2: unexpected term found, EOF : EOF; Unexpected term"),
    ("x BETWEEN 1 AND", "at line 1, column 13: expected expression, OPERATOR : and; Expected expression after AND"),
    ("x BETWEEN 1 OR 2", "at line 1, column 13: expected keyword, AND; Expected AND keyword"),
    (
        "x LIKE 'a' ESCAPE",
        "at line 1, column 12: expected expression, KEYWORD : escape; Expected expression after ESCAPE",
    ),
    ("x IN ()", "at line 1, column 7: unexpected term found, RIGHT_PAREN : ')'; Unexpected term"),
    ("x IN (1", "at line 1, column 8: expected token of type, RIGHT_PAREN; Expected RIGHT_PAREN"),
    ("()", "at line 1, column 2: unexpected term found, RIGHT_PAREN : ')'; Unexpected term"),
    ("[1, 2", "at line 1, column 6: expected token of type, RIGHT_BRACKET; Expected RIGHT_BRACKET"),
    (
        "<<1",
        "at line 1, column 4: expected token of type, RIGHT_DOUBLE_ANGLE_BRACKET; Expected RIGHT_DOUBLE_ANGLE_BRACKET",
    ),
    ("{'a' 1}", "at line 1, column 6: expected token of type, COLON; Expected COLON"),
    ("{'a': 1", "at line 1, column 8: expected token of type, RIGHT_CURLY; Expected RIGHT_CURLY"),
    ("a[1", "at line 1, column 4: expected token of type, RIGHT_BRACKET; Expected RIGHT_BRACKET"),
    ("a.'b'", f'at line 1, column 3: {PATH}LITERAL with value: \n"b"{DOT}'),
    (
        "@1",
        "at line 1, column 1: identifier expected after `@` symbol, OPERATOR : '@'; Identifier must follow @-operator",
    ),
    ("upper", "at line 1, column 1: unexpected keyword found, KEYWORD : upper; Unexpected keyword"),
    ("count", "at line 1, column 1: unexpected keyword found, KEYWORD : count; Unexpected keyword"),
    ("CASE END", "at line 1, column 6: unexpected keyword found, KEYWORD : end; Unexpected keyword"),
    ("CASE a END", "at line 1, column 8: expected WHEN clause in CASE, KEYWORD : end; Expected a WHEN clause in CASE"),
    ("CASE WHEN a END", "at line 1, column 13: expected keyword, THEN; Expected THEN keyword"),
    ("CASE WHEN a THEN b", "at line 1, column 19: expected keyword, END; Expected END keyword"),
    (
        "CAST a",
        "at line 1, column 6: expected left parenthesis after CAST, IDENTIFIER : a; "
        "Missing left parenthesis after CAST",
    ),
    ("CAST(a, int)", "at line 1, column 7: expected token of type, AS; Expected AS"),
    ("CAST(a AS date)", "at line 1, column 11: expected type name, found, KEYWORD : date; Expected type name"),
    ("a IS", "at line 1, column 5: expected type name, found, EOF : EOF; Expected type name"),
    (
        "CAST(a AS int(3))",
        "at line 1, column 14: Cast to type integer has incorrect arity.Correct arity is 0..0; "
        "CAST for integer must have arity of 0..0",
    ),
    (
        "CAST(a AS varchar(b))",
        "at line 1, column 11: invalid value used for type parameter, KEYWORD : character_varying; "
        "Type parameter must be an unsigned integer literal",
    ),
    (
        "a char varying",
        f"at line 1, column 3: unexpected token found, KEYWORD : character_varying; {AFTER}",
    ),
    ("TRIM 'a'", 'at line 1, column 6: expected left parenthesis, LITERAL : "a"; Expected LEFT_PAREN'),
    ("TRIM(LEADING 'a')", "at line 1, column 17: expected keyword, FROM; Expected FROM keyword"),
    ("TRIM('a', 'b')", "at line 1, column 9: expected right parenthesis, COMMA : ','; Expected RIGHT_PAREN"),
    (
        "SUBSTRING('a')",
        "at line 1, column 14: expected argument delimiter, RIGHT_PAREN : ')'; Expected KEYWORD 'from' OR COMMA",
    ),
    (
        "SUBSTRING('a', 1 FOR 2)",
        "at line 1, column 18: unexpected token, expected COMMA or RIGHT_PAREN but found FOR; Expected ATOM",
    ),
    (
        "EXTRACT(century FROM a)",
        f"at line 1, column 9: expected one of: {PARTS}, IDENTIFIER : century; Expected one of: {PARTS}",
    ),
    (
        "DATE_ADD('day', 1, a)",
        f'at line 1, column 10: expected one of: {PARTS}, LITERAL : "day"; Expected one of: {PARTS}',
    ),
    ("DATE_ADD(day, 1)", "at line 1, column 16: expected token of type, COMMA; Expected COMMA"),
    (
        "COUNT()",
        "at line 1, column 7: Aggregate function calls take 1 argument only, RIGHT_PAREN : ')'; "
        "Aggregate functions are always unary",
    ),
    (
        "SUM(a, b)",
        "at line 1, column 5: Aggregate function calls take 1 argument only, IDENTIFIER : a; "
        "Aggregate functions are always unary",
    ),
    ("SUM(*)", f"at line 1, column 5: {STAR}STAR : '*'; sum(*) is not allowed"),
    ("COUNT(DISTINCT *)", f"at line 1, column 7: {STAR}KEYWORD : distinct; COUNT(DISTINCT *) is not supported"),
    ("COUNT(ALL *)", f"at line 1, column 7: {STAR}KEYWORD : all; COUNT(ALL *) is not supported"),
    ("upper(*)", f"at line 1, column 7: {STAR}STAR : '*'; upper(*) is not allowed"),
    ("f(a b)", "at line 1, column 5: expected token of type, RIGHT_PAREN; Expected RIGHT_PAREN"),
]


@pytest.mark.parametrize(
    ("text", "message"),
    [*RECORDED, *NOT_IN_THE_DIALECT, *STATEMENTS, *SELECTS, *EXPRESSIONS],
    ids=lambda value: value[:40],
)
def test_a_refused_statement_says_what_and_where(text: str, message: str) -> None:
    with pytest.raises(PartiqlError) as caught:
        parse(text)
    assert str(caught.value) == "Parser Error: " + message
    assert caught.value.code == "400"


def test_an_enormous_token_is_cut_short_in_the_message() -> None:
    with pytest.raises(PartiqlError) as caught:
        parse("a '" + "x" * 50_000 + "'")
    assert len(str(caught.value)) < 1200


PLACES_OF_NAMES = (
    "SELECT * FROM {}",
    "SELECT a.{} FROM t",
    "SELECT a AS {} FROM t",
    "SELECT * FROM t BY {}",
    "CREATE TABLE {}",
    "CREATE INDEX ON t ({})",
    "UPDATE t SET {} = 1",
)


# What follows these is at fault, where an expression may stand.
WITH_A_SYNTAX_OF_THEIR_OWN = {
    "case",
    "cast",
    "date_add",
    "date_diff",
    "extract",
    "not",
    "select",
    "substring",
    "trim",
    "unpivot",
    *("create", "delete", "drop", "from", "remove", "set", "update"),
}


@pytest.mark.parametrize("word", sorted(KEYWORDS - {"end-exec"}))
def test_a_reserved_word_is_no_name_unless_quoted(word: str) -> None:
    for place in PLACES_OF_NAMES:
        parse(place.format(f'"{word}"'))
        if place == "SELECT * FROM {}" and word in ("null", "missing", "true", "false"):  # a value, not a name
            continue
        with pytest.raises(PartiqlError) as caught:
            parse(place.format(word))
        assert caught.value.category == "Parser"
        assert caught.value.pos.column == place.index("{") + 1 or word in WITH_A_SYNTAX_OF_THEIR_OWN


@pytest.mark.parametrize("word", sorted(ACCEPTED_BARE))
def test_words_the_library_knew_only_inside_functions_are_names_too(word: str) -> None:
    for place in PLACES_OF_NAMES:
        parse(place.format(word))
