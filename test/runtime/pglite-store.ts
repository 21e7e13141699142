import type { StateStore } from '@dudousxd/nestjs-durable-core';
import { ENTITIES, MikroOrmStateStore } from '@dudousxd/nestjs-durable-store-mikro-orm';
import { PGlite } from '@electric-sql/pglite';
import { MikroORM, PostgreSqlDriver } from '@mikro-orm/postgresql';
import { PGliteDialect } from 'kysely';

/** PostgreSQL in the process of a function. Beside its bundle: esbuild puts no WebAssembly into one. */
export async function openStore(): Promise<StateStore> {
  const driverOptions = new PGliteDialect({ pglite: await PGlite.create() });
  const orm = await MikroORM.init({
    driver: PostgreSqlDriver,
    entities: ENTITIES,
    allowGlobalContext: true,
    driverOptions,
    dbName: 'postgres',
  });
  const store = new MikroOrmStateStore(orm);
  await store.ensureSchema();
  return store;
}
