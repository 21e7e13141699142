import pg from 'pg';

let pool: pg.Pool | undefined;

/** One connection for as long as this environment of the function lives: the steps of an invocation share it. */
export function database(): pg.Pool {
  pool ??= new pg.Pool({ connectionString: process.env['DATABASE_URL'], max: 1 });
  return pool;
}
