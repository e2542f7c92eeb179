import sys
import pymysql

connection = pymysql.connect(host="127.0.0.1", port=int(sys.argv[1]), user="alice", password=sys.argv[2], database="prj2")
cursor = connection.cursor()
try:
    cursor.execute("CREATE TABLE prj2.x AS SELECT * FROM myprj.table1")
except pymysql.err.OperationalError as error:
    assert error.args[0] == 1142, error
    print(error)
cursor.execute("SELECT v FROM t")
print(cursor.fetchall())
