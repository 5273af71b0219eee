"""What the wire costs others: `wire.py WIRE-EXAMPLE [ROWS]`, beside `wire ROWS` itself.

The example fills a table of the test server and holds it; then each peer, in a process of its own,
reads it into Arrow and, where it can, loads it into another table by INSERT BULK. CPU seconds are
those of the peer's process alone.
"""

import multiprocessing
import resource
import subprocess
import sys
import time

COLUMNS = (
    "id bigint NULL, uid nvarchar(36) NULL, name nvarchar(40) NULL, email nvarchar(60) NULL, "
    "amount float NULL, qty int NULL, price decimal(18,4) NULL, ts datetime2(6) NULL, d date NULL, "
    "flag bit NULL"
)


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def told(what, rows, begun, clock):
    spent = (cpu() - begun) / rows * 1e6
    print(f"{what:<36} {rows:>9} rows  {spent:>6.2f} CPU s a million  {time.time() - clock:>6.2f} wall s", flush=True)


def connectorx(port, user, password):
    import connectorx

    url = f"mssql://{user}:{password}@127.0.0.1:{port}/test?encrypt=true&trust_server_certificate=true"
    begun, clock = cpu(), time.time()
    table = connectorx.read_sql(url, "SELECT * FROM dbo.wire", return_type="arrow")
    told("connectorx into Arrow", table.num_rows, begun, clock)


def mssql_python(port, user, password):
    import mssql_python

    connection = mssql_python.connect(
        f"Server=127.0.0.1,{port};Database=test;UID={user};PWD={password};Encrypt=yes;TrustServerCertificate=yes"
    )
    cursor = connection.cursor()
    cursor.execute(f"DROP TABLE IF EXISTS dbo.peer; CREATE TABLE dbo.peer ({COLUMNS})")
    connection.commit()
    begun, clock = cpu(), time.time()
    cursor.execute("SELECT * FROM dbo.wire")
    table = cursor.arrow()
    told("mssql-python into Arrow", table.num_rows, begun, clock)
    begun, clock = cpu(), time.time()
    done = cursor.bulkcopy_arrow("dbo.peer", table)
    told("mssql-python Arrow to INSERT BULK", done["rows_copied"], begun, clock)


def main():
    example, rows = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "1000000"
    held = subprocess.Popen(
        [example, rows, "1", "8000", "hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        place = held.stdout.readline().split()
        if len(place) != 3:
            sys.exit("the example ended before it held a table")
        for peer in (connectorx, mssql_python):
            process = multiprocessing.Process(target=peer, args=place)
            process.start()
            process.join()
            if process.exitcode != 0:
                print(f"{peer.__name__}: can't be measured here, see above", flush=True)
    finally:
        held.stdin.close()
        held.wait()


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
