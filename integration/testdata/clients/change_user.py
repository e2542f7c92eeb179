"""COM_CHANGE_USER by hand: PyMySQL knows the packets but not the command."""
import sys

import pymysql
from pymysql.constants import COMMAND

port, alice, bob = int(sys.argv[1]), sys.argv[2], sys.argv[3]
c = pymysql.connect(host="127.0.0.1", port=port, user="alice", password=alice, database="myprj", ssl_disabled=True)


def run(what, sql):
    try:
        cursor = c.cursor()
        cursor.execute(sql)
        print(what + ":", cursor.fetchall() or "ok")
    except pymysql.err.MySQLError as e:
        print(what + ":", e.args[0])


def change(user, password, database, collation=45):
    """The plugin is unknown on purpose: the warehouse answers with an auth switch and its own salt."""
    c.user, c.password, c.db = user.encode(), password.encode(), database.encode()
    payload = user.encode() + b"\0" + b"\0" + database.encode() + b"\0" + collation.to_bytes(2, "little") + b"auth_unknown\0"
    if c.client_flag & pymysql.constants.CLIENT.CONNECT_ATTRS:
        payload += b"\0"
    c._execute_command(COMMAND.COM_CHANGE_USER, payload)
    packet = c._read_packet()
    if packet.is_auth_switch_request():
        packet.read_uint8()
        plugin = packet.read_string()
        packet = c._process_auth(plugin, packet)
    while packet is not None and not packet.is_ok_packet():  # None: PyMySQL read the OK after its RSA exchange
        packet = c._read_packet()


run("alice inside", "SET @v = (SELECT v FROM table1 WHERE id = 1)")
run("alice may not", "SET ProjectProtection = false")
c.select_db("prj2")
run("variable", "SELECT @v")
change("bob", bob, "prj2")
cursor = c.cursor()
cursor.execute("SELECT CURRENT_USER(), @v")
user, variable = cursor.fetchone()
print("bob is", user)
print("variable:", variable)
run("bob may", "SET ProjectProtection = true")
run("bob may again", "SET ProjectProtection = false")
change("alice", alice, "prj2")
run("back to alice", "SET ProjectProtection = false")
change("alice", alice, "prj2", 28)  # gbk_chinese_ci: the two bytes are one character, which ends in a backslash
c.encoding = "gbk"
run("in gbk", b"SELECT '\xbf\\', v FROM t")
run("hidden by gbk", b"SELECT '\xbf\\', v FROM myprj.table1 -- '")
