const mysql = require('mysql2/promise');
(async () => {
  const compress = process.argv[4] === 'compress';
  const c = await mysql.createConnection({host: '127.0.0.1', port: +process.argv[2], user: 'alice', password: process.argv[3], database: 'prj2', compress});
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
  if (compress) {
    const [[status]] = await c.query("SHOW SESSION STATUS LIKE 'Compression'");
    const [[long]] = await c.query('SELECT LENGTH(?) AS n', 'long '.repeat(100000));
    await c.changeUser({user: 'bob', password: process.argv[5], database: 'prj2'});
    const [[who]] = await c.query('SELECT CURRENT_USER() AS u');
    console.log(status.Variable_name + '\t' + status.Value, long.n, who.u);
  }
  await c.end();
})().catch(e => { console.error(e); process.exit(1); });
