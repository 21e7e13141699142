import { randomUUID } from 'node:crypto';
import type { StateStore } from '@dudousxd/nestjs-durable-core';
import { ENTITIES, MikroOrmStateStore } from '@dudousxd/nestjs-durable-store-mikro-orm';
import { PGlite } from '@electric-sql/pglite';
import { MikroORM, PostgreSqlDriver } from '@mikro-orm/postgresql';
import { PGliteDialect } from 'kysely';

/** A PostgreSQL database that the environments of a function share. */
export interface Database {
  readonly name: string;
  /** Opens a store of one environment, with a pool of its own. */
  openStore(): Promise<StateStore>;
  close(): Promise<void>;
}

/** Connections of one environment, which has one invocation at a time. */
const POOL_SIZE = 2;

/** @param url of a server's database; where there is none, PostgreSQL runs in this process and keeps nothing */
export async function openDatabase(url: string | undefined): Promise<Database> {
  return url === undefined ? openPglite() : openServer(url);
}

async function openPglite(): Promise<Database> {
  const pglite = await PGlite.create();
  // The dialect gives its one connection to one query or transaction at a time, and PGlite holds off the other
  // environments meanwhile.
  const options = { driverOptions: new PGliteDialect({ pglite }), dbName: 'postgres' };
  const openStore = async () => new MikroOrmStateStore(await openOrm(options));
  await (await openStore()).ensureSchema();
  // Each environment's ORM would close what they share.
  return { name: 'PGlite (PostgreSQL in this process)', openStore, close: () => pglite.close() };
}

/**
 * The tables go into a schema of this demo's own, which is dropped at its end: what else the database holds stays as it
 * is.
 */
async function openServer(url: string): Promise<Database> {
  const schema = `durable_demo_${randomUUID().slice(0, 8)}`;
  const admin = await openOrm({ clientUrl: url });
  const execute = (sql: string) => admin.em.getConnection().execute(sql);
  await execute(`create schema ${schema}`);
  const opened: MikroORM[] = [];
  const openStore = async () => {
    const settings = { driverOptions: { options: `-c search_path=${schema}` }, pool: { min: 0, max: POOL_SIZE } };
    const orm = await openOrm({ clientUrl: url, ...settings });
    opened.push(orm);
    return new MikroOrmStateStore(orm);
  };
  await (await openStore()).ensureSchema();
  return {
    name: `PostgreSQL at ${new URL(url).host}`,
    openStore,
    async close() {
      await Promise.all(opened.map((orm) => orm.close(true)));
      await execute(`drop schema ${schema} cascade`);
      await admin.close(true);
    },
  };
}

function openOrm(options: object): Promise<MikroORM> {
  return MikroORM.init({ driver: PostgreSqlDriver, entities: ENTITIES, allowGlobalContext: true, ...options });
}
