import java.sql.*;

// Cancels a statement by cancel() and by setQueryTimeout, and goes on with the same connection.
public class Cancel {
    static volatile boolean ended;

    public static void main(String[] args) throws Exception {
        Class.forName("org.mariadb.jdbc.Driver");
        String url = "jdbc:mariadb://127.0.0.1:" + args[0] + "/probe?allowPublicKeyRetrieval=true";
        try (Connection c = DriverManager.getConnection(url, "driver", args[1]); Statement s = c.createStatement()) {
            Thread t = new Thread(() -> {
                try {
                    for (Thread.sleep(500); !ended; Thread.sleep(500)) s.cancel(); // it may not have begun yet
                } catch (Exception e) {
                    e.printStackTrace();
                }
            });
            t.start();
            run(s, "cancel");
            ended = true;
            t.join();
            s.setQueryTimeout(1);
            run(s, "timeout");
            s.setQueryTimeout(0);
            ResultSet r = s.executeQuery("SELECT CONCAT('goes ', 'on')");
            r.next();
            System.out.println(r.getString(1));
        }
    }

    static void run(Statement s, String what) throws SQLException {
        long start = System.nanoTime();
        try {
            s.executeQuery("SELECT SLEEP(120), COUNT(*) FROM information_schema.tables");
        } catch (SQLException e) {
            System.out.println(what + ": " + e.getMessage());
        }
        if (System.nanoTime() - start > 60_000_000_000L) throw new IllegalStateException(what + " took too long");
    }
}
