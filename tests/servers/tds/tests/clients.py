"""What a client that isn't ours gets from the server: pymssql, which brings FreeTDS.

Takes the port, the login and the password; says what is wrong and fails, or says nothing.
"""

import datetime
import decimal
import sys
import uuid

import pymssql

port, user, password = sys.argv[1:4]


def connect(**more):
    return pymssql.connect(
        server="127.0.0.1", port=port, user=user, password=password, database="test", **more
    )


def same(found, wanted):
    if found != wanted:
        sys.exit(f"found  {found!r}\nwanted {wanted!r}")


connection = connect()
cursor = connection.cursor()


def rows(text, values=None):
    cursor.execute(text, values)
    return cursor.fetchall()


# Every type there and back, at its edges. Python's times have six digits.
cursor.execute(
    """
    CREATE TABLE dbo.every (
        id int NOT NULL PRIMARY KEY, ti tinyint, si smallint, bi bigint, bt bit, dc decimal(38,10),
        mo money, sm smallmoney, re real, fl float, ch char(5), vc varchar(20), nc nchar(5),
        nv nvarchar(20), tx text, nt ntext, im image, bn binary(4), vb varbinary(10),
        vm varbinary(max), nm nvarchar(max), da date, t0 time(0), t7 time(7), dt datetime,
        sd smalldatetime, d2 datetime2(7), dto datetimeoffset(7), gu uniqueidentifier, xm xml,
        cy varchar(20) COLLATE Cyrillic_General_CI_AS,
        u8 varchar(20) COLLATE Latin1_General_100_CI_AS_SC_UTF8)
    """
)
cursor.execute(
    """
    INSERT INTO dbo.every VALUES (
        1, 255, -32768, 9223372036854775807, 1, -1234567890123456789012345678.0123456789,
        -922337203685477.5808, 214748.3647, 1.5, -2.25e100, 'ab', 'x', N'ab', N'ж 😀', 'text',
        N'ntext', 0x010203, 0x01, 0x0102, 0xFF, N'max', '0001-01-01', '23:59:59',
        '23:59:59.9999990', '1753-01-01', '2079-06-06 23:59', '9999-12-31 23:59:59.9999990',
        '2020-01-01 00:00:00.1234560 +05:30', '6F9619FF-8B86-D011-B42D-00C04FC964FF', '<a/>',
        N'жук', N'ж😀')
    """
)
cursor.execute("INSERT INTO dbo.every (id) VALUES (2)")
zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
every = (
    1,
    255,
    -32768,
    9223372036854775807,
    True,
    decimal.Decimal("-1234567890123456789012345678.0123456789"),
    decimal.Decimal("-922337203685477.5808"),
    decimal.Decimal("214748.3647"),
    1.5,
    -2.25e100,
    "ab   ",
    "x",
    "ab   ",
    "ж 😀",
    "text",
    "ntext",
    b"\1\2\3",
    b"\1\0\0\0",
    b"\1\2",
    b"\xff",
    "max",
    datetime.date(1, 1, 1),
    datetime.time(23, 59, 59),
    datetime.time(23, 59, 59, 999999),
    datetime.datetime(1753, 1, 1),
    datetime.datetime(2079, 6, 6, 23, 59),
    datetime.datetime(9999, 12, 31, 23, 59, 59, 999999),
    datetime.datetime(2020, 1, 1, 0, 0, 0, 123456, zone),
    uuid.UUID("6f9619ff-8b86-d011-b42d-00c04fc964ff"),
    "<a/>",
    "жук",
    "ж😀",
)
same(rows("SELECT * FROM dbo.every ORDER BY id"), [every, (2,) + (None,) * (len(every) - 1)])
# The same by way of SQLite's forms: nothing is lost there either.
same(rows("SELECT DISTINCT dc, dto, gu, d2, nv FROM dbo.every WHERE id = 1"), [tuple(every[at] for at in (5, 27, 28, 26, 13))])
connection.commit()

# Values as text in a statement, as pymssql has parameters.
same(
    rows("SELECT id FROM dbo.every WHERE nv = %s AND gu = %s AND d2 > %s", ("ж 😀", str(every[28]), "2000-01-01")),
    [(1,)],
)

# FreeTDS' bulk load declares old types and ends in a way of its own.
cursor.execute("CREATE TABLE dbo.loaded (a int, b nvarchar(100), d decimal(10,2))")
connection.commit()
connection.bulk_copy("dbo.loaded", [(number, f"ä{number}", number) for number in range(1000)])
connection.commit()
same(rows("SELECT COUNT(*), SUM(a), MAX(b), MAX(d) FROM dbo.loaded"), [(1000, 499500, "ä999", decimal.Decimal(999))])

# Transactions end as they are told to.
cursor.execute("DELETE FROM dbo.loaded")
connection.rollback()
same(rows("SELECT COUNT(*) FROM dbo.loaded"), [(1000,)])

# Errors have numbers, and the session goes on.
for text, number in [
    ("INSERT INTO dbo.every (id) VALUES (1)", 2627),
    ("SELECT * FROM dbo.nosuch", 208),
    ("INSERT INTO dbo.every (id, vc) VALUES (3, REPLICATE('x', 21))", 2628),
    ("SELECT 1 / 0", 8134),
    ("CREATE VIEW dbo.v AS SELECT 1 AS a", 102),
]:
    try:
        cursor.execute(text)
        sys.exit(f"no error: {text}")
    except pymssql.Error as error:
        same((text, error.args[0]), (text, number))
    connection.rollback()
same(rows("SELECT COUNT(*) FROM dbo.every"), [(2,)])

# Long values, and packets in both directions.
long = "x" * 1_000_000
same(rows("SELECT LEN(%s), %s", (long, long)), [(len(long), long)])

try:
    pymssql.connect(server="127.0.0.1", port=port, user=user, password="wrong", database="test")
    sys.exit("a wrong password was taken")
except pymssql.Error as error:
    if b"18456" not in repr(error).encode():
        sys.exit(f"another error than 18456: {error!r}")
