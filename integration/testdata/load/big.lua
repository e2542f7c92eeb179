-- A result of 25 MB: 25,000 rows of 1,000 bytes.
function thread_init()
  drv = sysbench.sql.driver()
  con = drv:connect()
end
function event() con:query("SELECT id, v FROM big") end
function thread_done() con:disconnect() end
