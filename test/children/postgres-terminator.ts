/** A process that ends all other connections to a database, and exits when they are gone: `bun postgres-terminator.ts URL`. */
const sql = new Bun.SQL(process.argv[2] ?? "", { max: 1 });
await sql.unsafe(`
  SELECT pg_terminate_backend(pid, 30000)
  FROM pg_stat_activity
  WHERE datname = current_database()
    AND pid <> pg_backend_pid()`);
await sql.close({ timeout: 0 });
