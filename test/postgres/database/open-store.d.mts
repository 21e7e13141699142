import type { StateStore } from '@dudousxd/nestjs-durable-core';

/** Where a PostgreSQL server listens on 127.0.0.1, and what an engine opens of it. */
export interface DatabaseOptions {
  readonly port: number;
  readonly user: string;
  readonly database: string;
  /** Size of the connection pool: an engine's own default is 10. */
  readonly connections: number;
  /** @default true */
  readonly makesTables?: boolean;
}

export interface OpenedStore {
  readonly store: StateStore;
  query(sql: string): Promise<readonly Record<string, unknown>[]>;
  close(): Promise<void>;
}

/** Opens the store on a database, and makes its tables where they are missing. */
export function openStore(options: DatabaseOptions): Promise<OpenedStore>;
