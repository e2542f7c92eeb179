# A client whose connection is in GBK: what it reads, writes and is refused. The password of alice is the second argument.
import sys
import pymysql

connection = pymysql.connect(host="127.0.0.1", port=int(sys.argv[1]), user="alice", password=sys.argv[2], database="prj2", charset="gbk")
cursor = connection.cursor()
sys.stdout.reconfigure(encoding="gbk")


def refused(text, *values):
    try:
        cursor.execute(text, values)
    except pymysql.err.OperationalError as error:
        assert error.args[0] == 1142, error
        print("refused")
        return
    raise AssertionError("not refused: " + text)


cursor.execute("INSERT INTO `客户` (`名称`) VALUES (%s), (%s)", ("縗'张三\\", "表"))
cursor.execute("SELECT `名称`, %s FROM 客户 WHERE `名称` LIKE %s", ("縗", "縗%"))
assert cursor.fetchall() == (("縗'张三\\", "縗"),), cursor.fetchall()
assert cursor.description[0][0] == "名称", cursor.description
refused("SELECT * FROM myprj.`客户`")
refused("INSERT INTO `客户` SELECT * FROM myprj.`客户` WHERE `名称` <> %s", "縗'")
refused("SELECT %s, v FROM myprj.table1", "縗")
cursor.execute("EXPLAIN FLOW SELECT `名称` FROM myprj.`客户`")
assert any("客户" in str(row) for row in cursor.fetchall())
cursor.execute("SELECT v FROM t")
print(cursor.fetchall())
