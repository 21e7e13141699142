import { z } from 'zod';

/** What the environment says, checked once when the app starts. */
const Settings = z.object({
  /** Without a password: PostgreSQL's own PGPASSWORD or ~/.pgpass hold it. */
  DATABASE_URL: z.string().startsWith('postgres'),
  HOST: z.string().default('127.0.0.1'),
  PORT: z.coerce.number().int().default(3000),
  /** Connections to the database. */
  POOL_SIZE: z.coerce.number().int().positive().default(10),
  /** How long an engine owns a run that it works on: after a crash, others wait as long. */
  LEASE_SECONDS: z.coerce.number().positive().default(30),
  /**
   * How long a step may wait for its result before its task counts as lost: longer than the slowest, with its time in
   * the queue.
   */
  LOST_AFTER_SECONDS: z.coerce.number().positive().default(900),
});

export const settings = Settings.parse(process.env);
