const mysql = require('mysql2/promise');
(async () => {
  const c = await mysql.createConnection({host: '127.0.0.1', port: +process.argv[2], user: 'alice', password: process.argv[3], database: 'prj2'});
  for (const run of [q => c.query(q), q => c.execute(q)]) {
    try {
      await run('CREATE TABLE prj2.x AS SELECT * FROM myprj.table1');
      throw Error('not refused');
    } catch (e) {
      if (e.errno !== 1142) throw e;
      console.log(e.message);
    }
    console.log((await run('SELECT v FROM t'))[0]);
  }
  await c.end();
})().catch(e => { console.error(e); process.exit(1); });
