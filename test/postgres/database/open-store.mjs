import { ENTITIES, MikroOrmStateStore } from '@dudousxd/nestjs-durable-store-mikro-orm';
import { MikroORM, PostgreSqlDriver } from '@mikro-orm/postgresql';

/** See `open-store.d.mts`. */
export async function openStore({ port, user, database, connections, makesTables = true }) {
  const orm = await MikroORM.init({
    driver: PostgreSqlDriver,
    host: '127.0.0.1',
    port,
    user,
    dbName: database,
    entities: ENTITIES,
    allowGlobalContext: true,
    pool: { min: 0, max: connections },
  });
  const store = new MikroOrmStateStore(orm);
  if (makesTables) await store.ensureSchema();
  return {
    store,
    query: (sql) => orm.em.getConnection().execute(sql),
    close: () => orm.close(true),
  };
}
