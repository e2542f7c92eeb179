import java.sql.*;

public class Client {
    public static void main(String[] args) throws Exception {
        Class.forName("org.mariadb.jdbc.Driver");
        String url = "jdbc:mariadb://127.0.0.1:" + args[0] + "/prj2?allowPublicKeyRetrieval=true&useServerPrepStmts=true"
            + (args.length > 2 ? "&useCompression=true" : "");
        try (Connection c = DriverManager.getConnection(url, "alice", args[1])) {
            try (PreparedStatement s = c.prepareStatement("CREATE TABLE prj2.x AS SELECT * FROM myprj.table1")) {
                s.execute();
                throw new IllegalStateException("not refused");
            } catch (SQLException e) {
                if (e.getErrorCode() != 1142) throw e;
                System.out.println(e.getMessage());
            }
            try (PreparedStatement s = c.prepareStatement("SELECT v FROM t WHERE id = ?")) {
                s.setInt(1, 7);
                ResultSet r = s.executeQuery();
                while (r.next()) System.out.println(r.getString(1));
            }
            if (args.length > 2) {
                try (PreparedStatement s = c.prepareStatement("SELECT LENGTH(?)")) {
                    s.setString(1, "long ".repeat(100000));
                    ResultSet r = s.executeQuery();
                    while (r.next()) System.out.println(r.getString(1));
                }
                ResultSet r = c.createStatement().executeQuery("SHOW SESSION STATUS LIKE 'Compression'");
                while (r.next()) System.out.println(r.getString(1) + "\t" + r.getString(2));
            }
        }
    }
}
