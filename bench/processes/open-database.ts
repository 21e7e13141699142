import { openStore } from '../../test/postgres/database/open-store.mjs';
import { type Fields, numberOf, textOf } from './fields.ts';

/** The engine's own default. */
const CONNECTIONS = 10;

/**
 * The store of an engine in a process of its own, where its command says.
 * @param makesTables false where another process has made them
 */
export async function openDatabase(fields: Fields, { makesTables }: { readonly makesTables: boolean }) {
  const { store } = await openStore({
    port: numberOf(fields, 'databasePort'),
    user: textOf(fields, 'databaseUser'),
    database: textOf(fields, 'database'),
    connections: CONNECTIONS,
    makesTables,
  });
  return store;
}
